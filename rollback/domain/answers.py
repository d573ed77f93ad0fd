"""What a student has typed so far, in a form that belongs to neither flow. Pure.

Version 1: a flat mapping of text by name. The neutral names are `teacher` (an id), `slot` (the
start of the chosen slot, ISO 8601, UTC), `wished_times` and `note`; anything else a form posts is
kept as well, as it was typed, so that nothing is lost between two releases.
"""

import json
from collections.abc import Mapping

VERSION = 1
MOST_BYTES = 64 * 1024
# Set while the slot stands in `wished_times` in words, where the student may change or delete it.
SLOT_IS_IN_WORDS = "slot_is_in_words"
NOT_ANSWERS = frozenset({"csrfmiddlewaretoken", "save_page", "save_count"})


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
    if typed.get("slot"):
        merged.pop(SLOT_IS_IN_WORDS, None)
    elif merged.get("slot") and "wished_times" in typed:
        # A form that shows wished times and no slot is the original one.
        merged[SLOT_IS_IN_WORDS] = "yes"
    if len(json.dumps(merged, ensure_ascii=False).encode("utf-8", "replace")) > MOST_BYTES:
        raise AnswersTooLarge
    return merged


def wished_times(answers: Mapping[str, str], slot_in_words: str) -> str:
    """The original form has no slots, so a chosen one becomes words before what was typed."""
    typed = answers.get("wished_times", "")
    if not slot_in_words or SLOT_IS_IN_WORDS in answers or slot_in_words in typed:
        return typed
    return f"{slot_in_words}\n{typed}".strip()
