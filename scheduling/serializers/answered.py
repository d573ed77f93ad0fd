"""The shapes of what is answered. Most are filled by hand: a serializer costs more than the rest."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from enrollment.api.described import InvalidAnswer
from enrollment.api.pages import PageAnswer
from enrollment.api.reading import ClockField
from enrollment.models import Lesson, Teacher
from scheduling.domain.clock import Period
from scheduling.domain.polite import CODES, code, day_told, told
from scheduling.domain.reasons import Missing, Why
from scheduling.models import AvailabilityRule
from scheduling.queries.deadlines import Deadlines
from scheduling.queries.reasons import Reasons
from scheduling.words import why_for_day, why_for_staff, why_for_student

Answer = serializers.Serializer[Any]
SLOT = {
    "start": "2026-01-19T15:00:00Z",
    "end": "2026-01-19T15:45:00Z",
    "local_start": "2026-01-19T16:00:00+01:00",
}
LESSON = {
    "id": 4711,
    "course": {"slug": "violin-for-beginners", "title": "Violin for beginners"},
    "teacher": {"id": 7, "name": "Clara Weiss"},
    "student": {"id": 12, "name": "Ada Vogel"},
    "enrollment": 31,
    "status": "planned",
    **SLOT,
    "zone": "Europe/Berlin",
}


def shown(value: Any) -> Any:
    """An example of what a serializer's operation answers."""
    examples = [OpenApiExample("", value=value, response_only=True, status_codes=["200", "201"])]
    return extend_schema_serializer(examples=examples)


# A hold is no lesson.
STATUSES = [str(one) for one in Lesson.Status if one is not Lesson.Status.HELD]
LOCAL = gettext_lazy("On the clock of `zone`, with its offset.")


class CourseOfTeacher(Answer):
    slug = serializers.SlugField()
    title = serializers.CharField()
    lesson_minutes = serializers.IntegerField()


class TeacherAnswer(Answer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    zone = serializers.CharField(help_text=gettext_lazy("An IANA name."))
    courses = CourseOfTeacher(many=True)


@shown(
    {
        "next": None,
        "previous": None,
        "results": [
            {
                "id": 7,
                "name": "Clara Weiss",
                "zone": "Europe/Berlin",
                "courses": [
                    {
                        "slug": "violin-for-beginners",
                        "title": "Violin for beginners",
                        "lesson_minutes": 45,
                    }
                ],
            }
        ],
    }
)
class TeacherPage(PageAnswer):
    results = TeacherAnswer(many=True)


class SlotAnswer(Answer):
    start = serializers.DateTimeField(help_text=gettext_lazy("UTC."))
    end = serializers.DateTimeField(help_text=gettext_lazy("UTC; the slot is over then."))
    local_start = serializers.DateTimeField(help_text=LOCAL)


@shown({"teacher": 7, "course": "violin-for-beginners", "zone": "Europe/Berlin", "slots": [SLOT]})
class SlotsOfTeacherAnswer(Answer):
    teacher = serializers.IntegerField()
    course = serializers.SlugField()
    zone = serializers.CharField(help_text=gettext_lazy("The teacher's, an IANA name."))
    slots = SlotAnswer(many=True)


class TeachersSlotAnswer(SlotAnswer):
    teacher = serializers.IntegerField()


@shown(
    {
        "course": "violin-for-beginners",
        "zone": "Europe/Berlin",
        "since": "2026-01-18T23:00:00Z",
        "until": "2026-01-25T23:00:00Z",
        "slots": [{**SLOT, "teacher": 7}],
    }
)
class SlotsAnswer(Answer):
    course = serializers.SlugField()
    zone = serializers.CharField(help_text=gettext_lazy("The clock of `local_start`."))
    since = serializers.DateTimeField(help_text=gettext_lazy("What `from` was read as, in UTC."))
    until = serializers.DateTimeField(help_text=gettext_lazy("What `to` was read as, in UTC."))
    slots = TeachersSlotAnswer(many=True)


class MissingAnswer(SlotAnswer):
    why = serializers.ChoiceField(choices=CODES)
    words = serializers.CharField()
    note = serializers.CharField(allow_blank=True)


class DayAnswer(Answer):
    date = serializers.DateField()
    why = serializers.ChoiceField(
        choices=CODES,
        allow_null=True,
        help_text=gettext_lazy("Why nothing is free on this date; null while something is."),
    )
    words = serializers.CharField(allow_blank=True, help_text=gettext_lazy("`why`, for people."))
    note = serializers.CharField(
        allow_blank=True,
        help_text=gettext_lazy(
            "The holiday's name; for teacher and office, the time off's reason."
        ),
    )
    free = serializers.IntegerField(help_text=gettext_lazy("How many slots are free."))
    missing = MissingAnswer(many=True)


@shown(
    {
        "teacher": 7,
        "course": "violin-for-beginners",
        "zone": "Europe/Berlin",
        "fully": False,
        "days": [
            {
                "date": "2026-01-19",
                "why": None,
                "words": "",
                "note": "",
                "free": 2,
                "missing": [{**SLOT, "why": "taken", "words": "This time is taken.", "note": ""}],
            },
            {
                "date": "2026-01-20",
                "why": "closed",
                "words": "Closed: Carnival.",
                "note": "Carnival",
                "free": 0,
                "missing": [],
            },
        ],
    }
)
class ReasonsAnswer(Answer):
    teacher = serializers.IntegerField()
    course = serializers.SlugField()
    zone = serializers.CharField(help_text=gettext_lazy("The teacher's, an IANA name."))
    fully = serializers.BooleanField(
        help_text=gettext_lazy("Whether everything is told; students are told politely.")
    )
    days = DayAnswer(many=True)


class NamedCourse(Answer):
    slug = serializers.SlugField()
    title = serializers.CharField()


class Named(Answer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class LessonAnswer(SlotAnswer):
    id = serializers.IntegerField()
    course = NamedCourse()
    teacher = Named()
    student = Named()
    enrollment = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(choices=STATUSES)
    zone = serializers.CharField(
        help_text=gettext_lazy("The clock on which the lesson was agreed.")
    )


@shown({"next": None, "previous": None, "results": [LESSON]})
class LessonPage(PageAnswer):
    results = LessonAnswer(many=True)


@shown({**LESSON, "move_until": "2026-01-18T15:00:00Z", "cancel_until": "2026-01-18T15:00:00Z"})
class BookingAnswer(LessonAnswer):
    move_until = serializers.DateTimeField(
        help_text=gettext_lazy("Until then student and teacher can move it. UTC.")
    )
    cancel_until = serializers.DateTimeField(
        help_text=gettext_lazy("Until then student and teacher can cancel it. UTC.")
    )


class RuleAnswer(Answer):
    id = serializers.IntegerField()
    weekday = serializers.IntegerField(min_value=0, max_value=6)
    starts = ClockField()
    ends = ClockField()
    ends_next_day = serializers.BooleanField()
    every_weeks = serializers.IntegerField()
    valid_from = serializers.DateField(allow_null=True)
    valid_until = serializers.DateField(allow_null=True)
    zone = serializers.CharField()


class RulesAnswer(Answer):
    results = RuleAnswer(many=True)


class BookingProblem(InvalidAnswer):
    alternatives = SlotAnswer(
        many=True, required=False, help_text=gettext_lazy("The nearest free slots, in order.")
    )
    deadline = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Until when it could have been done. UTC.")
    )


# ---------------------------------------------------------------- filling them


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def slot(period: Period, zone: ZoneInfo) -> dict[str, Any]:
    start, end = (datetime.fromtimestamp(seconds, UTC) for seconds in period)
    return {
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "local_start": start.astimezone(zone).isoformat(),
    }


def teacher(one: Teacher) -> dict[str, Any]:
    courses = [
        {"slug": course.slug, "title": course.title, "lesson_minutes": course.lesson_minutes}
        for course in one.courses.all()
    ]
    return {"id": one.pk, "name": one.display_name, "zone": one.zone, "courses": courses}


def lesson(one: Lesson) -> dict[str, Any]:
    return {
        "id": one.pk,
        "course": {"slug": one.course.slug, "title": one.course.title},
        "teacher": {"id": one.teacher_id, "name": one.teacher.display_name},
        "student": {"id": one.student_id, "name": str(one.student)},
        "enrollment": one.enrollment_id,
        "status": one.status,
        "start": utc(one.starts_at),
        "end": utc(one.ends_at),
        "zone": one.zone,
        "local_start": one.starts_at.astimezone(ZoneInfo(one.zone)).isoformat(),
    }


def booking(one: Lesson, until: Deadlines) -> dict[str, Any]:
    return lesson(one) | {
        "move_until": utc(until.move),
        "cancel_until": utc(until.cancel),
    }


def rule(one: AvailabilityRule) -> dict[str, Any]:
    names = ("id", "weekday", "ends_next_day", "every_weeks", "valid_from", "valid_until")
    return {name: getattr(one, name) for name in names} | {
        "starts": f"{one.starts:%H:%M}",
        "ends": f"{one.ends:%H:%M}",
        "zone": one.teacher.zone,
    }


def reasons(found: Reasons) -> dict[str, Any]:
    zone = ZoneInfo(found.teaching.teacher.zone)
    return {
        "teacher": found.teaching.teacher.pk,
        "course": found.teaching.course.slug,
        "zone": zone.key,
        "fully": found.fully,
        "days": list(_days(found, zone)),
    }


def _days(found: Reasons, zone: ZoneInfo) -> Iterable[dict[str, Any]]:
    for day in found.days:
        why, note = day_told(day, fully=found.fully)
        yield {
            "date": day.day.isoformat(),
            "why": code(why, fully=found.fully) if why else None,
            "words": _words_of_day(why, note, fully=found.fully) if why else "",
            "note": note,
            "free": len(day.free),
            "missing": [
                {**slot(one.period, zone), **_why(one, fully=found.fully)} for one in day.missing
            ],
        }


def _why(one: Missing, *, fully: bool) -> dict[str, str]:
    why = told(one.why, fully=fully)
    speak = why_for_staff if fully else why_for_student
    return {"why": code(why, fully=fully), "words": speak(why, one.note), "note": one.note}


def _words_of_day(why: Why, note: str, *, fully: bool) -> str:
    return why_for_staff(why, note) if fully else why_for_day(why, note)
