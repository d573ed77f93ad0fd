"""Ticking units off, and taking a tick back."""

from datetime import datetime

from django.db import transaction

from enrollment.domain.progress import check_keeps_progress
from enrollment.models import CourseUnit, Enrollment, Lesson, UnitDone, User


class NotOfThisCourse(Exception):
    """The unit is of another course, or the lesson of another enrollment."""


@transaction.atomic
def tick(
    *,
    enrollment: Enrollment,
    unit: CourseUnit,
    by: User,
    now: datetime,
    lesson: Lesson | None = None,
) -> bool:
    """Whoever was first stays the one who noted it.

    :returns: False where it was done already.
    :raises CourseGivenUp:
    :raises NotOfThisCourse:
    """
    locked = _check(enrollment, unit)
    if lesson is not None and lesson.enrollment_id != locked.pk:
        raise NotOfThisCourse
    _done, new = UnitDone.objects.get_or_create(
        enrollment=locked, unit=unit, defaults={"by": by, "done_at": now, "lesson": lesson}
    )
    return new


@transaction.atomic
def take_back(*, enrollment: Enrollment, unit: CourseUnit) -> bool:
    """:returns: False where there was nothing to take back.
    :raises CourseGivenUp:
    :raises NotOfThisCourse:
    """
    locked = _check(enrollment, unit)
    deleted, _by_model = UnitDone.objects.filter(enrollment=locked, unit=unit).delete()
    return bool(deleted)


def _check(enrollment: Enrollment, unit: CourseUnit) -> Enrollment:
    """As it is now, not as the page showed it: the office may have cancelled it meanwhile."""
    locked = Enrollment.objects.select_for_update(no_key=True).get(pk=enrollment.pk)
    check_keeps_progress(locked.status)
    if unit.course_id != locked.course_id:
        raise NotOfThisCourse
    return locked
