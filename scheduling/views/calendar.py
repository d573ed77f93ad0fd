"""My calendar, for students and teachers: a month, a week, or a list. Works without JavaScript.

Each of the three has one address. A program on the page (htmx) gets the part that changes from it, with
an ETag, and 304 without any rendering while what it shows is what is in there.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import wraps
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import parse_etags
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers

from enrollment import sockets
from enrollment.known import as_of
from enrollment.models import User
from enrollment.queries.people import student_of, teacher_of
from scheduling.domain.month import FIRST_DAY, FIRST_YEAR, LAST_DAY, LAST_YEAR
from scheduling.domain.shown import tag_of
from scheduling.queries.calendar import Reader, list_of, month_of, week_of
from scheduling.views.fresh import VERSION

MONTHS = 12
# A fragment's address is its page's, so the two must never be taken for each other.
BY_HTMX = ("HX-Request", "HX-History-Restore-Request")


def _reader_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For who has lessons; `view` is given the person, their date and the moment."""

    @never_cache
    @vary_on_headers(*BY_HTMX)
    @login_required
    @wraps(view)
    def page(request: HttpRequest, **asked: Any) -> HttpResponse:
        person = student_of(request.user) or teacher_of(request.user)
        if person is None:
            return redirect("enrollment:home")
        now = timezone.now()
        today = now.astimezone(ZoneInfo(person.zone)).date()
        return view(request, person, today=today, now=now, **asked)

    return page


@_reader_page
def month(
    request: HttpRequest,
    person: Reader,
    *,
    today: date,
    now: datetime,
    year: int | None = None,
    month: int | None = None,
) -> HttpResponse:
    """This month on the person's own clock, or the named one."""
    if year is None or month is None:
        year, month = today.year, today.month
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= MONTHS):
        raise Http404
    shown = month_of(person=person, year=year, month=month, now=now)
    return _answer(request, "month", {"shown": shown})


@_reader_page
def week(
    request: HttpRequest, person: Reader, *, today: date, now: datetime, on: date | None = None
) -> HttpResponse:
    shown = week_of(person=person, on=_shown_day(on or today), now=now)
    return _answer(request, "week", {"shown": shown})


@_reader_page
def agenda(
    request: HttpRequest, person: Reader, *, today: date, now: datetime, on: date | None = None
) -> HttpResponse:
    """Four weeks from today on, or from the named day, with what can be done with each lesson."""
    shown, lessons = list_of(person=person, first=_shown_day(on or today), now=now)
    actions = sockets.actions_for(user=cast(User, request.user), lessons=lessons, now=now)
    return _answer(request, "list", {"shown": shown, "actions": actions})


def _shown_day(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Http404
    return day


def _answer(request: HttpRequest, view: str, shown: Mapping[str, Any]) -> HttpResponse:
    """shown: all that the templates look at, so all that the ETag stands for, beside the language."""
    tag = tag_of(view, get_language(), *shown.values())
    version = as_of(request.user)
    context = {"view": view, "tag": tag, "version": version, **shown}
    if not _by_htmx(request):
        return render(request, "calendar/page.html", context)
    response: HttpResponse
    known = [
        one.removeprefix("W/") for one in parse_etags(request.headers.get("If-None-Match", ""))
    ]
    if tag in known:
        response = HttpResponseNotModified()
    else:
        # Somebody went on to another month: the title changes, and it is said aloud.
        context["went_on"] = request.headers.get("HX-Boosted") == "true"
        response = render(request, "calendar/fragment.html", context)
    response.headers["ETag"], response.headers[VERSION] = tag, version
    return response


def _by_htmx(request: HttpRequest) -> bool:
    """Back and forth in the browser's history is answered with the whole page."""
    asked, restored = (request.headers.get(name) == "true" for name in BY_HTMX)
    return asked and not restored
