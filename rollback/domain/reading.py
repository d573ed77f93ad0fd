"""What is in a draft's columns, if it can be read at all. Pure.

Anybody with a terminal can write anything there, and another release may have written what this one
does not know. No page may break of it: answers are text by name, or they are poison.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from rollback.domain.answers import MOST_BYTES, SLOT_IS_IN_WORDS, VERSION
from rollback.domain.answers import size as stored_size
from rollback.domain.versions import MOST_ASIDE, Aside, Change

READABLE_VERSIONS = frozenset({VERSION})
# The database counts a little differently than we do: more than this is not even loaded.
LOADED_BYTES = 2 * MOST_BYTES
# What is carried over must leave room for what the student types next.
SALVAGED_BYTES = MOST_BYTES // 2
# A page that is open for a week saves less often.
MANY = 1_000_000_000
NEUTRAL = ("note", "wished_times", "teacher", "slot", SLOT_IS_IN_WORDS)


class Poison(StrEnum):
    """Why answers cannot be read."""

    TOO_LARGE = "too_large"
    UNKNOWN_VERSION = "unknown_version"
    NOT_BY_NAME = "not_by_name"
    NOT_TEXT = "not_text"
    NOT_ASIDE = "not_aside"


@dataclass(frozen=True, kw_only=True)
class Poisoned:
    """salvaged: the answers among them that are text, the most important first, while they fit."""

    why: Poison
    salvaged: Mapping[str, str]


def read(raw: object, *, aside: object, version: int, size: int) -> dict[str, str] | Poisoned:
    """The answers, whole, or why not.

    raw, aside: as they were loaded; None if too large for that. size: of `raw`, in bytes, in the
    database.
    """
    texts = _texts(raw)
    why = _what_is_wrong(raw, texts, version=version, size=size)
    if why is None and not _are_asides(aside):
        why = Poison.NOT_ASIDE
    return texts if why is None else Poisoned(why=why, salvaged=salvage(texts))


def _what_is_wrong(
    raw: object, texts: Mapping[str, str], *, version: int, size: int
) -> Poison | None:
    # With more than we save every later save would be refused, and nobody could go on.
    if size > LOADED_BYTES or stored_size(texts) > MOST_BYTES:
        return Poison.TOO_LARGE
    if version not in READABLE_VERSIONS:
        return Poison.UNKNOWN_VERSION
    if not isinstance(raw, dict):
        return Poison.NOT_BY_NAME
    return Poison.NOT_TEXT if len(texts) < len(raw) else None


def _texts(raw: object) -> dict[str, str]:
    if not isinstance(raw, dict):
        return {}
    return {name: value for name, value in raw.items() if isinstance(value, str)}


def salvage(texts: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = SALVAGED_BYTES
    for name in _most_important_first(texts):
        room -= len(json.dumps({name: texts[name]}, ensure_ascii=False).encode())
        if room < 0:
            break
        kept[name] = texts[name]
    return kept


def _most_important_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in NEUTRAL, name))


def heard(raw: object) -> dict[str, int]:
    """By open page, the number of its last save. Nothing of a student's is lost with it."""
    if not isinstance(raw, dict):
        return {}
    return {page: count for page, count in raw.items() if type(count) is int and count < MANY}


def asides(raw: object) -> list[Aside]:
    """Of a draft that could be read."""
    return raw if _are_asides(raw) else []  # type: ignore[return-value]


def changes(raw: object, *, version: int) -> dict[str, Change]:
    """Which version changed each answer last, up to the draft's own: a later one no page could know.

    Without it pages cannot be checked; no text is lost.
    """
    if not isinstance(raw, dict):
        return {}
    read = {name: change for name, change in raw.items() if _is_change(change)}
    return {name: change for name, change in read.items() if change["version"] <= version}


def _are_asides(raw: object) -> bool:
    """As many and as large as we save: more would have every later save refused."""
    return (
        isinstance(raw, list)
        and len(raw) <= MOST_ASIDE
        and all(_is_aside(one) for one in raw)
        and stored_size(raw) <= MOST_BYTES
    )


def _is_aside(one: object) -> bool:
    return (
        isinstance(one, dict)
        and all(isinstance(one.get(name), str) for name in ("name", "value", "page"))
        and isinstance(one.get("teacher", ""), str)
        and isinstance(one.get("open"), bool)
        and _is_instant(one.get("at"))
    )


def _is_change(one: object) -> bool:
    return (
        isinstance(one, dict)
        and type(one.get("version")) is int
        and isinstance(one.get("pages"), list)
        and all(isinstance(page, str) for page in one["pages"])
        and _is_instant(one.get("at"))
    )


def _is_instant(at: object) -> bool:
    return isinstance(at, str) and instant(at) is not None


def instant(text: str) -> datetime | None:
    """When a slot starts; None for what is no instant on every clock of the world."""
    try:
        start = datetime.fromisoformat(text)
        utc = start.astimezone(UTC) if start.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return utc if utc and 1 < utc.year < 9999 else None
