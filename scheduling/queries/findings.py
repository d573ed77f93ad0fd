"""What scheduling finds contradictory, and how the office reads it. Called through the gate."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext, pgettext

from enrollment.domain.findings import Finding
from scheduling.domain.contradictions import Nothing
from scheduling.domain.reasons import Why
from scheduling.queries import contradictions
from scheduling.queries.standing import AHEAD, Outside, lessons_outside

if TYPE_CHECKING:
    from enrollment.models import Conflict

Lessons = Collection[int] | None

OUTSIDE_HOURS = "outside_hours"
NO_HOURS = "no_hours"
IN_TIME_OFF = "time_off"
# What began yesterday may still go on.
DAY = timedelta(days=1)


# ------------------------------------------------------------ lessons
def outside_hours(*, now: datetime, lessons: Lessons) -> list[Finding]:
    return [
        _displaced(OUTSIDE_HOURS, one)
        for one in _outside(now=now, lessons=lessons)
        if one.why == Why.NO_HOURS and not one.by_hand
    ]


def in_time_off(*, now: datetime, lessons: Lessons) -> list[Finding]:
    return [
        _displaced(IN_TIME_OFF, one)
        for one in _outside(now=now, lessons=lessons)
        if one.why == Why.TIME_OFF
    ]


def without_hours(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Teachers who have said no hours at all: one finding, not one for each lesson. Either the office
    plans for them by hand, and keeps it as it is, or their last hours have gone."""
    by_teacher: dict[int, list[int]] = {}
    for one in _outside(now=now, lessons=lessons):
        if one.by_hand and one.why == Why.NO_HOURS:
            by_teacher.setdefault(one.teacher_id, []).append(one.lesson_id)
    return [
        Finding(
            kind=NO_HOURS,
            key=str(teacher),
            lessons=tuple(theirs),
            teacher=teacher,
            facts={"lessons": len(theirs)},
        )
        for teacher, theirs in by_teacher.items()
    ]


def _outside(*, now: datetime, lessons: Lessons) -> list[Outside]:
    return lessons_outside(
        lessons=lessons, since=now - DAY, until=now + AHEAD, now=now, closed=False
    )


def _displaced(kind: str, one: Outside) -> Finding:
    """Moved elsewhere, or to another teacher, it is another finding."""
    return Finding(
        kind=kind,
        key=f"{one.lesson_id}@{one.period[0]}:{one.teacher_id}",
        lessons=(one.lesson_id,),
        enrollment=one.enrollment_id,
        student=one.student_id,
        teacher=one.teacher_id,
        facts={"starts": one.period[0]},
    )


def words_of_lesson(*, conflict: "Conflict") -> str:
    words = {
        OUTSIDE_HOURS: gettext(
            "%(when)s: %(student)s with %(teacher)s, outside the teacher’s hours."
        ),
        IN_TIME_OFF: gettext("%(when)s: %(student)s with %(teacher)s, who has time off then."),
    }
    return words[conflict.kind] % {
        "when": _when(conflict),
        "student": conflict.student,
        "teacher": conflict.teacher,
    }


def _when(conflict: "Conflict") -> str:
    """On the teacher's clock."""
    start = datetime.fromtimestamp(conflict.facts["starts"], UTC)
    zone = conflict.teacher.zone if conflict.teacher else "UTC"
    there = timezone.localtime(start, ZoneInfo(zone))
    return date_format(there, pgettext("date format", "D j F Y, H:i"))


def words_without_hours(*, conflict: "Conflict") -> str:
    count = int(conflict.facts["lessons"])
    words = ngettext(
        "%(teacher)s has said no hours, and %(count)d lesson is planned. Keep it, if the office plans "
        "for this teacher by hand.",
        "%(teacher)s has said no hours, and %(count)d lessons are planned. Keep it, if the office "
        "plans for this teacher by hand.",
        count,
    )
    return words % {"teacher": conflict.teacher, "count": count}


# ------------------------------------------------------------ rules
def rules_twice(*, now: datetime, lessons: Lessons) -> list[Finding]:
    found = () if lessons is not None else contradictions.rules_twice(now=now)
    return [
        Finding(
            kind="hours_twice",
            key=f"{one.first}-{one.second}",
            teacher=one.teacher,
            facts={"first": one.first_words, "second": one.second_words},
        )
        for one in found
    ]


def words_rules_twice(*, conflict: "Conflict") -> str:
    words = gettext("%(teacher)s: the hours “%(first)s” and “%(second)s” overlap in some week.")
    return words % {"teacher": conflict.teacher, **conflict.facts}


def hours_lost(*, now: datetime, lessons: Lessons) -> list[Finding]:
    found = () if lessons is not None else contradictions.hours_lost(now=now)
    return [
        Finding(
            kind="hours_lost",
            key=str(one.exception),
            teacher=one.teacher,
            facts={"hours": one.words, "closed": one.closed},
        )
        for one in found
    ]


def words_hours_lost(*, conflict: "Conflict") -> str:
    if conflict.facts["closed"]:
        words = gettext(
            "%(teacher)s: nothing can be booked in the hours of %(hours)s, because the school is "
            "closed (%(closed)s)."
        )
    else:
        words = gettext(
            "%(teacher)s: nothing can be booked in the hours of %(hours)s, because they lie in time off."
        )
    return words % {"teacher": conflict.teacher, **conflict.facts}


def books_nothing(*, now: datetime, lessons: Lessons) -> list[Finding]:
    found = () if lessons is not None else contradictions.policies_for_nothing(now=now)
    return [
        Finding(
            kind="books_nothing",
            key=f"{one.why}:{one.policy or 0}:{one.teacher or 0}:{one.course or 0}",
            teacher=one.teacher,
            facts={"why": one.why.value, "policy": one.policy, "whose": one.words},
        )
        for one in found
    ]


def words_books_nothing(*, conflict: "Conflict") -> str:
    if conflict.facts["why"] == Nothing.NOTICE:
        words = gettext(
            "Booking policy “%(whose)s”: nothing can ever be booked, because the notice is longer "
            "than the days that can be booked."
        )
    else:
        words = gettext(
            "%(whose)s: nothing can be booked, because one lesson is longer than each of the "
            "teacher’s hours."
        )
    said: str = words % conflict.facts
    return said


def hours_without_course(*, now: datetime, lessons: Lessons) -> list[Finding]:
    found = () if lessons is not None else contradictions.hours_without_course(now=now)
    return [
        Finding(kind="hours_without_course", key=str(teacher), teacher=teacher) for teacher in found
    ]


def words_without_course(*, conflict: "Conflict") -> str:
    words = gettext("%(teacher)s has hours, and teaches no course: nobody can book them.")
    return words % {"teacher": conflict.teacher}
