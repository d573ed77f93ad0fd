"""A chosen slot as text, the way drafts and forms carry it: the start, ISO 8601, UTC. Pure."""

from datetime import UTC, datetime

# The same as for programs. Weeks are reckoned from it, in every zone, and must not leave the calendar.
FIRST_YEAR, LAST_YEAR = 2000, 2100


def as_text(start: datetime) -> str:
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime | None:
    """None for what is no instant anybody means: nonsense, a clock without a zone, the year 9999."""
    try:
        start = datetime.fromisoformat(text)
        known = start.astimezone(UTC) if start.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return known if known and FIRST_YEAR <= known.year <= LAST_YEAR else None
