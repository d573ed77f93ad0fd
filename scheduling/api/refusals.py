"""Why nothing was booked, moved or cancelled, as problems with names of their own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse

from enrollment.api.described import WORDS, example
from enrollment.api.problems import Problem
from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.operations.enroll import EnrollmentRefused
from enrollment.operations.lessons import HoldExpired, SlotTaken
from enrollment.refusals import why_refused
from scheduling.operations.booking import (
    BookingRefused,
    EnrollmentNotLive,
    NotPlanned,
    NotThisTeacher,
    NotYours,
    TooLate,
)
from scheduling.queries.alternatives import nearest_alternatives
from scheduling.serializers.answered import BookingProblem, slot, utc

REFUSED = (SlotTaken, HoldExpired, BookingRefused, EnrollmentRefused)
TAKEN = (SlotTaken, HoldExpired)


def taken(
    *,
    teacher: Teacher,
    course: Course,
    student: Student,
    wanted: datetime,
    now: datetime,
    zone: ZoneInfo,
    apart_from: Lesson | None = None,
) -> Problem:
    """With the nearest that is free instead."""
    others = nearest_alternatives(
        teacher=teacher,
        course=course,
        student=student,
        wanted=wanted,
        now=now,
        apart_from=apart_from,
    )
    return Problem(
        status=409,
        code="slot-taken",
        detail=_("This time is not free, or was taken just now. `alternatives` are the nearest."),
        alternatives=[slot(period, zone) for period in others],
    )


def refused(error: Exception, *, zone: ZoneInfo) -> Problem:
    """For everything in REFUSED but TAKEN."""
    if isinstance(error, TooLate):
        until = date_format(error.deadline.astimezone(zone), "DATETIME_FORMAT")
        words = _("This could be done until %(until)s. Please write to the office.")
        return Problem(
            status=422,
            code="too-late",
            detail=words % {"until": until},
            deadline=utc(error.deadline),
        )
    if isinstance(error, EnrollmentRefused):
        return Problem(status=409, code=code_of(error), detail=why_refused(error))
    status, words_of = _WORDS[type(error)]
    return Problem(status=status, code=code_of(error), detail=words_of())


def code_of(error: Exception) -> str:
    """CourseFull: course-full."""
    name = type(error).__name__
    return "".join("-" * (at > 0 and c.isupper()) + c.lower() for at, c in enumerate(name))


_WORDS: dict[type[Exception], tuple[int, Callable[[], str]]] = {
    NotYours: (404, lambda: _("There is nothing at this address, or nothing for you.")),
    NotThisTeacher: (
        409,
        lambda: _("This teacher cannot give this lesson. Ask the office for a substitute."),
    ),
    EnrollmentNotLive: (409, lambda: _("This enrollment is over; it has no more lessons.")),
    NotPlanned: (409, lambda: _("Only a lesson that is planned can be changed.")),
}

# ---------------------------------------------------------------- described

ALTERNATIVES: list[Any] = [
    {
        "start": "2026-01-19T15:45:00Z",
        "end": "2026-01-19T16:30:00Z",
        "local_start": "2026-01-19T16:45:00+01:00",
    }
]
CONFLICT = OpenApiResponse(
    BookingProblem,
    description=str(WORDS[409]),
    examples=[
        example(
            409,
            "This time is not free, or was taken just now. `alternatives` are the nearest.",
            code="slot-taken",
            alternatives=ALTERNATIVES,
        ),
        example(409, "Enrollment for this course is closed today.", code="course-closed"),
    ],
)
UNPROCESSABLE = OpenApiResponse(
    BookingProblem,
    description=(
        "Too late, by the school's rules; or nobody of this number teaches the course; or the "
        "Idempotency-Key came with something else."
    ),
    examples=[
        example(
            422,
            "This could be done until 18 January 2026, 16:00. Please write to the office.",
            code="too-late",
            deadline="2026-01-18T15:00:00Z",
        ),
        example(
            422,
            "This Idempotency-Key came before, with another request. Use a new one for each.",
            code="key-used-otherwise",
        ),
    ],
)
