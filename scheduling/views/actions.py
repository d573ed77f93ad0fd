"""What the ground floor's pages offer while scheduling is on: book, move and cancel."""

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Enrollment, Lesson, User
from enrollment.queries.people import zone_of
from enrollment.sockets import Actions, Link, OfLesson
from scheduling.queries.deadlines import Deadlines, deadlines_of
from scheduling.refusals import short


def actions_for(
    *,
    user: User,
    lessons: Sequence[Lesson],
    now: datetime,
    enrollment: Enrollment | None = None,
) -> Actions:
    coming = [one for one in lessons if _can_change(one, now)]
    zone = zone_of(user)
    return Actions(
        links=_of_enrollment(enrollment) if enrollment else (),
        lessons={
            lesson.pk: _of_lesson(lesson, deadlines, zone=zone, now=now)
            for lesson, deadlines in deadlines_of(coming)
        },
    )


def _can_change(lesson: Lesson, now: datetime) -> bool:
    return lesson.status == LessonStatus.PLANNED and lesson.starts_at > now


def _of_enrollment(enrollment: Enrollment) -> tuple[Link, ...]:
    if enrollment.status not in LIVE_ENROLLMENT:
        return ()
    return (Link(label=_("Book a lesson"), url=reverse("scheduling:book", args=[enrollment.pk])),)


def _of_lesson(lesson: Lesson, until: Deadlines, *, zone: str, now: datetime) -> OfLesson:
    links = []
    if now <= until.move:
        url = reverse("scheduling:move_lesson", args=[lesson.pk])
        links.append(Link(label=_("Move"), url=url))
    if now <= until.cancel:
        url = reverse("scheduling:cancel_lesson", args=[lesson.pk])
        links.append(Link(label=pgettext("lesson", "Cancel"), url=url))
    return OfLesson(links=tuple(links), note=until_when(until, zone=zone, now=now))


def until_when(until: Deadlines, *, zone: str, now: datetime) -> str:
    """Beside the buttons; a sentence where one of them is missing."""
    move, cancel = ({"when": short(one, zone)} for one in until)
    if until.move == until.cancel:
        if now > until.move:
            return _("Could be moved or cancelled until %(when)s.") % move
        return _("until %(when)s") % move
    can_move = _("Can be moved until %(when)s.")
    could_move = _("Could be moved until %(when)s.")
    can_cancel = _("Can be cancelled until %(when)s.")
    could_cancel = _("Could be cancelled until %(when)s.")
    said = (
        (can_move if now <= until.move else could_move) % move,
        (can_cancel if now <= until.cancel else could_cancel) % cancel,
    )
    return " ".join(said)
