"""One teacher's free slots of four weeks, in a school of 200 teachers and in one of 2,000."""

import time
from collections.abc import Iterator
from datetime import time as wall_clock

from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollment.models import Course, Teacher
from rollback import switchboard
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import free_slots
from tests.bench import schools
from tests.bench.figures import TRANSACTION, Row, median, ratio_at_most, span

SMALL, LARGE = 200, 2_000
LESSONS = 20  # of each teacher, in the four weeks
ROUNDS = 300
WARM_UP = 20
FIRST_HOUR, LAST_HOUR = wall_clock(8), wall_clock(18)

# Every teacher has the same days: one lesson a weekday, at 10 o'clock UTC, with a student of their
# own. Written in SQL because the check of 40,000 lessons one by one would take minutes.
WRITE_LESSONS = """
    INSERT INTO enrollment_lesson
           (course_id, teacher_id, student_id, period, local_on, local_start, zone, status)
    SELECT %(course)s, t.id, s.id, tstzrange(day + '10 h', day + '11 h'), day::date, '10:00',
           'UTC', 'planned'
      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM enrollment_teacher) t
      JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM enrollment_student) s USING (n)
     CROSS JOIN (SELECT day
                   FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
                                        + interval '1 day', now() + interval '28 days',
                                        interval '1 day') AS day
                  WHERE extract(isodow FROM day AT TIME ZONE 'UTC') < 6
                  LIMIT %(lessons)s) days
"""


def database_names() -> tuple[str, ...]:
    return tuple(_name(teachers) for teachers in (SMALL, LARGE))


def _name(teachers: int) -> str:
    return f"slots_{teachers}"


def rows() -> Iterator[Row]:
    filled = {teachers: _filled(teachers) for teachers in (SMALL, LARGE)}
    taken: dict[int, list[float]] = {teachers: [] for teachers in filled}
    for number in range(WARM_UP + ROUNDS):
        for teachers, (teacher, course) in filled.items():
            with schools.inside(_name(teachers)):
                start = time.perf_counter()
                found = free_slots(teacher=teacher, course=course, now=timezone.now())
                if number >= WARM_UP:
                    taken[teachers].append(time.perf_counter() - start)
            assert found
    small, large = median(taken[SMALL]), median(taken[LARGE])
    yield ratio_at_most(
        f"free slots of one teacher, four weeks, {LARGE:,} teachers",
        large / small,
        1.5,
        ours=span(large),
        beside=f"{SMALL} teachers {span(small)}",
    )
    yield Row(what="  its queries", ours=_queries(*filled[LARGE]))
    switchboard.board.stop()


def _queries(teacher: Teacher, course: Course) -> str:
    with schools.inside(_name(LARGE)), CaptureQueriesContext(connections["default"]) as captured:
        free_slots(teacher=teacher, course=course, now=timezone.now())
    around = sum(query["sql"].startswith(TRANSACTION) for query in captured)
    return f"{len(captured) - around}, and {around} to begin and end a transaction"


def _filled(teachers: int) -> tuple[Teacher, Course]:
    """:returns: a teacher from the middle, and their course."""
    with schools.inside(_name(teachers)):
        course = Course.objects.create(title="Violin", slug="violin", lesson_minutes=45)
        made, _students = schools.people(
            course, teachers=teachers, students=teachers, zone="Europe/Berlin"
        )
        AvailabilityRule.objects.bulk_create(
            AvailabilityRule(teacher=teacher, weekday=day, starts=FIRST_HOUR, ends=LAST_HOUR)
            for teacher in made
            for day in range(5)
        )
        with connection.cursor() as cursor:
            cursor.execute(WRITE_LESSONS, {"course": course.pk, "lessons": LESSONS})
            cursor.execute("ANALYZE")
        return made[teachers // 2], course
