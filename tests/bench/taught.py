"""Our side of the workloads: the school filled, and asked."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connections
from django.test.utils import CaptureQueriesContext

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.queries.availability import free_slots
from scheduling.queries.many import who_is_free
from tests.bench import schools
from tests.bench.figures import TRANSACTION
from tests.bench.workloads import (
    CLOSES,
    GAP_MINUTES,
    LESSON_MINUTES,
    OPENS,
    WORKDAYS,
    ZONE,
    Answer,
    Workload,
)

BATCH = 2_000


@dataclass(frozen=True, kw_only=True)
class Taught:
    course: Course
    teachers: list[Teacher]


def seconds(asked: Workload, taught: Taught, times: int) -> tuple[list[float], Answer]:
    taken = []
    answer: list[list[tuple[int, int]]] = []
    for _ in range(times):
        start = time.perf_counter()
        answer = _free(asked, taught)
        taken.append(time.perf_counter() - start)
    return taken, [[start for start, _end in slots] for slots in answer]


def _free(asked: Workload, taught: Taught) -> list[list[tuple[int, int]]]:
    """As our pages and the API ask: for one teacher the one function, for several the other."""
    now, since, until = datetime.now(UTC), asked.since, asked.until
    course, teachers = taught.course, taught.teachers
    if len(teachers) == 1:
        return [free_slots(teacher=teachers[0], course=course, now=now, since=since, until=until)]
    found = who_is_free(course=course, teachers=teachers, now=now, since=since, until=until)
    return [found[teacher.pk] for teacher in teachers]


def queries(asked: Workload, taught: Taught) -> int:
    """Those that ask something: to begin and end a transaction is not counted."""
    with CaptureQueriesContext(connections["default"]) as captured:
        _free(asked, taught)
    return sum(not query["sql"].startswith(TRANSACTION) for query in captured)


def filled(asked: Workload) -> Taught:
    course = Course.objects.create(
        title=f"Violin {asked.name}", slug=f"violin-{asked.name}", lesson_minutes=LESSON_MINUTES
    )
    BookingPolicy.objects.create(
        course=course,
        step_minutes=asked.step_minutes,
        buffer_after=GAP_MINUTES,
        horizon_days=asked.days + 14,
    )
    teachers, students = _people(asked, course)
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(teacher=teacher, weekday=day, starts=OPENS, ends=CLOSES)
        for teacher in teachers
        for day in WORKDAYS
    )
    lessons = [
        _lesson(course, teacher, student, datetime.fromtimestamp(start, UTC))
        for teacher, student, starts in zip(teachers, students, asked.lessons, strict=True)
        for start in starts
    ]
    Lesson.objects.bulk_create(lessons, batch_size=BATCH)
    return Taught(course=course, teachers=teachers)


def _people(asked: Workload, course: Course) -> tuple[list[Teacher], list[Student]]:
    count = len(asked.lessons)
    return schools.people(course, teachers=count, students=count, zone=ZONE)


def _lesson(course: Course, teacher: Teacher, student: Student, start: datetime) -> Lesson:
    return Lesson(
        course=course,
        teacher=teacher,
        student=student,
        period=(start, start + timedelta(minutes=LESSON_MINUTES)),
        local_on=start.date(),
        local_start=start.time(),
        zone="UTC",
        buffer_after=GAP_MINUTES,
    )
