"""“Report a problem”, for everybody and from everywhere. Behind no door, with or without a login."""

import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from enrollment.api.throttling import Nobody, add
from rollback import complaints, switchboard
from rollback.complaints.forms import ReportForm
from rollback.doors.addresses import shown_address
from rollback.doors.middleware import SeeOther

LONGEST_PATH = 300
PERSON = (5, 600)  # so many in so many seconds
# Of those who have not logged in, and so are whoever they say they are. No more than the trigger
# "complaints" bears, which counts them as one person besides.
ADDRESS = (5, 3600)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        page = own_path(request.GET.get("from") or _came_from(request))
        return _form(request, ReportForm(), page)
    page = own_path(request.POST.get("page", ""))
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _form(request, form, page, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if (seconds := seconds_to_wait(request)) > 0:
        form.add_error(None, _please_wait(seconds))
        return _form(request, form, page, status=HTTPStatus.TOO_MANY_REQUESTS)
    complaints.report(
        **form.cleaned_data,
        path=shown_address(page) if page else "",
        reporter=_reporter(request),
        user=request.user if request.user.is_authenticated else None,
        features=switchboard.flags_on(request),
    )
    return SeeOther(f"{reverse('watch:thanks')}?{urlencode({'from': page})}")


@never_cache
@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    back = way_back(own_path(request.GET.get("from", "")))
    return render(request, "complaints/thanks.html", {"back": back})


def own_path(text: str) -> str:
    """A path of ours as somebody names it, without what follows it; empty if it is none."""
    path = text.partition("?")[0].partition("#")[0]
    ours = (
        path.startswith("/")
        and len(path) <= LONGEST_PATH
        and path.isprintable()
        and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    )
    return path if ours and not path.startswith(reverse("watch:report")) else ""


def way_back(page: str) -> str:
    """Where they were, if one can go there; empty where part of the address was left out."""
    try:
        resolve(page)
    except Resolver404:
        return ""
    return page if page and shown_address(page) == page else ""


def seconds_to_wait(request: HttpRequest) -> int:
    """Counts this one. :returns: 0 if it may be sent."""
    if request.user.is_authenticated:
        key, (most, seconds) = f"person-{request.user.pk}", PERSON
    else:
        key, (most, seconds) = f"address-{_address(request)}", ADDRESS
    return _wait(key, most=most, seconds=seconds, now=time.time())


def _reporter(request: HttpRequest) -> str:
    if request.user.is_authenticated:
        return switchboard.subject_of(request).key
    return complaints.somebody_at(_address(request), now=timezone.now())


def _address(request: HttpRequest) -> str:
    return Nobody().get_ident(request)  # type: ignore[arg-type]


def _wait(key: str, *, most: int, seconds: int, now: float) -> int:
    window = int(now // seconds)
    ends = (window + 1) * seconds
    count = add(f"report-{key}-{window}", 1, seconds=ends - now)
    return 0 if count <= most else max(1, round(ends - now))


def _please_wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    words = ngettext(
        "You have sent several reports in a short time. What you typed is still here: send it in "
        "%(minutes)s minute, or write to the office.",
        "You have sent several reports in a short time. What you typed is still here: send it in "
        "%(minutes)s minutes, or write to the office.",
        minutes,
    )
    return words % {"minutes": minutes}


def _came_from(request: HttpRequest) -> str:
    """For links that cannot say it, like the office's menu. Browsers tell it to our own pages alone."""
    parts = urlsplit(request.headers.get("Referer", ""))
    return parts.path if parts.netloc == request.get_host() else ""


def _form(
    request: HttpRequest, form: ReportForm, page: str, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "page": page,
        "shown_page": shown_address(page) if page else "",
        "back": way_back(page),
    }
    return render(request, "complaints/report.html", context, status=status)
