"""What a student has typed so far, in a form that belongs to neither flow. Pure.

Version 1: a flat mapping of text by name. The neutral names are `teacher` (an id), `slot` (the
start of the chosen slot, ISO 8601, UTC), `wished_times` and `note`; anything else a form posts is
kept as well, as it was typed, so that nothing is lost between two releases.

What forms post beside the answers, for whom `rollback.domain.versions` decides: `seen:NAME` (the
draft's version its field was filled from, and a digest of what it was filled with), `choice:NAME`
(which of two texts to keep), and which save of which page this is.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

VERSION = 1
MOST_BYTES = 64 * 1024
# Set while the slot stands in `wished_times` in words, where the student may change or delete it.
SLOT_IS_IN_WORDS = "slot_is_in_words"
SEEN, CHOICE = "seen:", "choice:"
SAVE_PAGE, SAVE_COUNT = "save_page", "save_count"
# Sent once more from where the browser had kept it.
KEPT = "kept"
NOT_ANSWERS = frozenset({"csrfmiddlewaretoken", SAVE_PAGE, SAVE_COUNT, KEPT})


class AnswersTooLarge(Exception):
    """More than MOST_BYTES once stored as JSON."""


class Seen(NamedTuple):
    version: int
    digest: str


class Choice(NamedTuple):
    """verb: keep, take or both. other: whether the other text is the saved one or one set aside.

    version: of the draft, when both were shown. key: which text it was that was set aside.
    """

    verb: str
    other: str
    version: int
    key: str


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A posted form, read. page, count: which save of which page this is; empty and 0: unknown."""

    answers: Mapping[str, str]
    seen: Mapping[str, Seen] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    page: str = ""
    count: int = 0


def from_post(fields: Mapping[str, str]) -> dict[str, str]:
    """The answers in a posted form. PostgreSQL cannot store NUL in text, so it is dropped."""
    return {
        name.replace("\x00", ""): value.replace("\x00", "")
        for name, value in fields.items()
        if name not in NOT_ANSWERS and not name.startswith((SEEN, CHOICE))
    }


def read(fields: Mapping[str, str]) -> Typed:
    """Whatever cannot be read counts as not said."""
    told = {name.replace("\x00", ""): value.replace("\x00", "") for name, value in fields.items()}
    return Typed(
        answers=from_post(fields),
        seen=_marked(told, SEEN, _read_seen),
        choices=_marked(told, CHOICE, _read_choice),
        page=told.get(SAVE_PAGE, "")[:40],
        count=_number(told.get(SAVE_COUNT, "")) or 0,
    )


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
    if size(merged) > MOST_BYTES:
        raise AnswersTooLarge
    return merged


def wished_times(answers: Mapping[str, str], slot_in_words: str) -> str:
    """The original form has no slots, so a chosen one becomes words before what was typed."""
    typed = answers.get("wished_times", "")
    if not slot_in_words or SLOT_IS_IN_WORDS in answers or slot_in_words in typed:
        return typed
    return f"{slot_in_words}\n{typed}".strip()


def same(one: str, other: str) -> bool:
    """For whoever reads it: forms post other line ends than were stored, and cut blanks off."""
    return tidy(one) == tidy(other)


def digest(text: str) -> str:
    return blake2b(tidy(text).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _marked(
    fields: Mapping[str, str], mark: str, reading: Callable[[str], T | None]
) -> dict[str, T]:
    found = {
        name.removeprefix(mark): reading(value)
        for name, value in fields.items()
        if name.startswith(mark)
    }
    return {name: value for name, value in found.items() if value is not None}


def _read_seen(text: str) -> Seen | None:
    version, _space, digest_of_base = text.partition(" ")
    number = _number(version)
    return None if number is None else Seen(number, digest_of_base[:16])


def _read_choice(text: str) -> Choice | None:
    match text.split("."):
        case ["keep" | "take" | "both" as verb, "saved" | "aside" as other, version, key]:
            number = _number(version)
            return None if number is None else Choice(verb, other, number, key[:16])
    return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def tidy(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def size(stored: Any) -> int:
    return len(json.dumps(stored, ensure_ascii=False).encode("utf-8", "replace"))
