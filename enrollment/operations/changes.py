"""What happened to lessons, written beside every change of one, in the same transaction."""

from collections.abc import Iterable
from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import Lesson, LessonChange, Teacher, User
from enrollment.operations import look_again

What = LessonChange.What


def record(
    *,
    lesson: Lesson,
    what: str,
    by: User | None,
    now: datetime,
    before: DateTimeTZRange | None = None,
    teacher_before: Teacher | None = None,
    reason: str = "",
) -> LessonChange:
    """by: None, when a rule did it and no person. before, teacher_before: from where it was moved.

    Whatever happens to a lesson may begin or end a conflict, so these are looked for again.
    """
    look_again.after_commit()
    return LessonChange.objects.create(
        lesson=lesson,
        what=what,
        at=now,
        by=by,
        period_before=before,
        teacher_before=teacher_before,
        reason=reason,
    )


def record_all(
    *, lessons: Iterable[Lesson], what: str, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Many that were booked or cancelled at once."""
    look_again.after_commit()
    LessonChange.objects.bulk_create(
        LessonChange(lesson=lesson, what=what, at=now, by=by, reason=reason) for lesson in lessons
    )
