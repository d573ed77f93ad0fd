"""Why a time cannot be booked, in words: polite ones for students, the plain facts for staff."""

from collections import Counter
from collections.abc import Sequence

from django.utils.translation import gettext as _

from scheduling.domain.reasons import DayReasons, Why


def why_for_student(why: Why, note: str = "") -> str:
    """Never whose lesson is in the way, nor why the teacher is away. note: the holiday's name."""
    if why == Why.CLOSED:
        return _("Closed: %(holiday)s.") % {"holiday": note} if note else _("The school is closed.")
    return {
        Why.NO_HOURS: _("The teacher offers no lessons at this time."),
        Why.TIME_OFF: _("The teacher is away."),
        Why.HORIZON: _("This is too far ahead to be booked yet."),
        Why.PAST: _("This time has passed."),
        Why.NOTICE: _("This is too soon to be booked now."),
        Why.LESSON: _("This time is taken."),
        Why.FULL: _("Every seat of this lesson is taken."),
        Why.BUFFER: _("This is too close to another lesson of the teacher."),
        Why.OWN_LESSON: _("You have another lesson at this time."),
        Why.DAY_LIMIT: _("The teacher gives no more lessons that day."),
        Why.WEEK_LIMIT: _("The teacher gives no more lessons that week."),
    }[why]


def why_for_day(why: Why, note: str = "") -> str:
    """A whole day without a free time, to a student."""
    if why in (Why.LESSON, Why.FULL, Why.BUFFER):
        return _("Fully booked.")
    if why == Why.NO_HOURS:
        return _("The teacher offers no lessons that day.")
    return why_for_student(why, note)


def why_for_week(days: Sequence[DayReasons]) -> str:
    """Each reason once; where it is not the same for all days, the most frequent first. That there
    are no hours on a day explains nothing where another reason does."""
    telling = [day for day in days if day.why and day.why != Why.NO_HOURS] or list(days)
    said = Counter(why_for_day(day.why, day.note) for day in telling if day.why)
    return " ".join(words for words, _count in said.most_common(2))


def why_for_staff(why: Why, note: str = "") -> str:
    if why == Why.CLOSED:
        return _("Holiday: %(holiday)s.") % {"holiday": note} if note else _("Closed.")
    return {
        Why.NO_HOURS: _("Outside the teacher's hours, or between two starts."),
        Why.TIME_OFF: _("The teacher has time off."),
        Why.HORIZON: _("Beyond the days that can be booked ahead."),
        Why.PAST: _("In the past."),
        Why.NOTICE: _("Later than the latest booking."),
        Why.LESSON: _("The teacher has a lesson, or holds this time for somebody."),
        Why.FULL: _("Every seat of the group is taken."),
        Why.BUFFER: _("In the minutes kept free around a lesson."),
        Why.OWN_LESSON: _("The student has a lesson, or holds a time."),
        Why.DAY_LIMIT: _("The most lessons of that day are reached."),
        Why.WEEK_LIMIT: _("The most lessons of that week are reached."),
    }[why]
