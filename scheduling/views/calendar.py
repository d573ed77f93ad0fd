"""The month table of somebody's own lessons, for students and teachers."""

from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from enrollment.models import Teacher
from enrollment.queries.people import student_of, teacher_of
from scheduling.domain.month import FIRST_YEAR, LAST_YEAR
from scheduling.queries.calendar import month_of
from scheduling.queries.versions import version
from scheduling.views import fresh


@login_required
def show(request: HttpRequest, year: int | None = None, month: int | None = None) -> HttpResponse:
    """This month on the person's own clock, or the named one."""
    person = student_of(request.user) or teacher_of(request.user)
    if person is None:
        return redirect("enrollment:home")
    now, read_at = timezone.now(), version()
    today = now.astimezone(ZoneInfo(person.zone)).date()
    if year is None or month is None:
        year, month = today.year, today.month
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        raise Http404
    shown = month_of(person=person, year=year, month=month, now=now)
    context = {
        "month": shown,
        "teaches": isinstance(person, Teacher),
        "now": now,
        "today": today,
        "version": read_at,
    }
    if "X-Refresh" in request.headers:
        table = render(request, "calendar/parts/table.html", context)
        return fresh.answered(request, table, version=read_at)
    return render(request, "calendar/month.html", context)
