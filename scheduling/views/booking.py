"""More lessons of an enrollment: one, or a series whose weeks are shown first. Works without JavaScript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Enrollment, Teacher, User
from enrollment.operations.lessons import SlotTaken
from enrollment.queries.messages import threads_of
from enrollment.queries.people import zone_of
from enrollment.views.login import login_first
from enrollment.views.see_other import see_other
from scheduling.domain import choice
from scheduling.domain.series import weekly
from scheduling.forms import BookForm, ChoiceForm, FilterForm, SeriesForm
from scheduling.operations.booking import (
    BookingRefused,
    EnrollmentNotLive,
    WeeksTaken,
    book_lesson,
    book_series,
)
from scheduling.queries.offers import offer_for
from scheduling.queries.series import SeriesWeek, look_ahead
from scheduling.refusals import why_not_booked

LEAVE_OUT = "leave"


@never_cache
@login_first
def book(request: HttpRequest, enrollment: int) -> HttpResponse:
    found = _theirs(request, enrollment)
    if found.status not in LIVE_ENROLLMENT:
        return _refused(request, found, EnrollmentNotLive())
    if request.method != "POST":
        return _show_times(request, found, BookForm(course=found.course))
    form = BookForm(request.POST, course=found.course, teachers=_teachers(request, found))
    if not form.is_valid():
        return _show_times(request, found, form, status=422)
    if form.cleaned_data["repeat"]:
        return see_other("scheduling:series", found.pk, at=f"?{_which(form)}")
    return _book(request, found, form)


def _book(request: HttpRequest, enrollment: Enrollment, form: BookForm) -> HttpResponse:
    try:
        book_lesson(
            enrollment=enrollment,
            teacher=form.cleaned_data["teacher"],
            starts_at=form.cleaned_data["slot"],
            by=cast(User, request.user),
            now=timezone.now(),
        )
    except SlotTaken:
        return _show_times(request, enrollment, form, status=409)
    except BookingRefused as refused:
        return _refused(request, enrollment, refused)
    messages.success(request, _("The lesson is booked."))
    return back_to(request, enrollment)


def _which(form: BookForm) -> str:
    """The series as an address: the preview can be gone back to, and loses nothing."""
    answers = form.cleaned_data
    return urlencode(
        {
            "teacher": answers["teacher"].pk,
            "slot": choice.as_text(answers["slot"]),
            "every": answers["repeat"],
            "count": answers["count"],
        }
    )


def _theirs(request: HttpRequest, pk: int) -> Enrollment:
    """:raises Http404: for everybody who neither takes nor gives its lessons."""
    rows = threads_of(cast(User, request.user))
    return get_object_or_404(rows.select_related("course", "student__user"), pk=pk)


def _teachers(request: HttpRequest, enrollment: Enrollment) -> QuerySet[Teacher]:
    """A student chooses among those of the course; a teacher has their own times only."""
    teachers = enrollment.course.teachers.all()
    is_student = enrollment.student.user_id == request.user.pk
    return teachers if is_student else teachers.filter(user=cast(User, request.user))


def _show_times(
    request: HttpRequest, enrollment: Enrollment, form: BookForm, *, status: int = 200
) -> HttpResponse:
    """409: the nearest times instead of the one that is gone."""
    teachers = _teachers(request, enrollment)
    posted: dict[str, Any] = getattr(form, "cleaned_data", {})
    asked, week = FilterForm(request.GET, course=enrollment.course, teachers=teachers).asked()
    own = next((one for one in teachers if one.pk == enrollment.teacher_id), None)
    chosen = posted.get("slot")
    offer = offer_for(
        student=enrollment.student,
        course=enrollment.course,
        now=timezone.now(),
        teacher=posted.get("teacher") or asked or own,
        week=week,
        wanted=chosen,
        teachers=list(teachers),
        viewer=zone_of(request.user),
    )
    context = {
        "enrollment": enrollment,
        "course": enrollment.course,
        "is_student": enrollment.student.user_id == request.user.pk,
        "zone": zone_of(request.user),
        "form": form,
        "offer": offer,
        "chosen": choice.as_text(chosen) if chosen else "",
    }
    return render(request, "scheduling/book.html", context, status=status)


def _refused(request: HttpRequest, enrollment: Enrollment, refused: BookingRefused) -> HttpResponse:
    context = {
        "enrollment": enrollment,
        "title": _("Nothing was booked"),
        "why": why_not_booked(refused, zone=zone_of(request.user)),
    }
    return render(request, "scheduling/not_possible.html", context, status=409)


def back_to(request: HttpRequest, enrollment: Enrollment | None) -> HttpResponse:
    """Where the lessons stand: a student's enrollment, or all the lessons somebody gives."""
    if enrollment is not None and enrollment.student.user_id == request.user.pk:
        return see_other("enrollment:enrolled", enrollment.pk)
    return see_other("enrollment:home")


# --------------------------------------------------------------------------- series


@dataclass(frozen=True, kw_only=True)
class Row:
    """One week and what may be chosen for it. far: too far ahead, so there is nothing to choose."""

    name: str
    week: SeriesWeek
    chosen: str


@never_cache
@login_first
def series(request: HttpRequest, enrollment: int) -> HttpResponse:
    found = _theirs(request, enrollment)
    posted = request.POST.dict() if request.method == "POST" else None
    asked = SeriesForm(
        request.GET if posted is None else posted,
        course=found.course,
        teachers=_teachers(request, found),
    )
    if not asked.is_valid():
        # An address that was cut, or a teacher who has left: choose again.
        return see_other("scheduling:book", found.pk)
    if posted is None:
        return _show_series(request, found, asked)
    return _book_series(request, found, asked, posted)


def _book_series(
    request: HttpRequest, enrollment: Enrollment, asked: SeriesForm, posted: Mapping[str, str]
) -> HttpResponse:
    starts = [at for name in _names(asked) if (at := choice.from_text(posted.get(name, "")))]
    if not starts:
        alert = _("Every week is left out, so there is nothing to book.")
        return _show_series(request, enrollment, asked, posted=posted, alert=alert, status=422)
    try:
        done = book_series(
            enrollment=enrollment,
            teacher=asked.cleaned_data["teacher"],
            starts=starts,
            skip=posted.get("skip") == "on",
            by=cast(User, request.user),
            now=timezone.now(),
        )
    except SlotTaken as taken:
        alert = _too_late(taken, enrollment)
        return _show_series(request, enrollment, asked, posted=posted, alert=alert, status=409)
    except BookingRefused as refused:
        return _refused(request, enrollment, refused)
    count = len(done.booked)
    words = ngettext("%(count)d lesson is booked.", "%(count)d lessons are booked.", count)
    messages.success(request, words % {"count": count})
    if done.skipped:
        count = len(done.skipped)
        left = ngettext("%(count)d was not free.", "%(count)d were not free.", count)
        messages.warning(request, left % {"count": count})
    return back_to(request, enrollment)


def _too_late(taken: SlotTaken, enrollment: Enrollment) -> str:
    count = len(taken.weeks) if isinstance(taken, WeeksTaken) else 1
    words = ngettext(
        "Nothing was booked: %(count)d of the chosen times is not free any more. "
        "Choose again for its week.",
        "Nothing was booked: %(count)d of the chosen times are not free any more. "
        "Choose again for their weeks.",
        count,
    )
    return words % {"count": count}


def _show_series(
    request: HttpRequest,
    enrollment: Enrollment,
    asked: SeriesForm,
    *,
    posted: Mapping[str, str] | None = None,
    alert: str = "",
    status: int = 200,
) -> HttpResponse:
    teacher: Teacher = asked.cleaned_data["teacher"]
    weeks = look_ahead(
        student=enrollment.student,
        course=enrollment.course,
        teacher=teacher,
        starts=_starts(asked, teacher),
        now=timezone.now(),
        viewer=zone_of(request.user),
    )
    rows = [_row(name, week, posted) for name, week in zip(_names(asked), weeks, strict=True)]
    near = [row for row in rows if row.week.why != "horizon" or row.week.instead]
    context = {
        "enrollment": enrollment,
        "course": enrollment.course,
        "zone": zone_of(request.user),
        "teacher": teacher,
        "asked": asked,
        "rows": near,
        "far": [row for row in rows if row not in near],
        "free": sum(row.week.why is None for row in rows),
        "alert": alert,
        "skip": posted is not None and posted.get("skip") == "on",
        "leave_out": LEAVE_OUT,
    }
    return render(request, "scheduling/series.html", context, status=status)


def _starts(asked: SeriesForm, teacher: Teacher) -> list[int]:
    """On the teacher's wall clock, where hours are kept."""
    answers = asked.cleaned_data
    first: datetime = answers["slot"]
    return weekly(
        first, zone=ZoneInfo(teacher.zone), count=answers["count"], every=answers["every"]
    )


def _names(asked: ChoiceForm) -> Sequence[str]:
    return [f"week-{number}" for number in range(1, asked.cleaned_data["count"] + 1)]


def _row(name: str, week: SeriesWeek, posted: Mapping[str, str] | None) -> Row:
    """What was chosen stays chosen while it can be; of a week that is not free nothing is."""
    offered = [slot.value for slot in week.instead]
    if week.why is None:
        offered.append(week.slot.value)
    first = week.slot.value if week.why is None else LEAVE_OUT
    chosen = first if posted is None else posted.get(name, "")
    return Row(name=name, week=week, chosen=chosen if chosen in offered else LEAVE_OUT)
