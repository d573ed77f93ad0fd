"""Who teaches whom: the teacher of the enrollment, and whoever gives or gave one of its lessons.

A lesson that was cancelled, or is only held, gives nobody a look at a student's course.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from enrollment.domain.states import LessonStatus
from enrollment.models import Enrollment, Lesson, Teacher

TEACHES = (LessonStatus.PLANNED, LessonStatus.DONE)


def taught_by(teacher: Teacher) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(pk__in=taught_ids(teacher__pk=teacher.pk))


def taught_ids(**who: Any) -> QuerySet[Any, Any]:
    """who: the teacher, seen from an enrollment or a lesson. A union, so that each half has an index."""
    own = Enrollment.objects.filter(**who).order_by().values("pk")
    lessons = Lesson.objects.filter(**who, status__in=TEACHES, enrollment__isnull=False)
    return own.union(lessons.order_by().values("enrollment"))


def teachers_of(enrollment: Enrollment) -> QuerySet[Teacher]:
    lessons = Lesson.objects.filter(
        enrollment=enrollment, teacher=OuterRef("pk"), status__in=TEACHES
    )
    return Teacher.objects.filter(Q(pk=enrollment.teacher_id) | Q(Exists(lessons))).select_related(
        "user"
    )


def teacher_names(enrollments: Iterable[Enrollment]) -> dict[int, list[str]]:
    """By enrollment, its own teacher first; all of a page in one query."""
    listed = list(enrollments)
    names = {one.pk: [one.teacher.display_name] if one.teacher else [] for one in listed}
    lessons = Lesson.objects.filter(enrollment__in=listed, status__in=TEACHES)
    pairs = lessons.values_list("enrollment", "teacher__display_name").distinct().order_by()
    for enrollment, name in sorted(pairs):
        if name not in names[enrollment]:
            names[enrollment].append(name)
    return names
