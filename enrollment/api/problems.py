"""What an API says instead of an answer: problem details (RFC 9457), for every error alike."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from rest_framework import exceptions

API = "/api/"
DOCS = "/api/docs/"
MEDIA_TYPE = "application/problem+json"


class Problem(exceptions.APIException):
    """A refusal with a name of its own, and what a program needs to go on.

    code: names it to programs, in `type` too. more: further members of the answer.
    """

    def __init__(
        self, *, status: int, code: str, detail: str, headers: Mapping[str, str] = {}, **more: Any
    ) -> None:
        super().__init__(detail=detail, code=code)
        self.status_code = status
        self.code, self.headers, self.more = code, dict(headers), more


class BadQuery(exceptions.ValidationError):
    """The address says something wrong after its question mark. `errors` name parameters."""

    in_query = True


class Impossible(exceptions.ValidationError):
    """Everything is as the schema says, and still it cannot be so: 422, where BadQuery and its kind
    are 400. in_query: errors name parameters of the address."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Mapping[str, Any], *, in_query: bool = False) -> None:
        super().__init__(errors)
        self.in_query = in_query


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = gettext_lazy("This is more than the school reads at once.")
    default_code = "too_large"


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's exception handler. None: no refusal but a fault, for Django to answer.

    Always JSON: the schema's view would else say it in YAML.
    """
    known = _known(error)
    if known is None:
        return None
    _roll_back()
    return _json(of(known, context["request"].path), headers=_headers(known))


def body(*, status: int, detail: str, path: str, code: str = "", **more: Any) -> dict[str, Any]:
    """code: only what has a name of its own is more than its status."""
    return {
        "type": type_of(code) if code else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        **({"code": code} if code else {}),
        **more,
    }


def of(error: exceptions.APIException, path: str) -> dict[str, Any]:
    """The body that says it."""
    if isinstance(error, Problem):
        said = {"detail": str(error.detail), "code": error.code, **error.more}
    elif isinstance(error, exceptions.ValidationError):
        said = {
            "detail": _("Some of what was sent cannot be used; `errors` says what, and where."),
            "errors": list(_errors(error.detail, (), in_query=getattr(error, "in_query", False))),
        }
    else:
        said = {"detail": str(error.detail)}
    return body(status=error.status_code, path=path, **said)


def type_of(code: str) -> str:
    """An address, as the standard asks: the page of the API describes them all."""
    return f"{settings.SITE_URL}{DOCS}#{code}"


def answer(*, headers: Mapping[str, str] = {}, **members: Any) -> HttpResponse:
    """Outside of REST framework's views: the doors, and addresses that lead nowhere."""
    return _json(body(**members), headers=headers)


def _json(said: Mapping[str, Any], *, headers: Mapping[str, str]) -> HttpResponse:
    return JsonResponse(said, status=said["status"], content_type=MEDIA_TYPE, headers=dict(headers))


# ---------------------------------------------------------------- Django's own error pages


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(API):
        return answer(status=404, detail=_("There is nothing at this address."), path=request.path)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(API):
        return answer(status=400, detail=_("This request cannot be read."), path=request.path)
    return defaults.bad_request(request, exception)


def broken(request: HttpRequest) -> HttpResponseBase:
    if request.path.startswith(API):
        detail = _("Something is broken on our side. Please try again later.")
        return answer(status=500, detail=detail, path=request.path)
    return defaults.server_error(request)


# ---------------------------------------------------------------- inside


def _roll_back() -> None:
    # Read here: REST framework's views read its settings, and those name our parser and this.
    from rest_framework.views import set_rollback

    set_rollback()


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(_("There is nothing at this address, or nothing for you."))
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError(_("This request cannot be read."))
    return None


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = dict(getattr(error, "headers", {}))
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return headers


def _errors(detail: Any, at: tuple[str, ...], *, in_query: bool) -> Iterable[dict[str, str]]:
    """Each with its place: a JSON pointer into the body (RFC 6901), or a parameter's name."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = at if name == "non_field_errors" else (*at, str(name))
            yield from _errors(inner, here, in_query=in_query)
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            here = (*at, str(number)) if isinstance(inner, Mapping) else at
            yield from _errors(inner, here, in_query=in_query)
    else:
        place = {"parameter": ".".join(at)} if in_query else {"pointer": _pointer(at)}
        yield {**place, "detail": str(detail), "code": getattr(detail, "code", "") or "invalid"}


def _pointer(at: tuple[str, ...]) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in at)
