"""What a student is told about a lesson, ready to be sent: on their own clock, with what comes next."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext, pgettext

from enrollment import sockets
from enrollment.domain.clock import instant_or_instead
from enrollment.domain.messages import LONGEST
from enrollment.models import Lesson
from enrollment.operations.settling import Decision
from enrollment.queries.messages import writing_ends_at
from enrollment.queries.people import language_of

HOME = "enrollment:home"


def message_for(decision: Decision, *, extra: str = "") -> str:
    """In the student's language, whichever the office works in. extra: what it says to all of them."""
    language = language_of(decision.lesson.student.user)
    with translation.override(language):
        facts = _facts(decision)
        news = "\n\n".join(part for part in (_owed(decision), extra.strip()) if part)
        words = sockets.wording(
            letter=_letter(decision), language=language, values={**facts, "news": news}
        )
        closing = gettext("The school office")
        # What somebody has made too long to be sent is no use here.
        if words is None or len(words) + len(closing) + 2 > LONGEST:
            words = _own_words(decision, facts, extra)
        return f"{words}\n\n{closing}"


def _facts(decision: Decision) -> dict[str, str]:
    lesson = decision.lesson
    zone = lesson.student.zone
    page = ("enrollment:enrolled", [lesson.enrollment_id]) if lesson.enrollment_id else (HOME, [])
    return {
        "name": lesson.student.user.first_name or str(lesson.student),
        "course": str(lesson.course),
        "before": when(lesson.starts_at, zone),
        "teacher": str(decision.place.teacher if decision.place else lesson.teacher),
        "after": _after(decision),
        "link": f"{settings.SITE_URL}{reverse(page[0], args=page[1])}",
    }


def _own_words(decision: Decision, facts: Mapping[str, str], extra: str) -> str:
    parts = (
        gettext("Hello %(name)s,") % facts,
        " ".join([_what_happens(decision), _what_comes(decision)]).strip() % facts,
        extra.strip(),
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


def _letter(decision: Decision) -> str:
    if decision.place is None:
        return "cancelled"
    return "substituted" if starts_at(decision) == decision.lesson.starts_at else "moved"


def _what_happens(decision: Decision) -> str:
    words = {
        "cancelled": gettext("your lesson in %(course)s on %(before)s is cancelled. We are sorry."),
        "substituted": gettext(
            "your lesson in %(course)s on %(before)s will be given by %(teacher)s."
        ),
        "moved": gettext(
            "your lesson in %(course)s on %(before)s has moved: it is now on %(after)s, with %(teacher)s."
        ),
    }
    return words[_letter(decision)]


def _what_comes(decision: Decision) -> str:
    if decision.place is not None:
        return gettext("If that does not suit you, please tell your teacher here, or the office.")
    return _owed(decision)


def _owed(decision: Decision) -> str:
    if decision.place is None and decision.credit:
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
