"""Which of several booking policies counts, line by line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from enrollment.models import Course, Teacher
from scheduling.domain.policy import NAMES, UNSAID, Policy, merged
from scheduling.models import BookingPolicy


@dataclass(frozen=True, kw_only=True)
class Line:
    """source: the policy that says so; None where none does and the usual counts."""

    name: str
    label: str
    value: Any
    source: BookingPolicy | None

    @property
    def words(self) -> str:
        """0 means something else in each of them."""
        if self.name == "automatic_moves":
            return _("yes") if self.value else _("no")
        if self.name == "step_minutes" and not self.value:
            return _("the lesson's length")
        if self.name in ("most_a_day", "most_a_week") and not self.value:
            return _("no limit")
        return str(self.value)


def explained(*, teacher: Teacher, course: Course) -> list[Line]:
    """What counts now for this teacher and course, as `availability` takes it."""
    usual = Policy(lesson_minutes=course.lesson_minutes)
    nearest = _nearest_first(teacher, course)
    return [_line(name, nearest, getattr(usual, name)) for name in NAMES]


def policies_of(pairs: Collection[tuple[int, Course]]) -> dict[tuple[int, int], Policy]:
    """By the ids of teacher and course; one query for however many. pairs: teacher's id and course."""
    said = BookingPolicy.objects.filter(
        Q(teacher__isnull=True) | Q(teacher__in={teacher for teacher, _course in pairs}),
        Q(course__isnull=True) | Q(course__in={course.pk for _teacher, course in pairs}),
    ).values_list("teacher_id", "course_id", *NAMES)
    farthest_first = sorted(said, key=lambda row: (row[0] is not None, row[1] is not None))
    return {
        (teacher, course.pk): merged(
            Policy(lesson_minutes=course.lesson_minutes),
            (
                tuple(UNSAID if value is None else int(value) for value in row[2:])
                for row in farthest_first
                if row[0] in (None, teacher) and row[1] in (None, course.pk)
            ),
        )
        for teacher, course in pairs
    }


def _nearest_first(teacher: Teacher, course: Course) -> list[BookingPolicy]:
    rows = BookingPolicy.objects.filter(
        Q(teacher__isnull=True) | Q(teacher=teacher), Q(course__isnull=True) | Q(course=course)
    ).select_related("teacher", "course")
    return sorted(rows, key=lambda row: (row.teacher_id is None, row.course_id is None))


def _line(name: str, nearest: Sequence[BookingPolicy], usual: Any) -> Line:
    label = str(BookingPolicy._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    for row in nearest:
        if (value := getattr(row, name)) is not None:
            return Line(name=name, label=label, value=value, source=row)
    return Line(name=name, label=label, value=usual, source=None)
