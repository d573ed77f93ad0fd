"""The month table of somebody's own lessons, for students and teachers."""

from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from enrollment.queries.people import student_of, teacher_of
from scheduling.domain.month import FIRST_YEAR, LAST_YEAR
from scheduling.queries.calendar import month_of


@login_required
def show(request: HttpRequest, year: int | None = None, month: int | None = None) -> HttpResponse:
    """This month on the person's own clock, or the named one."""
    student = student_of(request.user)
    teacher = None if student else teacher_of(request.user)
    person = student or teacher
    if person is None:
        return redirect("enrollment:home")
    now = timezone.now()
    today = now.astimezone(ZoneInfo(person.zone)).date()
    year, month = year or today.year, month or today.month
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        raise Http404
    shown = month_of(student=student, teacher=teacher, year=year, month=month, now=now)
    context = {"month": shown, "teaches": teacher is not None, "now": now, "today": today}
    return render(request, "calendar/month.html", context)
