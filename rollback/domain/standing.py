"""How a part of the school stands, as the public reads it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rollback.domain.shares import BUCKETS, FlagState
from rollback.domain.uptime import Day, is_bad

SCHOOL = "school"  # what no switch covers
# Fewer requests than this say nothing about now.
ENOUGH = 20


class Standing(StrEnum):
    """From well to worse."""

    OPERATIONAL = "operational"
    NOT_YET = "not yet"
    PARTLY_OFF = "partly off"
    MAINTENANCE = "maintenance"
    DEGRADED = "degraded"
    OFF = "off"
    ARCHIVED = "archived"


_ORDER = list(Standing)


def worst(standings: Iterable[Standing]) -> Standing:
    return max(standings, key=_ORDER.index, default=Standing.OPERATIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """chain: the flag with its masters; None for what no switch covers, empty for a flag nobody knows.

    was_there: somebody has had it, now or before. is_told: an open incident's newest public word names it.
    is_worked_on: planned work goes on there. total, bad: its requests of the last minutes.
    """

    chain: Sequence[FlagState] | None
    was_there: bool = True
    is_told: bool = False
    is_worked_on: bool = False
    total: int = 0
    bad: int = 0


def standing_of(now: Now) -> Standing:
    """Planned work comes first: it says why the rest is so."""
    if now.is_worked_on:
        return Standing.MAINTENANCE
    if now.chain is not None:
        if any(state.archived for state in now.chain):
            return Standing.ARCHIVED
        if not now.chain or not all(state.reaches_somebody() for state in now.chain):
            return Standing.OFF if now.was_there else Standing.NOT_YET
    if now.is_told or (now.total >= ENOUGH and is_bad(total=now.total, bad=now.bad)):
        return Standing.DEGRADED
    if now.chain is not None and any(state.share < BUCKETS for state in now.chain):
        return Standing.PARTLY_OFF
    return Standing.OPERATIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """key: a feature's name, or SCHOOL. days: the oldest first."""

    key: str
    standing: Standing
    days: Sequence[Day] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One public update. headings, texts: by language."""

    pk: int
    incident: int
    state: str
    parts: Sequence[str]
    headings: dict[str, str]
    texts: dict[str, str]
    at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was published about one incident, the newest first."""

    words: Sequence[Word]
    is_over: bool

    @property
    def newest(self) -> Word:
        return self.words[0]

    @property
    def began_at(self) -> datetime:
        return self.words[-1].at


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Planned."""

    pk: int
    headings: dict[str, str]
    texts: dict[str, str]
    parts: Sequence[str]
    announced_from: datetime
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All there is to be told, in no language yet. current, past: the newest first."""

    as_of: datetime
    parts: Sequence[Part]
    current: Sequence[Story] = ()
    past: Sequence[Story] = ()
    work: Sequence[Work] = ()

    @property
    def worst(self) -> Standing:
        return worst(part.standing for part in self.parts)


def stories(words: Sequence[Word], *, resolved: Collection[int]) -> list[Story]:
    """words: the newest first. resolved: incidents that are so, whatever the public was told last."""
    by_incident: dict[int, list[Word]] = {}
    for word in words:
        by_incident.setdefault(word.incident, []).append(word)
    return [
        Story(words=told, is_over=told[0].state == "resolved" or incident in resolved)
        for incident, told in by_incident.items()
    ]


def in_language(texts: dict[str, Any], language: str, *, usual: str) -> tuple[str, str]:
    """:returns: the text and the language it is in: this one, else the school's, else any there is."""
    order = [language, language.split("-")[0], usual, *texts]
    return next(((str(texts[code]), code) for code in order if texts.get(code)), ("", language))
