"""The door of the pages, the API and the admin: no view of a feature is reached while it is off."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import ResolverMatch, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from enrollment.api import problems
from enrollment.models import Course
from enrollment.operations.enroll import live_enrollment
from enrollment.queries.people import student_of
from rollback import acknowledging, drafts, registry, switchboard, timings
from rollback.doors import counting, following, measuring
from rollback.doors.measuring import REFRESH
from rollback.doors.where import words_if_archived
from rollback.doors.why import usual_words, words_because
from rollback.doors.words import NOT_SAVED, SWITCHED_OFF
from rollback.registry import Feature

log = structlog.get_logger(__name__)

RETRY_AFTER = 300  # seconds
YEAR = 365 * 24 * 3600


class FeatureDoor:
    """Stands last in MIDDLEWARE: CSRF and login have been checked when it answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        switchboard.plug_waffle()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = switchboard.visitor_from_cookie(request.COOKIES.get(switchboard.VISITOR_COOKIE))
        request.visitor = known or uuid4().hex  # type: ignore[attr-defined]
        request.visitor_is_new = known is None  # type: ignore[attr-defined]
        request.entries = SimpleLazyObject(  # type: ignore[attr-defined]
            partial(entries_for, request)
        )
        started = time.perf_counter()
        with measuring.noting_uses() as uses:
            try:
                response = self.get_response(request)
            finally:
                if (flag := getattr(request, "busy_with", None)) is not None:
                    acknowledging.end(flag)
        milliseconds = (time.perf_counter() - started) * 1000
        feature: Feature | None = getattr(request, "let_in_to", None)
        if feature is not None and response.status_code != HTTPStatus.NOT_MODIFIED:
            timings.record(
                feature=feature.flag,
                kind=timings.SERVER,
                milliseconds=milliseconds,
                error=response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR,
            )
        measuring.answered(request, response, uses=uses, milliseconds=milliseconds)
        following.answered(request, response)
        if known is None and is_visitor(request) and not hasattr(request, "bearer"):
            _remember(response, request.visitor)  # type: ignore[attr-defined]
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match = request.resolver_match
        feature = feature_behind(request, match) if match else None
        if match is None or feature is None:
            return None
        acknowledging.begin(feature.flag)
        request.busy_with = feature.flag  # type: ignore[attr-defined]
        refused = _refused(request, match, feature)
        if refused is None:
            # How long it takes is counted when it has answered.
            request.let_in_to = feature  # type: ignore[attr-defined]
        else:
            request.is_turned_away = True  # type: ignore[attr-defined]
        return refused


def _refused(request: HttpRequest, match: ResolverMatch, feature: Feature) -> HttpResponse | None:
    if match.view_name in feature.bearers:
        return for_bearer(request, match, feature)
    return None if is_let_in(request, match, feature) else turn_away(request, match, feature)


def is_let_in(request: HttpRequest, match: ResolverMatch, feature: Feature) -> bool:
    """A program that keeps no cookie and has not logged in would be somebody else each time. While
    anybody has the feature it is let in, where it is told to log in.
    """
    unknown = getattr(request, "visitor_is_new", True) and is_visitor(request)
    if unknown and is_program(match, feature):
        return switchboard.is_on_for_anyone(feature.flag)
    return switchboard.is_on(feature.flag, request)


def for_bearer(request: HttpRequest, match: ResolverMatch, feature: Feature) -> HttpResponse | None:
    """Who is behind an address counts, not who is logged in where it is opened. While nobody has the
    feature its tables are not even asked: they may be gone.

    An address that is nobody's is let in, where it is told that there is nothing.
    """
    request.bearer = None  # type: ignore[attr-defined]
    if switchboard.is_on_for_anyone(feature.flag):
        bearer = feature.bearers[match.view_name](**match.kwargs)
        request.bearer = bearer  # type: ignore[attr-defined]
        if bearer is None or switchboard.is_on(feature.flag, bearer.user):
            return None
    counting.turned_away(feature=feature.flag, door="api", now=timezone.now())
    return _later()


def is_program(match: ResolverMatch, feature: Feature) -> bool:
    return any(space in feature.api_namespaces for space in match.namespaces)


def is_visitor(request: HttpRequest) -> bool:
    """Not logged in, as far as that is known already: this must not ask the database."""
    user = getattr(request, "_cached_user", None)
    if user is None:
        return settings.SESSION_COOKIE_NAME not in request.COOKIES
    return not user.is_authenticated


def entries_for(request: HttpRequest) -> dict[str, str]:
    on = switchboard.flags_on(request)
    return {
        name: better
        for feature in registry.features()
        if feature.flag in on
        for name, better in feature.entries.items()
    }


def feature_behind(request: HttpRequest, match: ResolverMatch) -> Feature | None:
    """By URL namespace, or by the app whose admin page it is."""
    for space in match.namespaces:
        if (feature := registry.by_namespace().get(space)) is not None:
            return feature
    if "admin" in match.namespaces:
        return registry.by_admin_app().get(admin_app(request, match))
    return None


def admin_app(request: HttpRequest, match: ResolverMatch) -> str:
    """The app an admin page belongs to. By path, because it covers every URL a ModelAdmin adds."""
    if match.url_name == "autocomplete":
        return request.GET.get("app_label", "")
    if match.url_name == "view_on_site":
        return _app_of(match.kwargs["content_type_id"])
    return request.path.removeprefix(reverse("admin:index")).split("/")[0]


def _app_of(content_type: str) -> str:
    """Whose row it is that an address of the form /admin/r/… leads to."""
    if not (content_type.isdecimal() and len(content_type) < 10):
        return ""
    found = ContentType.objects.filter(pk=int(content_type)).first()
    return found.app_label if found else ""


def turn_away(request: HttpRequest, match: ResolverMatch, feature: Feature) -> HttpResponse:
    asked_by_program = is_program(match, feature)
    if REFRESH in request.headers and request.method == "GET" and not asked_by_program:
        # An open page that looks by itself: nobody reads words, and nothing was typed.
        return SeeOther(reverse("enrollment:home"))
    # First what was typed is kept, then anything else.
    if asked_by_program:
        response = problem(request, feature)
    else:
        response = _to_the_office(request, match, feature) or _to_fallback(request, match, feature)
    door = "api" if asked_by_program else "admin" if "admin" in match.namespaces else "page"
    counting.turned_away(feature=feature.flag, door=door, now=timezone.now())
    response.headers["Cache-Control"] = "no-store"
    return response


def problem(request: HttpRequest, feature: Feature) -> HttpResponse:
    return problems.answer(
        status=503,
        detail=str(SWITCHED_OFF),
        path=request.path,
        feature=feature.name,
        # Where a person gets the same done meanwhile; the plain form needs to know for what course.
        fallback=request.build_absolute_uri(
            reverse("enrollment:home" if feature.fallback.to_draft else feature.fallback.url_name)
        ),
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def _later() -> HttpResponse:
    """For programs that show their person what they read before, and try again: in plain words."""
    response = HttpResponse(
        str(SWITCHED_OFF),
        status=503,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"},
    )
    # Django's log would name the address, which is a key.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class SeeOther(HttpResponseRedirect):
    """The browser asks for the fallback with GET, whatever it came with."""

    status_code = 303


def _to_fallback(request: HttpRequest, match: ResolverMatch, feature: Feature) -> HttpResponse:
    slug = match.kwargs.get("course")
    words = words_because(feature)
    if not feature.fallback.to_draft or slug is None:
        messages.info(request, str(words or usual_words(feature)))
        if request.method == "POST":
            messages.warning(request, str(NOT_SAVED))
        target = "enrollment:home" if feature.fallback.to_draft else feature.fallback.url_name
        return SeeOther(reverse(target))
    # The form itself says it to whoever has a draft, as often as they look.
    if not keep(request, slug) and words:
        messages.info(request, str(words))
    return SeeOther(reverse(feature.fallback.url_name, args=[slug]))


def _to_the_office(
    request: HttpRequest, match: ResolverMatch, feature: Feature
) -> HttpResponse | None:
    """Who works there stays there, and reads where the rows are. None: nothing is to be told."""
    if "admin" not in match.namespaces or not request.user.is_staff:
        return None
    words = words_if_archived(feature)
    if not words:
        return None
    messages.info(request, words)
    if request.method == "POST":
        messages.warning(request, str(NOT_SAVED))
    return SeeOther(reverse("admin:index"))


def keep(request: HttpRequest, slug: str) -> bool:
    """Keep what was posted and mark the draft as turned away, if there is anything to keep.

    :returns: whether there is a draft now that is marked.

    Whoever has not begun, is no student, or is enrolled already gets the plain form's own answer.
    """
    if request.method == "POST" and not request.user.is_authenticated:
        messages.warning(request, str(NOT_SAVED))
        return False
    student = student_of(request.user)
    course = Course.objects.filter(slug=slug).first()
    if student is None or course is None or live_enrollment(student=student, course=course):
        return False
    if request.method != "POST" and drafts.open_draft(student=student, course=course) is None:
        return False
    save = partial(
        drafts.save, student=student, course=course, now=timezone.now(), turned_away=True
    )
    try:
        save(answers=request.POST.dict())
    except drafts.DraftTooLarge as refused:
        messages.error(request, str(refused))
        with suppress(drafts.DraftRefused):
            save(answers={})
    except drafts.DraftRefused:
        # Enrolled by another press a moment ago: the original form leads to that enrollment.
        return False
    return True


def _remember(response: HttpResponse, visitor: str) -> None:
    response.set_cookie(
        switchboard.VISITOR_COOKIE,
        switchboard.visitor_cookie(visitor),
        max_age=YEAR,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
