"""What a student has typed so far, in a form that belongs to neither flow. Pure.

Version 1: a flat mapping of text by name. The neutral names are `teacher` (an id), `slot` (the
start of the chosen slot, ISO 8601, UTC), `wished_times` and `note`; anything else a form posts is
kept as well, as it was typed, so that nothing is lost between two releases.
"""

import json
from collections.abc import Iterable, Mapping

VERSION = 1
MOST_BYTES = 64 * 1024
NOT_ANSWERS = frozenset({"csrfmiddlewaretoken", "step", "revision"})


class AnswersTooLarge(Exception):
    """More than MOST_BYTES once stored as JSON."""


def from_post(fields: Mapping[str, str]) -> dict[str, str]:
    """The answers in a posted form. PostgreSQL cannot store NUL in text, so it is dropped."""
    return {
        name.replace("\x00", ""): value.replace("\x00", "")
        for name, value in fields.items()
        if name not in NOT_ANSWERS
    }


def merge(before: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """A name that was not posted keeps its answer; one posted empty was emptied by the student.

    :raises AnswersTooLarge:
    """
    merged = {**before, **typed}
    if len(json.dumps(merged, ensure_ascii=False).encode("utf-8", "replace")) > MOST_BYTES:
        raise AnswersTooLarge
    return merged


def wished_times(typed: str, slot_words: str) -> str:
    """The original form has no slots, so a chosen one becomes words before what was typed."""
    return "\n".join(_without_repeats([slot_words, typed.strip()]))


def _without_repeats(lines: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if line and not any(line in other for other in kept):
            kept.append(line)
    return kept
