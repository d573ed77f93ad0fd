"""What the office reads about times: what is in the way, what is free instead, what was done."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from enrollment.domain.clock import NoSuchTime
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, LessonChange, Teacher
from enrollment.operations.lessons import describe, describe_period

Period = tuple[datetime, datetime]


def no_such_time(error: NoSuchTime, teacher: Teacher) -> str:
    words = gettext("In %(zone)s the clocks go forward that night: choose %(time)s instead.")
    return words % {"zone": teacher.zone, "time": f"{error.instead:%H:%M}"}


def name_clash(clash: Lesson, teacher: Teacher, wanted: Period | None = None) -> str:
    """wanted: from when to when the other lesson was to be."""
    facts = {
        "who": clash.teacher if clash.teacher_id == teacher.pk else clash.student,
        "course": clash.course,
        "when": describe(clash),
        "student": clash.student,
        "teacher": clash.teacher,
        "before": clash.buffer_before,
        "after": clash.buffer_after,
    }
    return _words(clash, wanted) % facts


def _words(clash: Lesson, wanted: Period | None) -> str:
    if wanted and not (clash.starts_at < wanted[1] and wanted[0] < clash.ends_at):
        return gettext(
            "%(who)s keeps time free around a lesson, %(before)d minutes before it and %(after)d "
            "after it: %(course)s, %(when)s, %(student)s with %(teacher)s."
        )
    if clash.status == LessonStatus.HELD:
        return gettext("%(who)s: a slot is being held just now for %(student)s, %(when)s.")
    if clash.seats > 1 and wanted == (clash.starts_at, clash.ends_at):
        return gettext(
            "%(who)s already has a group lesson then, and no seat in it is free for this student: "
            "%(course)s, %(when)s with %(teacher)s."
        )
    return gettext(
        "%(who)s already has a lesson then: %(course)s, %(when)s, %(student)s with %(teacher)s."
    )


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


def change_in_words(change: LessonChange, zone: str) -> str:
    """A line of what happened to a lesson; where it was before, on the clock of `zone`."""
    facts = {
        "what": change.get_what_display(),
        "who": change.by or gettext("nobody in person"),
        "when": date_format(timezone.localtime(change.at), pgettext("date format", "D j F Y, H:i")),
    }
    line = gettext("%(when)s: %(what)s by %(who)s.") % facts
    if change.period_before and change.teacher_before:
        before = {
            "when": describe_period(change.period_before, zone=zone),
            "teacher": change.teacher_before,
        }
        line = " ".join([line, gettext("Before: %(when)s with %(teacher)s.") % before])
    return because(line, change.reason)
