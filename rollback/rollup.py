"""Old samples become fewer: ten seconds for two days, minutes for thirty, hours for a year.

Each step is one statement that takes rows away and adds their sums elsewhere, so it can be run twice,
beside writers and beside itself, and no count is lost or doubled.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

# Two at once would wait for each other's rows in turn.
ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtext('rollback.rollup'))"
ROLL_UP = """
    WITH taken AS (
        DELETE FROM rollback_sample WHERE seconds = %(fine)s AND begins_at < %(before)s
        RETURNING metric, feature, is_on, begins_at, total, bad
    )
    INSERT INTO rollback_sample AS t (metric, feature, is_on, begins_at, seconds, total, bad)
    SELECT metric, feature, is_on,
           date_bin(%(coarse)s * interval '1 s', begins_at, '2000-01-01+00'),
           %(coarse)s, sum(total), sum(bad)
      FROM taken
     GROUP BY 1, 2, 3, 4
     ORDER BY 1, 2, 3, 4
    ON CONFLICT ON CONSTRAINT sample_once DO UPDATE
       SET total = t.total + excluded.total, bad = t.bad + excluded.bad
"""
FORGET = "DELETE FROM rollback_sample WHERE seconds = 3600 AND begins_at < %s"

TEN, MINUTE, HOUR = 10, 60, 3600
FINE = timedelta(days=2)
BY_MINUTE = timedelta(days=30)
KEPT = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class RolledUp:
    """How many rows there are of each length that were not there before, or were added to; and how
    many of the oldest are gone."""

    minutes: int = 0
    hours: int = 0
    deleted: int = 0


@transaction.atomic
def roll_up(*, now: datetime) -> RolledUp:
    """Nothing is done where another does it just now."""
    # Whole hours, so that no bar of a drawing is half of one kind and half of the other.
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME)
        if not cursor.fetchone()[0]:
            return RolledUp()
        cursor.execute(ROLL_UP, {"fine": TEN, "coarse": MINUTE, "before": hour - FINE})
        minutes = cursor.rowcount
        cursor.execute(ROLL_UP, {"fine": MINUTE, "coarse": HOUR, "before": hour - BY_MINUTE})
        hours = cursor.rowcount
        cursor.execute(FORGET, [now - KEPT])
        return RolledUp(minutes=minutes, hours=hours, deleted=cursor.rowcount)
