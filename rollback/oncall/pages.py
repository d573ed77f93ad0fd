"""“I am at it”, from the mail: the link is the key, so that nobody has to log in at three in the morning.

GET changes nothing: mail scanners follow every link. Nothing of an incident is shown but its title, how
bad it is and since when.
"""

import time
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from enrollment.api.throttling import Nobody, add
from enrollment.models import User
from enrollment.queries.people import zone_of
from rollback.audit import ChangeRefused, actor_of
from rollback.models import Page
from rollback.oncall import acknowledging, telling
from rollback.outbox import values

# From one address, in so many seconds. Whoever has a link needs two; a key cannot be guessed in any number.
MOST, SECONDS = 60, 600


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge(request: HttpRequest, call: str) -> HttpResponse:
    if _asks_too_often(request):
        return render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    found = acknowledging.of_token(call)
    if found is None:
        raise Http404
    page, user = found
    if request.method == "POST":
        return _done(request, page, user, call)
    return _shown(request, page, user)


def _done(request: HttpRequest, page: Page, user: User, call: str) -> HttpResponse:
    try:
        acknowledging.acknowledge(page=page.pk, actor=actor_of(user))
    except ChangeRefused:  # somebody was faster, or it is over: that is what the page says
        page.refresh_from_db()
        return _shown(request, page, user, status=HTTPStatus.CONFLICT)
    response = HttpResponseRedirect(reverse("oncall:acknowledge", args=[call]))
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _shown(
    request: HttpRequest, page: Page, user: User, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    zone, incident = zone_of(user), page.incident
    is_staff = request.user.is_authenticated and request.user.is_staff
    at = page.acknowledged_at
    context = {
        "waits": acknowledging.waits(page),
        "is_test": page.kind == Page.Kind.TEST,
        "title": telling.title_of(page),
        "severity": incident.get_severity_display() if incident else "",
        "since": values.moment(telling.began_at(page), zone=zone),
        "acknowledged": values.moment(at, zone=zone) if at else "",
        "is_theirs": at is not None and page.acknowledged_by_id == user.pk,
        "by": page.acknowledged_by_name if is_staff else "",
        "is_over": page.closed_at is not None,
    }
    return render(request, "oncall/acknowledge.html", context, status=status)


def _asks_too_often(request: HttpRequest) -> bool:
    now = time.time()
    window = int(now // SECONDS)
    ends = (window + 1) * SECONDS
    address = Nobody().get_ident(request)  # type: ignore[arg-type]
    return add(f"on-call-{address}-{window}", 1, seconds=ends - now) > MOST
