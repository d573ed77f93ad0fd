"""The same questions as one SQL statement, prepared, without Django: what the database alone needs.

It knows all that decides about a slot for nobody in particular: weekly hours and the dates that
differ, time off, closed days, lessons and holds with their buffers. For this data most of that is
empty, for ours as well.
"""

from datetime import timedelta
from typing import Any

import psycopg

from tests.bench.workloads import GAP_MINUTES, LESSON_MINUTES, ZONE, Answer, Workload

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
    SELECT tstzrange(lower(busy) - %(after)s::interval, upper(busy) + %(before)s::interval) AS taken
      FROM enrollment_lesson
     WHERE teacher_id = {teacher} AND busy && tstzrange({since} - %(before)s::interval, {until} + %(after)s::interval)
       AND status <> 'cancelled' AND (status <> 'held' OR expires_at > now())
    UNION ALL
    SELECT period FROM scheduling_timeoff
     WHERE teacher_id = {teacher} AND period && tstzrange({since} - %(before)s::interval, {until} + %(after)s::interval)
    UNION ALL
    SELECT tstzrange(first_on::timestamp AT TIME ZONE %(zone)s,
                     (last_on + 1)::timestamp AT TIME ZONE %(zone)s)
      FROM holidays_holiday
     WHERE first_on <= %(last)s::date AND last_on >= %(first)s::date
"""
# From each free piece of a window the points of the window's grid at which a lesson still fits.
STARTS = """
    SELECT w.teacher, extract(epoch FROM start)::bigint
      FROM ({windows}) w
      {taken}
     CROSS JOIN LATERAL unnest(
             tstzmultirange(w.open) - coalesce(t.taken, tstzmultirange())) AS piece
     CROSS JOIN LATERAL generate_series(
             lower(w.open) + ceil(extract(epoch FROM lower(piece) - lower(w.open))
                                  / extract(epoch FROM %(step)s::interval)) * %(step)s::interval,
             upper(piece) - %(length)s::interval, %(step)s::interval) AS start
     WHERE start >= %(since)s AND start < %(until)s
     ORDER BY w.teacher, start
"""
# What is taken is gathered once for one teacher. For many it is gathered for each window: over the
# whole time first takes half a minute for 200.
ONE_TEACHER = STARTS.format(
    windows=WINDOWS,
    taken="CROSS JOIN (SELECT range_agg(taken) AS taken FROM (%s) x) t"
    % TAKEN.format(teacher="(%(teachers)s::bigint[])[1]", since="%(since)s", until="%(until)s"),
)
MANY_TEACHERS = STARTS.format(
    windows=WINDOWS,
    taken="CROSS JOIN LATERAL (SELECT range_agg(taken) AS taken FROM (%s) x) t"
    % TAKEN.format(teacher="w.teacher", since="lower(w.open)", until="upper(w.open)"),
)


class Bare:
    """A connection with the same settings as ours, and nothing in between."""

    def __init__(self, address: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(
            address, autocommit=True, options="-c jit=off", prepare_threshold=1
        )

    def close(self) -> None:
        self._connection.close()

    def starts(self, asked: Workload, teachers: list[int]) -> list[tuple[int, int]]:
        query = ONE_TEACHER if len(teachers) == 1 else MANY_TEACHERS
        return self._connection.execute(query, parameters(asked, teachers)).fetchall()


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
        "since": asked.since,
        "until": asked.until,
        "step": timedelta(minutes=asked.step_minutes),
        "length": timedelta(minutes=LESSON_MINUTES),
        "before": timedelta(0),
        "after": timedelta(minutes=GAP_MINUTES),
    }
