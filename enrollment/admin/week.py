"""A week of one teacher and a day of all: to be read, printed, and planned from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from enrollment.admin.fields import DayField
from enrollment.domain.clock import instant_or_instead
from enrollment.domain.nearby import CLOSES, OPENS, STEP
from enrollment.domain.states import LessonStatus
from enrollment.domain.weeks import FIRST_DAY, LAST_DAY, gaps, monday_of
from enrollment.models import Lesson, Teacher
from enrollment.queries.timetable import timetable

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """On the teacher's clock. lesson: None where nothing stands, and something may be planned.

    group: everybody of a group lesson, `lesson` the first of them.
    """

    starts: datetime
    ends: datetime
    lesson: Lesson | None = None
    group: tuple[Lesson, ...] = ()

    @property
    def open_seats(self) -> int:
        return max((one.seats for one in self.group), default=0) - len(self.group)


@dataclass(frozen=True, kw_only=True)
class Day:
    on: date
    today: bool
    entries: list[Entry]


class DayForm(forms.Form):
    on = DayField(label=gettext_lazy("Day"), required=False)
    cancelled = forms.BooleanField(
        label=gettext_lazy("Cancelled lessons too"), required=False, widget=UnfoldBooleanWidget
    )


class WeekForm(DayForm):
    teacher = forms.ModelChoiceField(
        label=gettext_lazy("Teacher"),
        queryset=Teacher.objects.all(),
        widget=UnfoldAdminSelectWidget,
        empty_label=gettext_lazy("Choose a teacher"),
    )
    field_order = ("teacher", "on", "cancelled")


def week_page(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    form = WeekForm(request.GET if "teacher" in request.GET else None)
    context: dict[str, Any] = {"title": _("Week by teacher"), "form": form}
    if form.is_valid():
        teacher = form.cleaned_data["teacher"]
        today = timezone.localdate(now, ZoneInfo(teacher.zone))
        monday = monday_of(form.cleaned_data["on"] or today)
        lessons = timetable(
            since=_midnight(monday, teacher.zone),
            until=_midnight(monday + WEEK, teacher.zone),
            now=now,
            teacher=teacher,
            with_cancelled=form.cleaned_data["cancelled"],
        )
        context |= {
            "teacher": teacher,
            "days": days_of(lessons, monday=monday, zone=teacher.zone, today=today),
            "last_on": monday + WEEK - DAY,
        } | _steps(monday, WEEK)
    return _page(admin, request, "week", context | {"now": now})


def day_page(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Each teacher's own day, on their own clock: in Adelaide it begins while it ends in Lisbon."""
    now = timezone.now()
    form = DayForm(request.GET or None)
    valid = form.is_valid()
    on = (form.cleaned_data["on"] if valid else None) or timezone.localdate(now)
    around = timetable(
        since=_midnight(on - DAY, "UTC"),
        until=_midnight(on + 2 * DAY, "UTC"),
        now=now,
        with_cancelled=valid and form.cleaned_data["cancelled"],
    )
    context = {
        "title": _("Day of all teachers"),
        "form": form,
        "on": on,
        "teachers": teachers_of(around, on=on),
    }
    return _page(admin, request, "day", context | _steps(on, DAY) | {"now": now})


def days_of(lessons: Iterable[Lesson], *, monday: date, zone: str, today: date) -> list[Day]:
    """Lessons and the gaps between them; a lesson stands where it begins."""
    known = list(lessons)
    entries = [_entry(group, zone) for group in together(known)]
    # With the minutes kept free: what is shown as free can be planned.
    busy = [
        (one.busy.lower, one.busy.upper) for one in known if one.status != LessonStatus.CANCELLED
    ]
    days = [monday + number * DAY for number in range(7)]
    return [
        Day(
            on=on,
            today=on == today,
            entries=sorted(
                [one for one in entries if one.starts.date() == on] + _free(busy, on, zone),
                key=lambda one: (one.starts, one.lesson is None),
            ),
        )
        for on in days
    ]


def teachers_of(lessons: Iterable[Lesson], *, on: date) -> list[tuple[Teacher, list[Entry]]]:
    """By name; only those whose lessons begin on that day of theirs."""
    by_teacher: dict[Teacher, list[Entry]] = {}
    for group in together(lessons):
        teacher = group[0].teacher
        entry = _entry(group, teacher.zone)
        if entry.starts.date() == on:
            by_teacher.setdefault(teacher, []).append(entry)
    return sorted(by_teacher.items(), key=lambda pair: (pair[0].display_name, pair[0].pk))


def together(lessons: Iterable[Lesson]) -> list[list[Lesson]]:
    """A group lesson is a row for each student; who has cancelled stands alone. In the order given."""
    groups: dict[Any, list[Lesson]] = {}
    for one in lessons:
        shared = one.seats > 1 and one.status != LessonStatus.CANCELLED
        key = (one.teacher_id, one.course_id, one.period) if shared else one.pk
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _entry(group: Sequence[Lesson], zone: str) -> Entry:
    clock = ZoneInfo(zone)
    lesson = group[0]
    shared = lesson.seats > 1 and lesson.status != LessonStatus.CANCELLED
    return Entry(
        starts=lesson.starts_at.astimezone(clock),
        ends=lesson.ends_at.astimezone(clock),
        lesson=lesson,
        group=tuple(group) if shared else (),
    )


def _free(busy: list[tuple[datetime, datetime]], on: date, zone: str) -> list[Entry]:
    opens, closes = (
        instant_or_instead(on=on, at=at, zone=zone).astimezone(ZoneInfo(zone))
        for at in (OPENS, CLOSES)
    )
    free = gaps(busy, opens=opens, closes=closes, shortest=STEP)
    return [Entry(starts=start, ends=end) for start, end in free]


def _midnight(on: date, zone: str) -> datetime:
    return instant_or_instead(on=on, at=time(), zone=zone)


def _steps(first: date, step: timedelta) -> dict[str, date | None]:
    """Where the page's links lead; None beyond what it shows."""
    before, after = first - step, first + step
    return {
        "before": before if before >= FIRST_DAY else None,
        "after": after if after <= LAST_DAY else None,
    }


def _page(
    admin: ModelAdmin, request: HttpRequest, name: str, context: dict[str, Any]
) -> HttpResponse:
    common = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "may_add": admin.has_add_permission(request),
    }
    return TemplateResponse(request, f"admin/enrollment/lesson/{name}.html", common | context)
