"""Whose lessons somebody may see, for programs."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields.ranges import RangeStartsWith
from django.db.models import Q, QuerySet

from enrollment.models import Lesson

SEES_ALL = "enrollment.view_lesson"


def lessons_for(*, user: Any) -> QuerySet[Lesson]:
    """One's own, taken or given; the office sees everybody's. Holds are no lessons.

    Each with `starts`, its beginning as a column of its own.
    """
    lessons = (
        Lesson.objects.exclude(status=Lesson.Status.HELD)
        .select_related("course", "teacher", "student__user")
        .annotate(starts=RangeStartsWith("period"))
    )
    if user.has_perm(SEES_ALL):
        return lessons
    return lessons.filter(Q(student__user=user) | Q(teacher__user=user))


def between(
    lessons: QuerySet[Lesson], *, since: datetime | None, until: datetime | None
) -> QuerySet[Lesson]:
    """Those that begin in [since, until)."""
    if since is not None:
        lessons = lessons.filter(period__startswith__gte=since)
    if until is not None:
        lessons = lessons.filter(period__startswith__lt=until)
    return lessons
