"""How far a student has come: the course's units beside those that are done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet, prefetch_related_objects

from enrollment.models import CourseUnit, Enrollment, Lesson, Teacher, UnitDone
from enrollment.queries.teaching import TEACHES, taught_by

# In which a tick was earned: more than these nobody looks through.
LESSONS_TO_CHOOSE = 6


@dataclass(frozen=True, kw_only=True)
class Step:
    """done None: still to come."""

    unit: CourseUnit
    done: UnitDone | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    steps: Sequence[Step]

    @property
    def done(self) -> int:
        return sum(step.done is not None for step in self.steps)

    @property
    def all(self) -> int:
        return len(self.steps)


def progress_of(enrollment: Enrollment) -> Progress:
    """Two queries, or none where `with_progress` has fetched what it needs."""
    prefetch_related_objects([enrollment], *_needed())
    done = {one.unit_id: one for one in enrollment.units_done.all()}
    units = enrollment.course.units.all()
    return Progress(steps=[Step(unit=unit, done=done.get(unit.pk)) for unit in units])


def with_progress(enrollments: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    return enrollments.prefetch_related(*_needed())


def _needed() -> tuple[Any, ...]:
    done = UnitDone.objects.select_related("unit", "by", "lesson")
    return "course__units", Prefetch("units_done", queryset=done)


def students_of_teacher(teacher: Teacher, *, over: bool) -> QuerySet[Enrollment]:
    """By name, each with `units_all` and `units_ticked`. over: those whose course has ended."""
    live = Q(status__in=(Enrollment.Status.REQUESTED, Enrollment.Status.CONFIRMED))
    return (
        taught_by(teacher)
        .filter(~live if over else live)
        .select_related("course", "student__user")
        .annotate(
            units_all=Count("course__units", distinct=True),
            units_ticked=Count("units_done", distinct=True),
        )
        .order_by("student__user__last_name", "student__user__first_name", "pk")
    )


def lessons_that_count(enrollment: Enrollment) -> QuerySet[Lesson]:
    """Newest first."""
    return enrollment.lessons.filter(status__in=TEACHES).order_by("-period")


def lessons_to_note(enrollment: Enrollment, *, now: datetime) -> QuerySet[Lesson]:
    """The latest that have begun, and those of the next day: a tick may be early."""
    soon = now + timedelta(days=1)
    return lessons_that_count(enrollment).filter(period__startswith__lte=soon)[:LESSONS_TO_CHOOSE]


def lessons_given(teacher: Teacher, *, since: datetime, until: datetime) -> QuerySet[Lesson]:
    """Those that ended in between, newest first: where ticks are due."""
    return (
        Lesson.objects.filter(
            teacher=teacher,
            status__in=TEACHES,
            enrollment__isnull=False,
            period__endswith__gt=since,
            period__endswith__lte=until,
        )
        .select_related("course", "student__user")
        .order_by("-period")
    )
