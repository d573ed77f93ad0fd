"""What state an incident is in, from what has happened. Pure; drawn in docs/reference/states.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class IncidentState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONTAINED = "contained"
    VERIFIED = "verified"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"


# A machine may contain and verify before any person has acknowledged; a person may resolve at any time.
_EARLY = {
    IncidentState.ACKNOWLEDGED,
    IncidentState.CONTAINED,
    IncidentState.VERIFIED,
    IncidentState.RESOLVED,
}
INCIDENT_STEPS: Mapping[str, frozenset[str]] = {
    IncidentState.OPEN: frozenset(_EARLY),
    IncidentState.ACKNOWLEDGED: frozenset(_EARLY - {IncidentState.ACKNOWLEDGED}),
    IncidentState.CONTAINED: frozenset({IncidentState.VERIFIED, IncidentState.RESOLVED}),
    IncidentState.VERIFIED: frozenset({IncidentState.RESOLVED}),
    IncidentState.RESOLVED: frozenset({IncidentState.REVIEWED}),
    IncidentState.REVIEWED: frozenset(),
}


def state_of(
    *,
    acknowledged_at: datetime | None,
    contained_at: datetime | None,
    verified_at: datetime | None,
    resolved_at: datetime | None,
    reviewed_at: datetime | None,
) -> IncidentState:
    """The furthest that was reached."""
    reached = (
        (reviewed_at, IncidentState.REVIEWED),
        (resolved_at, IncidentState.RESOLVED),
        (verified_at, IncidentState.VERIFIED),
        (contained_at, IncidentState.CONTAINED),
        (acknowledged_at, IncidentState.ACKNOWLEDGED),
    )
    return next((state for at, state in reached if at is not None), IncidentState.OPEN)


# The recovery time objective: from the first bad sample to the passed verification.
RTO = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """took: until it was verified; else until it was resolved, else until now."""

    took: timedelta
    is_running: bool
    is_verified: bool

    @property
    def is_over(self) -> bool:
        return self.took > RTO


def recovery(
    *,
    first_bad_at: datetime | None,
    opened_at: datetime,
    verified_at: datetime | None,
    resolved_at: datetime | None,
    now: datetime,
) -> Recovery:
    """Where no sample is known to have been the first bad one, it counts from the opening."""
    end = verified_at or resolved_at
    return Recovery(
        took=max((end or now) - (first_bad_at or opened_at), timedelta()),
        is_running=end is None,
        is_verified=verified_at is not None,
    )
