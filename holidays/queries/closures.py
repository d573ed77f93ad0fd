"""The one question about closed days: slots, calendars, feeds and detectors all ask it."""

from collections.abc import Collection
from datetime import date

from django.db import connection
from django.utils import translation

from holidays.domain.closures import Closure

# In SQL: every question about free slots asks this one, too, and to build a queryset costs more
# than the answer. A region counts for who lives there, and for who lives in a part of it; who has
# none lives where the school is. NULL is everybody.
STATEMENT = """
SELECT h.id, coalesce(nullif(h.names ->> %(language)s, ''), h.name), h.note, h.kind,
       h.first_on, h.last_on,
       coalesce(extract(epoch FROM h.starts)::int, 0), coalesce(extract(epoch FROM h.ends)::int, 86400),
       h.as_weekday,
       CASE h.scope
         WHEN 'teachers' THEN ARRAY(
           SELECT teacher_id FROM holidays_holiday_teachers WHERE holiday_id = h.id)
         WHEN 'region' THEN ARRAY(
           SELECT t.id FROM enrollment_teacher t
             LEFT JOIN holidays_teacherregion own ON own.teacher_id = t.id
             JOIN holidays_region lives ON CASE WHEN own.id IS NULL THEN lives.is_school
                                                ELSE lives.id = own.region_id END
            WHERE lives.country = r.country AND r.subdivision IN ('', lives.subdivision)
              AND (%(teachers)s::bigint[] IS NULL OR t.id = ANY(%(teachers)s::bigint[])))
       END,
       CASE h.scope
         WHEN 'courses' THEN ARRAY(
           SELECT course_id FROM holidays_holiday_courses WHERE holiday_id = h.id)
       END
  FROM holidays_holiday h
  LEFT JOIN holidays_region r ON r.id = h.region_id
 WHERE h.first_on <= %(last)s AND h.last_on >= %(first)s
 ORDER BY h.first_on, h.last_on, h.name, h.id
"""


def closures(*, first: date, last: date, teachers: Collection[int] | None = None) -> list[Closure]:
    """Those with at least one day from `first` to `last`, both counted, by their first day. One query.

    teachers: whose regions are looked up; None is everybody's. It leaves no closure out.
    """
    asked = {
        "first": first,
        "last": last,
        "teachers": None if teachers is None else list(teachers),
        "language": translation.get_language() or "",
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, asked)
        return [_closure(*row) for row in cursor.fetchall()]


def _closure(
    key: int,
    name: str,
    note: str,
    kind: str,
    first_on: date,
    last_on: date,
    starts: int,
    ends: int,
    as_weekday: int | None,
    teachers: list[int] | None,
    courses: list[int] | None,
) -> Closure:
    return Closure(
        key=key,
        name=name,
        note=note,
        kind=kind,
        first_on=first_on,
        last_on=last_on,
        starts=starts,
        ends=ends,
        as_weekday=as_weekday,
        teachers=None if teachers is None else frozenset(teachers),
        courses=None if courses is None else frozenset(courses),
    )
