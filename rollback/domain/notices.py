"""What stands above every page: which notices, for whom, and in which words. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    DANGER = "danger"
    WARNING = "warning"
    INFO = "info"


class Audience(StrEnum):
    EVERYBODY = "everybody"
    USERS = "users"
    STAFF = "staff"


ORDER = list(Level)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """version: whoever has closed it does not see it again until what it says is another.

    headings, texts: by language. flags: of an incident, what it holds. starts_at, ends_at: half-open;
    None: without end.
    """

    version: str
    level: Level
    texts: Mapping[str, str]
    headings: Mapping[str, str]
    flags: tuple[str, ...] = ()
    audience: Audience = Audience.EVERYBODY
    is_dismissible: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def is_on(self, now: datetime) -> bool:
        has_begun = self.starts_at is None or self.starts_at <= now
        return has_begun and (self.ends_at is None or now < self.ends_at)

    @property
    def is_incident(self) -> bool:
        return self.version.startswith("i")


def level_of(severity: int) -> Level:
    return {1: Level.DANGER, 2: Level.WARNING}.get(severity, Level.INFO)


def shown(
    notices: Iterable[Notice],
    *,
    now: datetime,
    is_user: bool,
    is_staff: bool,
    closed: Collection[str],
) -> list[Notice]:
    """The worst first."""
    audiences = {Audience.EVERYBODY}
    audiences |= {Audience.USERS} if is_user else set()
    audiences |= {Audience.STAFF} if is_staff else set()
    found = [
        one
        for one in notices
        if one.is_on(now)
        and one.audience in audiences
        and not (one.is_dismissible and one.version in closed)
    ]
    return sorted(found, key=lambda one: ORDER.index(one.level))


def in_language(told: Mapping[str, str], *, language: str, otherwise: str) -> str:
    """The page's; else the school's first; else whatever there is, rather than nothing."""
    return told.get(language) or told.get(otherwise) or next(iter(told.values()), "")
