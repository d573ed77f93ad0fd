"""What programs may ask, and in which words they are told what is wrong with it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.validators import RegexValidator
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from enrollment.api.pages import PageQuery
from enrollment.api.problems import Impossible
from enrollment.api.reading import (
    ClockField,
    DayField,
    InstantField,
    MomentField,
    Strict,
    Text,
    Whole,
    YesNo,
    ZoneField,
)
from scheduling.models.rules import MOST_WEEKS
from scheduling.serializers.answered import STATUSES

SLUG = r"^[-a-zA-Z0-9_]+$"
MOST_DAYS, MOST_REASON_DAYS = 62, 31
USUAL_DAYS = 28


class CourseField(Text):
    default_error_messages = {
        "invalid": gettext_lazy("This is no course's address name."),
        "slug": gettext_lazy("A course's address name has letters, digits, - and _ only."),
    }

    def __init__(self, **options: Any) -> None:
        words = gettext_lazy("Name the course, like ?course=violin-for-beginners.")
        said: dict[str, Any] = {
            "max_length": 80,
            "help_text": gettext_lazy("The course's address name."),
            "error_messages": {"required": words},
        }
        super().__init__(**(said | options))
        # As a validator of this kind it stands in the schema, too.
        self.validators.append(
            RegexValidator(SLUG, CourseField.default_error_messages["slug"], code="slug")
        )


class SlotsOfTeacherQuery(Strict):
    course = CourseField()


class SlotsQuery(Strict):
    course = CourseField()
    teacher = Whole(
        of_text=True,
        required=False,
        help_text=gettext_lazy("Whose times; without, of everybody who teaches the course."),
    )
    zone = ZoneField(
        required=False,
        help_text=gettext_lazy(
            "An IANA name: the clock of `local_start`, and of the dates in `from` and `to`. If you "
            "do not say: the asking student's, else the teacher's, else the school's."
        ),
    )

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "from": MomentField(
                required=False,
                help_text=gettext_lazy("A date or an instant; now, if you do not say."),
            ),
            "to": MomentField(
                required=False,
                help_text=gettext_lazy(
                    "A date, which is counted in, or an instant, which is not. 28 days after `from` "
                    "if you do not say, 62 at most."
                ),
            ),
        }


class LessonsQuery(PageQuery):
    status = serializers.ChoiceField(
        required=False,
        choices=STATUSES,
    )

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "from": MomentField(
                required=False,
                help_text=gettext_lazy("Lessons that begin then or later. Dates are yours."),
            ),
            "to": MomentField(
                required=False,
                help_text=gettext_lazy("A date, which is counted in, or an instant, which is not."),
            ),
        }


class ReasonsQuery(Strict):
    course = CourseField()
    teacher = Whole(of_text=True)

    def get_fields(self) -> Any:
        return super().get_fields() | {
            "from": DayField(
                required=False,
                help_text=gettext_lazy("A date of the teacher's; today, if you do not say."),
            ),
            "to": DayField(
                required=False,
                help_text=gettext_lazy(
                    "A date, counted in; 28 days after `from` if you do not say, 31 at most."
                ),
            ),
        }


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "",
            value={
                "course": "violin-for-beginners",
                "teacher": 7,
                "start": "2026-01-19T16:00:00+01:00",
                "note": "I have a violin.",
            },
            request_only=True,
        )
    ]
)
class BookingQuery(Strict):
    course = CourseField(error_messages={})
    teacher = Whole()
    start = InstantField(help_text=gettext_lazy("When a free slot begins."))
    wished_times = Text(
        required=False,
        allow_blank=True,
        max_length=2000,
        help_text=gettext_lazy("With a first lesson: other times that suit you, in your words."),
    )
    note = Text(
        required=False,
        allow_blank=True,
        max_length=4000,
        help_text=gettext_lazy("With a first lesson: anything the school should know."),
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "",
            value={"start": "2026-01-26T16:00:00+01:00", "reason": "A school trip"},
            request_only=True,
        )
    ]
)
class MoveQuery(Strict):
    start = InstantField(help_text=gettext_lazy("When a free slot begins."))
    teacher = Whole(required=False, help_text=gettext_lazy("Somebody else who teaches the course."))
    reason = Text(required=False, allow_blank=True, max_length=200)


@extend_schema_serializer(examples=[OpenApiExample("", value={"reason": "Ill"}, request_only=True)])
class CancelQuery(Strict):
    reason = Text(required=False, allow_blank=True, max_length=200)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "", value={"weekday": 0, "starts": "16:00", "ends": "19:00"}, request_only=True
        )
    ]
)
class RuleQuery(Strict):
    """The model's own clean() says the rest."""

    weekday = Whole(
        min_value=0,
        max_value=6,
        help_text=", ".join(f"{number} {name}" for number, name in WEEKDAYS.items()),
    )
    starts = ClockField(help_text=gettext_lazy("On the teacher's clock."))
    ends = ClockField(help_text=gettext_lazy("00:00 is the end of the day."))
    ends_next_day = YesNo(required=False, default=False)
    every_weeks = Whole(required=False, default=1, max_value=MOST_WEEKS)
    valid_from = DayField(required=False, allow_null=True, default=None)
    valid_until = DayField(required=False, allow_null=True, default=None)


@extend_schema_serializer(examples=[OpenApiExample("", value={"ends": "20:00"}, request_only=True)])
class RuleChangeQuery(Strict):
    """What is not said stays as it is."""

    weekday = Whole(required=False, min_value=0, max_value=6)
    starts = ClockField(required=False)
    ends = ClockField(required=False)
    ends_next_day = YesNo(required=False)
    every_weeks = Whole(required=False, max_value=MOST_WEEKS)
    valid_from = DayField(required=False, allow_null=True)
    valid_until = DayField(required=False, allow_null=True)


# ---------------------------------------------------------------- spans


def span(asked: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """[since, until) as asked, dates on `zone`'s clock.

    :raises Impossible: it ends before it begins, or is too long.
    """
    since, until = open_span(asked, zone=zone)
    since = since or now
    until = until or since + timedelta(days=USUAL_DAYS)
    # One more hour: such a span may hold the day that has 25.
    if until - since > timedelta(days=MOST_DAYS, hours=1):
        raise Impossible({"to": [_too_long(MOST_DAYS)]}, in_query=True)
    if until <= since:
        raise Impossible({"to": [_("Give a `to` that is later than `from`.")]}, in_query=True)
    return since, until


def open_span(
    asked: Mapping[str, Any], *, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """:raises Impossible: it ends before it begins."""
    since, until = asked.get("from"), asked.get("to")
    begins = None if since is None else _begins(since, zone)
    ends = None if until is None else _ends(until, zone)
    if begins is not None and ends is not None and ends <= begins:
        raise Impossible({"to": [_("Give a `to` that is later than `from`.")]}, in_query=True)
    return begins, ends


def days(asked: Mapping[str, Any], *, today: date) -> tuple[date, date]:
    """:raises Impossible:"""
    first = asked.get("from", today)
    last = asked.get("to", first + timedelta(days=USUAL_DAYS - 1))
    if last < first:
        raise Impossible({"to": [_("Give a `to` that is not before `from`.")]}, in_query=True)
    if (last - first).days >= MOST_REASON_DAYS:
        raise Impossible({"to": [_too_long(MOST_REASON_DAYS)]}, in_query=True)
    return first, last


def _begins(moment: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=zone).astimezone(UTC)


def _ends(moment: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return _begins(moment + timedelta(days=1), zone)


def _too_long(most: int) -> str:
    return ngettext(
        "Ask for %(count)d day at most, and for the rest with another request.",
        "Ask for %(count)d days at most, and for the rest with another request.",
        most,
    ) % {"count": most}
