"""The same questions as one SQL statement, prepared, without Django: what the database alone needs.

It knows all that decides about a slot for nobody in particular: weekly hours and the dates that
differ, time off, closed days, lessons and holds with their buffers. For this data most of that is
empty, for ours as well.
"""

from datetime import timedelta
from typing import Any

import psycopg

from tests.bench.workloads import GAP_MINUTES, LESSON_MINUTES, MINUTE, ZONE, Answer, Workload

WINDOWS = """
    SELECT d.teacher, tstzrange((d.day + d.starts) AT TIME ZONE %(zone)s,
                                (d.day + d.ends + d.more) AT TIME ZONE %(zone)s) AS open
      FROM (
        SELECT r.teacher_id AS teacher, day, r.starts, r.ends,
               CASE WHEN r.ends_next_day OR r.ends = '00:00' THEN interval '1 day'
                    ELSE interval '0' END AS more
          FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, '1 day') AS day
          JOIN scheduling_availabilityrule r ON r.weekday = extract(isodow FROM day)::int - 1
           AND (r.valid_from IS NULL OR r.valid_from <= day)
           AND (r.valid_until IS NULL OR r.valid_until >= day)
           AND (r.every_weeks = 1 OR
                (day::date - (r.valid_from - extract(isodow FROM r.valid_from)::int + 1)) / 7
                %% r.every_weeks = 0)
         WHERE r.teacher_id = ANY(%(teachers)s::bigint[])
           AND NOT EXISTS (SELECT FROM scheduling_availabilityexception e
                            WHERE e.teacher_id = r.teacher_id AND e.day_on = day::date
                              AND e.kind = 'replace')
        UNION ALL
        SELECT e.teacher_id, e.day_on::timestamp, e.starts, e.ends,
               CASE WHEN e.ends_next_day OR e.ends = '00:00' THEN interval '1 day'
                    ELSE interval '0' END
          FROM scheduling_availabilityexception e
         WHERE e.teacher_id = ANY(%(teachers)s::bigint[]) AND e.starts IS NOT NULL
           AND e.day_on BETWEEN %(first)s::date AND %(last)s::date
      ) d
"""
# The new lesson's own buffers are kept free as well: what is taken grows by them.
TAKEN = """
    SELECT teacher_id,
           tstzrange(lower(busy) - %(after)s::interval, upper(busy) + %(before)s::interval) AS taken
      FROM enrollment_lesson
     WHERE teacher_id = ANY(%(teachers)s::bigint[])
       AND busy && tstzrange(to_timestamp(%(since)s::bigint) - %(before)s::interval,
                             to_timestamp(%(until)s::bigint) + %(after)s::interval)
       AND status <> 'cancelled' AND (status <> 'held' OR expires_at > now())
    UNION ALL
    SELECT teacher_id, period FROM scheduling_timeoff
     WHERE teacher_id = ANY(%(teachers)s::bigint[])
       AND period && tstzrange(to_timestamp(%(since)s::bigint), to_timestamp(%(until)s::bigint))
    UNION ALL
    SELECT teacher, tstzrange(first_on::timestamp AT TIME ZONE %(zone)s,
                              (last_on + 1)::timestamp AT TIME ZONE %(zone)s)
      FROM holidays_holiday, unnest(%(teachers)s::bigint[]) teacher
     WHERE first_on <= %(last)s::date AND last_on >= %(first)s::date
"""
# From each free piece of a window the points of the window's grid at which a lesson still fits; in
# whole seconds, which cost the database a third of what intervals do.
STARTS = f"""
      WITH taken AS MATERIALIZED (
           SELECT teacher_id, range_agg(taken) AS all FROM ({TAKEN}) one GROUP BY teacher_id)
    SELECT w.teacher, start
      FROM ({WINDOWS}) w
      LEFT JOIN taken ON taken.teacher_id = w.teacher
     CROSS JOIN LATERAL date_part('epoch', lower(w.open)) AS opens
     CROSS JOIN LATERAL unnest(
             tstzmultirange(w.open) - coalesce(taken.all, tstzmultirange())) AS piece
     CROSS JOIN LATERAL generate_series(
             (opens + %(step)s::bigint
                      * ceil((date_part('epoch', lower(piece)) - opens) / %(step)s::bigint))::bigint,
             (date_part('epoch', upper(piece)) - %(length)s::bigint)::bigint, %(step)s::bigint) AS start
     WHERE start >= %(since)s::bigint AND start < %(until)s::bigint
     ORDER BY w.teacher, start
"""

OPTIONS = "-c jit=off -c max_parallel_workers_per_gather=0 -c plan_cache_mode=force_generic_plan"


class Bare:
    """A connection with the settings of ours, and nothing in between. Workers that run in parallel
    are more than these questions are worth (to begin them takes 6 ms), and so is a plan of its own
    for each execution (half a millisecond).
    """

    def __init__(self, address: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(
            address, autocommit=True, options=OPTIONS, prepare_threshold=1
        )

    def close(self) -> None:
        self._connection.close()

    def starts(self, asked: Workload, teachers: list[int]) -> list[tuple[int, int]]:
        return self._connection.execute(STARTS, parameters(asked, teachers)).fetchall()


def answer(rows: list[tuple[int, int]], teachers: list[int]) -> Answer:
    found: dict[int, list[int]] = {teacher: [] for teacher in teachers}
    for teacher, start in rows:
        found[teacher].append(start)
    return list(found.values())


def parameters(asked: Workload, teachers: list[int]) -> dict[str, Any]:
    return {
        "teachers": teachers,
        "zone": ZONE,
        "first": asked.first_day - timedelta(days=1),
        "last": asked.dates[-1],
        "since": int(asked.since.timestamp()),
        "until": int(asked.until.timestamp()),
        "step": asked.step_minutes * MINUTE,
        "length": LESSON_MINUTES * MINUTE,
        "before": timedelta(0),
        "after": timedelta(minutes=GAP_MINUTES),
    }
