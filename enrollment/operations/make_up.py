"""Lessons that the school owes: granted for one it has cancelled, used up by one that makes up for it."""

from datetime import datetime

from django.db import transaction

from enrollment.models import Enrollment, Lesson, MakeUpCredit, User
from enrollment.queries.make_up import may_make_up, open_credits


class NoCredit(Exception):
    """This enrollment has no make-up credit that is still open."""


class DoesNotMakeUp(Exception):
    """The lesson is another enrollment's, is cancelled, or makes up for another one already."""


def grant(*, lesson: Lesson, by: User, now: datetime, note: str = "") -> MakeUpCredit | None:
    """One for a lesson, however often. None: it belongs to no enrollment."""
    if lesson.enrollment_id is None:
        return None
    minutes = int((lesson.ends_at - lesson.starts_at).total_seconds()) // 60
    credit, _made = MakeUpCredit.objects.get_or_create(
        lesson=lesson,
        defaults={
            "enrollment_id": lesson.enrollment_id,
            "minutes": max(1, minutes),
            "granted_at": now,
            "granted_by": by,
            "note": note,
        },
    )
    return credit


def use_oldest(*, enrollment: Enrollment, lesson: Lesson, now: datetime) -> MakeUpCredit:
    """By who holds the enrollment's lock.

    :raises NoCredit:
    """
    credit = open_credits(enrollment).first()
    if credit is None:
        raise NoCredit
    _use(credit, lesson, now=now)
    return credit


@transaction.atomic
def use(*, credit: MakeUpCredit, lesson: Lesson | None, note: str, now: datetime) -> None:
    """Chosen by the office. lesson: None takes it back.

    :raises DoesNotMakeUp:
    """
    Enrollment.objects.select_for_update(no_key=True).get(pk=credit.enrollment_id)
    locked = MakeUpCredit.objects.get(pk=credit.pk)
    if lesson is not None and not may_make_up(locked).filter(pk=lesson.pk).exists():
        raise DoesNotMakeUp
    locked.note = note
    if lesson is None or lesson.pk != locked.used_lesson_id:
        locked.used_lesson, locked.used_at = lesson, now if lesson else None
    locked.save(update_fields=["note", "used_lesson", "used_at"])


def _use(credit: MakeUpCredit, lesson: Lesson, *, now: datetime) -> None:
    credit.used_lesson, credit.used_at = lesson, now
    credit.save(update_fields=["used_lesson", "used_at"])
