"""A chosen slot as text, the way drafts and forms carry it: the start, ISO 8601, UTC. Pure."""

from datetime import UTC, datetime


def as_text(start: datetime) -> str:
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime | None:
    """None for what is no instant: nonsense, or a clock without a zone."""
    try:
        start = datetime.fromisoformat(text)
        return start.astimezone(UTC) if start.tzinfo else None
    except (ValueError, OverflowError):
        return None
