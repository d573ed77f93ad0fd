"""How the OpenAPI schema tells of what all operations share: problems, headers, exact objects."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from enrollment.api import problems
from enrollment.api.reading import Strict

HEADER: Any = OpenApiParameter.HEADER


class ErrorAnswer(serializers.Serializer[Any]):
    pointer = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text=_("Where in the body, as a JSON pointer (RFC 6901)."),
    )
    parameter = serializers.CharField(
        required=False, allow_blank=True, help_text=_("Which parameter of the address.")
    )
    detail = serializers.CharField(help_text=_("What is wrong and what to do, for people."))
    code = serializers.CharField(help_text=_("What is wrong, for programs."))


class ProblemAnswer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField(
        help_text=_("Which problem it is; `about:blank` says no more than the status.")
    )
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text=_("For people, in the language that was asked for."))
    instance = serializers.CharField(help_text=_("The path that was asked."))
    code = serializers.CharField(required=False, help_text=_("The end of `type`, for programs."))


class InvalidAnswer(ProblemAnswer):
    """What was sent cannot be used. Without `errors` it could not even be read."""

    errors: Any = ErrorAnswer(many=True, required=False)


class OffAnswer(ProblemAnswer):
    """Switched off."""

    feature = serializers.CharField(required=False)
    fallback = serializers.URLField(
        required=False, help_text=_("A page for people that does not need what is off.")
    )


WORDS = {
    400: _("Not as it should be; the body says what, and where."),
    401: _("Not logged in, and no token that is known."),
    403: _("Not for you; or a session without its CSRF token."),
    404: _("There is nothing at this address, or nothing for you."),
    406: _("Answers are JSON."),
    409: _("As things are now, this cannot be done."),
    413: _("More than is read at once."),
    415: _("Only JSON is read."),
    422: _("As it should be, and still it cannot be so; the body says what, and where."),
    429: _("Too often; see Retry-After."),
    503: _("Switched off; see Retry-After."),
}
ANSWERS: Mapping[int, type[serializers.Serializer[Any]]] = {
    400: InvalidAnswer,
    422: InvalidAnswer,
    503: OffAnswer,
}
EVERYWHERE = (400, 401, 403, 406, 429, 503)
WITH_BODY = (413, 415)


def example(status: int, detail: str, **more: Any) -> OpenApiExample:
    value = problems.body(
        status=status, detail=detail, path="/api/v1/availability/bookings/", **more
    )
    return OpenApiExample(more.get("code", str(status)), value=value, response_only=True)


EXAMPLES = {
    400: example(
        400,
        "Some of what was sent cannot be used; `errors` says what, and where.",
        errors=[
            {
                "pointer": "/start",
                "detail": "Give date and time with their offset, like 2026-01-19T16:00:00+01:00.",
                "code": "invalid",
            }
        ],
    ),
    401: example(401, "Authentication credentials were not provided."),
    503: example(
        503,
        "This feature is switched off at the moment. Please try again later.",
        feature="availability",
        fallback="https://school.example/home/",
    ),
}


def answers(
    ok: Mapping[int, Any], *problem_statuses: int, with_body: bool = False, **described: Any
) -> dict[Any, Any]:
    """What an operation may answer: `ok`, and every problem it may meet.

    described: by status, as s409=OpenApiResponse(…), where more is to be said than usual.
    """
    found: dict[Any, Any] = dict(ok)
    statuses = {*EVERYWHERE, *problem_statuses, *(WITH_BODY if with_body else ())}
    own = {int(name[1:]): answer for name, answer in described.items()}
    for status in sorted(statuses | set(own)):
        found[(status, problems.MEDIA_TYPE)] = own.get(status) or OpenApiResponse(
            ANSWERS.get(status, ProblemAnswer),
            description=str(WORDS[status]),
            examples=[EXAMPLES[status]] if status in EXAMPLES else [],
        )
    return found


def header(name: str, kind: Any, *statuses: int, about: Any, required: bool = True) -> Any:
    return OpenApiParameter(
        name, kind, HEADER, response=list(statuses), description=str(about), required=required
    )


HEADERS = [
    header("Retry-After", int, 429, 503, about=_("Seconds.")),
    header("WWW-Authenticate", str, 401, about=_("How to log in.")),
]


class ApiSchema(AutoSchema):
    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(force_instance(serializer), Strict):  # type: ignore[no-untyped-call]
            schema["additionalProperties"] = False
        return schema

    def get_override_parameters(self) -> Any:
        return [*super().get_override_parameters(), *HEADERS]
