"""What programs send: JSON that is taken at its word. Whatever nobody asked for is an error."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError as ModelError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from enrollment.api.problems import BadQuery, Impossible
from enrollment.models.people import validate_zone

# A bigint's last; PostgreSQL compares with nothing above.
MOST = 2**63 - 1
# Years in which the school's calendar can be asked; far from where clocks and zones end.
FIRST_YEAR, LAST_YEAR = 2000, 2100
DAY = re.compile(r"\d{4}-\d\d-\d\d")
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")


class JSONParser(BaseParser):
    """UTF-8 and nothing else, as RFC 8259 has it; as large as any form may be."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        # Through Django's own reading, which has a limit. Too deep is as unreadable as a wrong comma.
        raw: bytes = parser_context["request"]._request.body
        try:
            return json.loads(raw.decode(), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("This is no JSON: %(error)s") % {"error": error}) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


class Strict(serializers.Serializer[Any]):
    """Names what it does not know: a misspelled member would else be ignored without a word."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, Mapping) else set()
        if not unknown:
            return super().to_internal_value(data)
        known = ", ".join(self.fields)
        words = _("This is not known here. Known are: %(names)s.") % {"names": known}
        # Said beside whatever else is wrong, so that nobody has to come back for each.
        errors: dict[str, Any] = {name: [words] for name in sorted(unknown)}
        try:
            super().to_internal_value({name: data[name] for name in data if name in self.fields})
        except ValidationError as also:
            if isinstance(also.detail, dict):
                errors |= also.detail
        raise ValidationError(errors, code="unknown")


def query(serializer: type[Strict], request: Request) -> dict[str, Any]:
    """:raises BadQuery:"""
    said_twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if said_twice:
        raise BadQuery({name: [_("Say this once only.")] for name in said_twice})
    # A plain dictionary: what is empty in a form is taken as not said, and here it is wrong.
    asked = serializer(data=request.query_params.dict())
    if not asked.is_valid():
        raise BadQuery(asked.errors)
    found: dict[str, Any] = asked.validated_data
    return found


def said(serializer: Strict) -> dict[str, Any]:
    """:raises ValidationError:"""
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


def at_their_fields(error: ModelError) -> Impossible:
    """What a model's own `full_clean` says, for the program."""
    if not hasattr(error, "error_dict"):
        return Impossible({"non_field_errors": error.messages})
    told = error.message_dict
    rest = told.pop("__all__", [])
    return Impossible({**told, **({"non_field_errors": rest} if rest else {})})


class Text(serializers.CharField):
    """A string, and no number that could be read as one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        return text


class Whole(serializers.IntegerField):
    """In JSON a number. In an address there are only digits, and then `of_text` says so."""

    def __init__(self, *, of_text: bool = False, **options: Any) -> None:
        self.of_text = of_text
        super().__init__(**({"min_value": 1, "max_value": MOST} | options))

    def to_internal_value(self, data: Any) -> int:
        if self.of_text:
            # Python also reads digits of other scripts, blanks and underscores.
            if not re.fullmatch(r"-?[0-9]{1,20}", str(data)):
                self.fail("invalid")
        elif isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            self.fail("invalid")
        return int(data)


class YesNo(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field(
    {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "example": "16:30"}
)
class ClockField(serializers.TimeField):
    """Hours and minutes."""

    default_error_messages = {"invalid": gettext_lazy("Give hours and minutes, like 14:30.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **options)

    def to_internal_value(self, data: Any) -> Any:
        # strptime would take 9:5 as well.
        if not (isinstance(data, str) and re.fullmatch(r"[0-9]{2}:[0-9]{2}", data)):
            self.fail("invalid", format="hh:mm")
        return super().to_internal_value(data)


class DayField(serializers.DateField):
    default_error_messages = {
        "years": gettext_lazy("Give a date between the years %(first)s and %(last)s.")
        % {"first": FIRST_YEAR, "last": LAST_YEAR}
    }

    def to_internal_value(self, data: Any) -> date:
        if not (isinstance(data, str) and DAY.fullmatch(data)):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(data)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            self.fail("years")
        return day


class InstantField(serializers.DateTimeField):
    """With its offset, so that nobody has to guess whose clock was meant."""

    default_error_messages = {
        "invalid": gettext_lazy(
            "Give date and time with their offset, like 2026-01-19T16:00:00+01:00."
        ),
        "years": DayField.default_error_messages["years"],
    }

    def to_internal_value(self, data: Any) -> datetime:
        found = _instant(data)
        if found is None:
            self.fail("invalid", format="")
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.fail("years")
        return found


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "format": "date"},
            {"type": "string", "format": "date-time"},
        ]
    }
)
class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A date, which is a whole day of some clock, or an instant."""

    default_error_messages = {
        "invalid": gettext_lazy(
            "Give a date, like 2026-01-19, or date and time with their offset, like "
            "2026-01-19T16:00:00Z."
        )
    }

    def to_internal_value(self, data: Any) -> date | datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        if not DAY.fullmatch(data) and _instant(data) is None:
            self.fail("invalid")
        field = DayField() if DAY.fullmatch(data) else InstantField()
        found: date | datetime = field.run_validation(data)
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


@extend_schema_field(
    {"type": "string", "format": "iana-time-zone", "maxLength": 64, "example": "Europe/Berlin"}
)
class ZoneField(serializers.Field[Any, Any, Any, Any]):
    """The name of a time zone, as a `ZoneInfo`."""

    def to_internal_value(self, data: Any) -> ZoneInfo:
        name = Text(max_length=64).run_validation(data)
        try:
            validate_zone(name)
        except ModelError as error:
            raise ValidationError(error.messages, code="zone") from error
        return ZoneInfo(name)

    def to_representation(self, value: Any) -> str:
        return str(value)


def _instant(data: Any) -> datetime | None:
    if not (isinstance(data, str) and INSTANT.fullmatch(data)):
        return None
    try:
        return datetime.fromisoformat(data.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
