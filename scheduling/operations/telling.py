"""The other side is told in the thread of the enrollment, in words of the school's.

What the office does it tells by itself: it belongs to no thread.
"""

from collections.abc import Sequence
from datetime import datetime

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from enrollment.models import Enrollment, Lesson, User
from enrollment.operations.invitations import attach
from enrollment.operations.lessons import describe, describe_period
from enrollment.operations.mailing import for_reader
from enrollment.operations.messages import tell_what_was_done
from enrollment.queries.ics import event_of, with_history
from scheduling.operations.acting import Role


def booked(lessons: Sequence[Lesson], *, role: Role, by: User, now: datetime) -> None:
    if not lessons:
        return
    count = len(lessons)
    title = ngettext("A lesson was booked:", "%(count)d lessons were booked:", count)
    lines = [title % {"count": count}, *(_place(lesson) for lesson in lessons)]
    _tell(lessons[0].enrollment, lines, role=role, by=by, now=now)


def moved(
    *, before: Lesson, after: Lesson, role: Role, by: User, reason: str, now: datetime
) -> None:
    lines = [
        _("A lesson was moved."),
        _("Before: %(place)s") % {"place": _place(before)},
        _("Now: %(place)s") % {"place": _place(after)},
        *_because(reason),
    ]
    _tell(after.enrollment, lines, role=role, by=by, now=now)


def cancelled(lesson: Lesson, *, role: Role, by: User, reason: str, now: datetime) -> None:
    lines = [_("A lesson was cancelled:"), _place(lesson), *_because(reason)]
    _tell(lesson.enrollment, lines, role=role, by=by, now=now)


def _place(lesson: Lesson) -> str:
    place = {"when": describe(lesson), "teacher": lesson.teacher}
    return _("%(when)s with %(teacher)s") % place


def _because(reason: str) -> list[str]:
    return [_("Reason: %(reason)s") % {"reason": reason}] if reason else []


def _tell(
    enrollment: Enrollment | None, lines: Sequence[str], *, role: Role, by: User, now: datetime
) -> None:
    if enrollment is not None and role != Role.OFFICE:
        tell_what_was_done(enrollment=enrollment, sender=by, body="\n".join(lines), now=now)


def tell_moved_by_itself(
    *, lesson: Lesson, before: DateTimeTZRange, why: str | Promise, now: datetime
) -> None:
    """Nobody did it, and both are told: the student in the thread, where they can answer their teacher,
    and the teacher, whose name such a message has to bear, by a mail that says so. Each in their own
    language, on their own clock. before: when it was.
    """
    teacher = lesson.teacher.user
    if lesson.enrollment is not None:
        with for_reader(lesson.student.user):
            lines = [
                *_moved_by_itself(lesson, before, why),
                _("If that does not suit you, please answer here."),
            ]
        tell_what_was_done(
            enrollment=lesson.enrollment, sender=teacher, body="\n".join(lines), now=now
        )
    with for_reader(teacher):
        told = _("Your student was told the same in your messages.")
        mail = EmailMessage(
            subject=_("A lesson was moved"),
            body="\n".join([*_moved_by_itself(lesson, before, why), "", told]),
            to=[teacher.email],
        )
    known = with_history(Lesson.objects.filter(pk=lesson.pk)).get()
    attach(mail, [event_of(known, teaches=True)])
    # Robust: the move is written, and stands in the teacher's messages and lessons anyway.
    transaction.on_commit(mail.send, robust=True)


def _moved_by_itself(lesson: Lesson, before: DateTimeTZRange, why: str | Promise) -> list[str]:
    zone = timezone.get_current_timezone_name()
    places = {"before": before, "after": lesson.period}
    said = {name: describe_period(period, zone=zone) for name, period in places.items()}
    school = _("The school has moved a lesson by itself, because it could not stay (%(why)s).")
    return [
        school % {"why": why},
        _("Before: %(place)s") % {"place": said["before"]},
        _("Now: %(place)s") % {"place": said["after"]},
    ]
