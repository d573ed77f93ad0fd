"""Closures in words: which days, which part of them, for whom."""

from datetime import date, time

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext, pgettext_lazy

from holidays.domain.closures import DAY_SECONDS, Closure
from holidays.models import Holiday

# What a day's cell shows, besides its color.
LETTERS = {
    Holiday.Kind.PUBLIC: pgettext_lazy("letter of a public holiday", "P"),
    Holiday.Kind.SCHOOL_BREAK: pgettext_lazy("letter of a school break", "B"),
    Holiday.Kind.OTHER: pgettext_lazy("letter of another closure", "C"),
    Holiday.Kind.WORKING_DAY: pgettext_lazy("letter of a working day instead", "W"),
}


def days_in_words(first: date, last: date) -> str:
    day_format = pgettext("date format", "D j F Y")
    begins = date_format(first, day_format)
    return begins if first == last else f"{begins} – {date_format(last, day_format)}"


def part_in_words(starts: int, ends: int) -> str:
    """starts, ends: seconds after midnight. Empty for a whole day."""
    if (starts, ends) == (0, DAY_SECONDS):
        return ""
    if ends == DAY_SECONDS:
        return gettext("closed from %(time)s") % {"time": _clock(starts)}
    if starts == 0:
        return gettext("closed until %(time)s") % {"time": _clock(ends)}
    return gettext("closed from %(from)s to %(until)s") % {
        "from": _clock(starts),
        "until": _clock(ends),
    }


def part_of(holiday: Holiday) -> str:
    return part_in_words(
        _seconds(holiday.starts, otherwise=0), _seconds(holiday.ends, otherwise=DAY_SECONDS)
    )


def works_like(weekday: int | None) -> str:
    if weekday is None:
        return ""
    return gettext("works like a %(weekday)s") % {"weekday": WEEKDAYS[weekday]}


def hours_of(closure: Closure) -> str:
    """What it does to its days, where it does not close them whole."""
    return works_like(closure.as_weekday) or part_in_words(closure.starts, closure.ends)


def whom_in_words(holiday: Holiday) -> str:
    """Empty: for everybody. Asks for teachers and courses, unless they were fetched."""
    if holiday.scope == Holiday.Scope.REGION:
        return gettext("teachers in %(region)s") % {"region": holiday.region}
    if holiday.scope == Holiday.Scope.TEACHERS:
        return ", ".join(teacher.display_name for teacher in holiday.teachers.all())
    if holiday.scope == Holiday.Scope.COURSES:
        return ", ".join(course.title for course in holiday.courses.all())
    return ""


def _seconds(at: time | None, *, otherwise: int) -> int:
    return otherwise if at is None else at.hour * 3600 + at.minute * 60 + at.second


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
