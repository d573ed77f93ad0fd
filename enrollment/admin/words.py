"""What the office reads about times: what is in the way, what is free instead, what was done."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from enrollment.domain.clock import NoSuchTime
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher
from enrollment.operations.lessons import describe


def no_such_time(error: NoSuchTime, teacher: Teacher) -> str:
    words = gettext("In %(zone)s the clocks go forward that night: choose %(time)s instead.")
    return words % {"zone": teacher.zone, "time": f"{error.instead:%H:%M}"}


def name_clash(clash: Lesson, teacher: Teacher) -> str:
    facts = {
        "who": clash.teacher if clash.teacher_id == teacher.pk else clash.student,
        "course": clash.course,
        "when": describe(clash),
        "student": clash.student,
        "teacher": clash.teacher,
    }
    if clash.status == LessonStatus.HELD:
        words = gettext("%(who)s: a slot is being held just now for %(student)s, %(when)s.")
    else:
        words = gettext(
            "%(who)s already has a lesson then: %(course)s, %(when)s, %(student)s with %(teacher)s."
        )
    return words % facts


def somebody_gone() -> str:
    return gettext("Nothing was planned: the account of this student or teacher is deleted.")


def enrollment_over() -> str:
    return gettext("This enrollment is over; nothing is planned.")


def no_credit() -> str:
    return gettext("The school owes this student no lesson. Plan it without the credit.")


def day_and_time(start: datetime, zone: str) -> str:
    there = timezone.localtime(start, ZoneInfo(zone))
    return date_format(there, pgettext("date format", "D j F Y, H:i"))


def place(lesson: Lesson) -> str:
    words = gettext("%(when)s with %(teacher)s")
    return words % {"when": describe(lesson), "teacher": lesson.teacher}


def moved(*, before: str, after: str) -> str:
    """`before` and `after`: a `place`."""
    return gettext("Moved from %(before)s to %(after)s.") % {"before": before, "after": after}


def because(done: str, reason: str) -> str:
    """A line of the history, which nobody but the office reads."""
    words = gettext("%(done)s Reason: %(reason)s")
    return words % {"done": done, "reason": reason} if reason else done
