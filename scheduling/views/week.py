"""A teacher's own week, and the lessons they will give."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import ngettext

from enrollment.domain.weeks import monday_of
from enrollment.models import Teacher
from scheduling.forms import WeekForm
from scheduling.queries.given import coming_lessons, gathered
from scheduling.queries.week import week_of_teacher
from scheduling.views.changed import page_of
from scheduling.views.who import teacher_page

WEEK, SUNDAY = timedelta(days=7), timedelta(days=6)
# A year, as far as something can be booked, and back as far again.
AROUND = 51 * WEEK
LESSONS = 50


@teacher_page
def my_week(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    now = timezone.now()
    today = now.astimezone(ZoneInfo(teacher.zone)).date()
    first, last = monday_of(today) - AROUND, monday_of(today) + AROUND
    form = WeekForm(request.GET, teacher=teacher, first=first, last=last + SUNDAY)
    course, on = form.asked()
    courses = list(teacher.courses.all())
    monday = monday_of(on or today)
    week = week_of_teacher(
        teacher=teacher, course=course or next(iter(courses), None), monday=monday, now=now
    )
    context: dict[str, Any] = {"week": week, "courses": courses}
    context["before"] = monday - WEEK if monday > first else None
    context["after"] = monday + WEEK if monday < last else None
    context["notice"] = _duration(week.policy.notice_minutes)
    return render(request, "scheduling/week.html", page_of(teacher, now=now, **context))


def _duration(minutes: int) -> str:
    """In hours where they are whole ones; empty for none."""
    if not minutes:
        return ""
    hours, rest = divmod(minutes, 60)
    if rest:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}


@teacher_page
def my_lessons(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    now = timezone.now()
    rows = coming_lessons(teacher=teacher, now=now)
    page = Paginator(rows, LESSONS).get_page(request.GET.get("page"))
    context = page_of(teacher, now=now, page=page)
    hours_say = {one.period: one.outside for one in context["outside"]}
    context["lessons"] = gathered(page.object_list, hours_say)
    return render(request, "scheduling/lessons.html", context)
