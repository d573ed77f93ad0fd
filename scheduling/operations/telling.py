"""The other side is told in the thread of the enrollment, in words of the school's.

What the office does it tells by itself: it belongs to no thread.
"""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from enrollment.models import Enrollment, Lesson, User
from enrollment.operations.lessons import describe
from enrollment.operations.messages import tell_what_was_done
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
