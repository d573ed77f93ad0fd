"""What the log leaves out."""

from structlog.typing import EventDict

from rollback.domain.errors import without_details


def without_rows(_logger: object, _method: str, event: EventDict) -> EventDict:
    """PostgreSQL quotes whole rows in its errors, and a traceback quotes PostgreSQL."""
    if isinstance(told := event.get("exception"), str):
        event["exception"] = "\n".join(without_details(told.splitlines()))
    return event
