"""What a student is told about a lesson, ready to be sent: on their own clock, with what comes next."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext, pgettext

from enrollment.domain.clock import instant_or_instead
from enrollment.models import Lesson
from enrollment.operations.settling import Decision
from enrollment.queries.messages import writing_ends_at


def message_for(decision: Decision, *, extra: str = "") -> str:
    """extra: what the office says to all of them."""
    lesson = decision.lesson
    facts = {
        "name": lesson.student.user.first_name or str(lesson.student),
        "course": lesson.course,
        "before": when(lesson.starts_at, lesson.student.zone),
        "teacher": decision.place.teacher if decision.place else lesson.teacher,
        "after": _after(decision),
    }
    parts = (
        gettext("Hello %(name)s,") % facts,
        " ".join([_what_happens(decision), _what_comes(decision)]).strip() % facts,
        extra.strip(),
        gettext("The school office"),
    )
    return "\n\n".join(part for part in parts if part)


def can_be_told(lesson: Lesson, *, now: datetime) -> bool:
    if lesson.enrollment is None:
        return False
    ends_at = writing_ends_at(lesson.enrollment)
    return ends_at is None or now < ends_at


def when(moment: datetime, zone: str) -> str:
    there = timezone.localtime(moment, ZoneInfo(zone))
    day = date_format(there, pgettext("date format", "l j F Y"))
    return f"{day}, {time_format(there, 'H:i')} ({zone})"


def _what_happens(decision: Decision) -> str:
    place = decision.place
    if place is None:
        return gettext("your lesson in %(course)s on %(before)s is cancelled. We are sorry.")
    if starts_at(decision) == decision.lesson.starts_at:
        return gettext("your lesson in %(course)s on %(before)s will be given by %(teacher)s.")
    return gettext(
        "your lesson in %(course)s on %(before)s has moved: it is now on %(after)s, with %(teacher)s."
    )


def _what_comes(decision: Decision) -> str:
    if decision.place is not None:
        return gettext("If that does not suit you, please tell your teacher here, or the office.")
    if decision.credit:
        return gettext("We owe you this lesson, and will find another time for it with you.")
    return ""


def starts_at(decision: Decision) -> datetime | None:
    place = decision.place
    if place is None:
        return None
    return instant_or_instead(on=place.on, at=place.at, zone=place.teacher.zone)


def _after(decision: Decision) -> str:
    start = starts_at(decision)
    return when(start, decision.lesson.student.zone) if start else ""
