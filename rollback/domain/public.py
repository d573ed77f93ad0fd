"""What the public is told about an incident: which word may follow which, and when the next one is due.
Pure; drawn in docs/reference/states.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rollback.domain.incidents import IncidentState


class PublicState(StrEnum):
    UNSAID = "unsaid"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


_OPEN = frozenset({PublicState.INVESTIGATING, PublicState.IDENTIFIED, PublicState.MONITORING})
# Back as well: what was thought to be found was not it, or what was contained is not. After the last word
# there are only corrections of it.
PUBLIC_STEPS: Mapping[str, frozenset[str]] = {
    PublicState.UNSAID: frozenset(_OPEN | {PublicState.RESOLVED}),
    PublicState.INVESTIGATING: frozenset(_OPEN | {PublicState.RESOLVED}),
    PublicState.IDENTIFIED: frozenset(_OPEN | {PublicState.RESOLVED}),
    PublicState.MONITORING: frozenset(_OPEN | {PublicState.RESOLVED}),
    PublicState.RESOLVED: frozenset({PublicState.RESOLVED}),
}


def may_follow(before: str, *, is_open: bool) -> list[PublicState]:
    """In the order of the way. Whether it is over is said by the incident, to the public as to the office."""
    steps = PUBLIC_STEPS[before]
    wanted = _OPEN if is_open else {PublicState.RESOLVED}
    return [state for state in PublicState if state in steps and state in wanted]


def fitting(state: IncidentState, *, before: str, is_taken_on: bool) -> PublicState:
    """What an incident in this state gives to say; not a step back from what was said.

    is_taken_on: by a person. A machine that has switched something off does not know what is wrong.
    """
    found = PublicState.IDENTIFIED if is_taken_on else PublicState.INVESTIGATING
    says = {
        IncidentState.OPEN: PublicState.INVESTIGATING,
        IncidentState.ACKNOWLEDGED: PublicState.INVESTIGATING,
        IncidentState.CONTAINED: found,
        IncidentState.VERIFIED: PublicState.MONITORING,
    }.get(state, PublicState.RESOLVED)
    order = list(PublicState)
    is_known = before in order and says is not PublicState.RESOLVED
    return max(says, PublicState(before), key=order.index) if is_known else says


@dataclass(frozen=True, kw_only=True)
class Cadence:
    first: timedelta = timedelta(minutes=5)
    between: timedelta = timedelta(minutes=20)


# Before the first word would be late, the house says by itself that it looks into it.
HEAD_START = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Said:
    """The last public word. next_at: when the next one was promised."""

    state: str
    at: datetime
    next_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Due:
    at: datetime
    is_first: bool
    is_last: bool

    def is_late(self, now: datetime) -> bool:
        return now > self.at


def next_word(
    *,
    opened_at: datetime,
    resolved_at: datetime | None,
    takes_away: bool,
    said: Said | None,
    cadence: Cadence,
) -> Due | None:
    """When the public has to hear of it next. None: never, or not again."""
    if said is None:
        if not takes_away or resolved_at is not None:
            return None
        return Due(at=opened_at + cadence.first, is_first=True, is_last=False)
    if said.state == PublicState.RESOLVED:
        return None
    at = said.at + cadence.between
    if said.next_at is not None:
        at = min(at, said.next_at)
    if resolved_at is not None:
        at = min(at, resolved_at + cadence.first)
    return Due(at=at, is_first=False, is_last=resolved_at is not None)


def speaks_by_itself_at(opened_at: datetime, cadence: Cadence) -> datetime:
    return opened_at + max(cadence.first - HEAD_START, timedelta())
