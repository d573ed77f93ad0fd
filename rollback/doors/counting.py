"""Who was turned away, by day. Counting must never be the reason a page fails."""

from datetime import UTC, datetime

import structlog
from django.db import DatabaseError, connection, transaction

log = structlog.get_logger(__name__)


def turned_away(*, feature: str, door: str, now: datetime) -> None:
    """door: "page", "api", "admin" or "task"."""
    log.info("door.turned_away", feature=feature, door=door)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO rollback_doorcount AS c (feature, door, on_date, turned_away)
                VALUES (%s, %s, %s, 1)
                ON CONFLICT ON CONSTRAINT door_count_once
                DO UPDATE SET turned_away = c.turned_away + 1
                """,
                [feature, door, now.astimezone(UTC).date()],
            )
    except DatabaseError as error:
        log.warning("door.not_counted", feature=feature, door=door, error=str(error))
