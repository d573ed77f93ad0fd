"""Moving and cancelling one lesson, by its student and its teacher. Works without JavaScript."""

from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher, User
from enrollment.operations.lessons import SlotTaken
from enrollment.queries.people import zone_of
from enrollment.views.login import login_first
from scheduling.domain import choice
from scheduling.forms import CancelForm, FilterForm, MoveForm
from scheduling.operations.booking import (
    BookingRefused,
    NotPlanned,
    TooLate,
    cancel_lesson,
    move_lesson,
)
from scheduling.queries.deadlines import Deadlines, deadlines_of
from scheduling.queries.offers import offer_for
from scheduling.refusals import why_not_booked
from scheduling.views.booking import back_to


@never_cache
@login_first
def move(request: HttpRequest, lesson: int) -> HttpResponse:
    found = _theirs(request, lesson)
    now = timezone.now()
    until = _deadlines(found)
    refused = _why_not(found, until.move, now=now)
    if refused is not None:
        return _refused(request, found, refused, title=_("Not moved"))
    if request.method != "POST":
        return _show_times(request, found, MoveForm(course=found.course), until=until)
    form = MoveForm(request.POST, course=found.course, teachers=_teachers(request, found))
    if not form.is_valid():
        return _show_times(request, found, form, until=until, status=422)
    try:
        move_lesson(
            lesson=found,
            teacher=form.cleaned_data["teacher"],
            starts_at=form.cleaned_data["slot"],
            by=cast(User, request.user),
            now=now,
            reason=form.cleaned_data["reason"],
        )
    except SlotTaken:
        return _show_times(request, found, form, until=until, status=409)
    except BookingRefused as refusal:
        return _refused(request, found, refusal, title=_("Not moved"))
    messages.success(request, _("The lesson is moved."))
    return back_to(request, found.enrollment)


@never_cache
@login_first
def cancel(request: HttpRequest, lesson: int) -> HttpResponse:
    found = _theirs(request, lesson)
    now = timezone.now()
    until = _deadlines(found)
    refused = _why_not(found, until.cancel, now=now)
    if refused is not None:
        return _refused(request, found, refused, title=_("Not cancelled"))
    form = CancelForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {**_context(request, found, until), "form": form}
        status = 422 if form.is_bound else 200
        return render(request, "scheduling/cancel_lesson.html", context, status=status)
    try:
        cancel_lesson(
            lesson=found,
            by=cast(User, request.user),
            now=now,
            reason=form.cleaned_data["reason"],
        )
    except BookingRefused as refusal:
        return _refused(request, found, refusal, title=_("Not cancelled"))
    messages.success(request, _("The lesson is cancelled."))
    return back_to(request, found.enrollment)


def _theirs(request: HttpRequest, pk: int) -> Lesson:
    """:raises Http404: for everybody else; the office moves lessons in its own pages."""
    user = cast(User, request.user)
    lessons = Lesson.objects.filter(Q(student__user=user) | Q(teacher__user=user))
    known = lessons.exclude(status=LessonStatus.HELD).select_related(
        "course", "teacher__user", "student__user", "enrollment__student__user"
    )
    return get_object_or_404(known, pk=pk)


def _deadlines(lesson: Lesson) -> Deadlines:
    ((_lesson, until),) = deadlines_of([lesson])
    return until


def _why_not(lesson: Lesson, deadline: datetime, *, now: datetime) -> BookingRefused | None:
    """Before anything is asked; the operation asks again under its locks."""
    if lesson.status != LessonStatus.PLANNED:
        return NotPlanned()
    return TooLate(deadline) if now > deadline or now >= lesson.starts_at else None


def _teachers(request: HttpRequest, lesson: Lesson) -> QuerySet[Teacher]:
    """A student may go to another teacher of the course; a teacher has their own times only."""
    is_student = lesson.student.user_id == request.user.pk
    others = Q(courses=lesson.course) if is_student else Q()
    own = Q(pk=lesson.teacher_id)
    return Teacher.objects.filter(own | others if is_student else own).distinct()


def _show_times(
    request: HttpRequest,
    lesson: Lesson,
    form: MoveForm,
    *,
    until: Deadlines,
    status: int = 200,
) -> HttpResponse:
    teachers = _teachers(request, lesson)
    posted: dict[str, Any] = getattr(form, "cleaned_data", {})
    asked, week = FilterForm(request.GET, course=lesson.course, teachers=teachers).asked()
    chosen = posted.get("slot")
    offer = offer_for(
        student=lesson.student,
        course=lesson.course,
        now=timezone.now(),
        teacher=posted.get("teacher") or asked or lesson.teacher,
        week=week,
        wanted=chosen,
        teachers=list(teachers),
        apart_from=lesson,
        viewer=zone_of(request.user),
    )
    context = {
        **_context(request, lesson, until),
        "form": form,
        "offer": offer,
        "chosen": choice.as_text(chosen) if chosen else "",
    }
    return render(request, "scheduling/move_lesson.html", context, status=status)


def _context(request: HttpRequest, lesson: Lesson, until: Deadlines) -> dict[str, Any]:
    return {
        "lesson": lesson,
        "until": until,
        "enrollment": lesson.enrollment,
        "course": lesson.course,
        "is_student": lesson.student.user_id == request.user.pk,
        "zone": zone_of(request.user),
    }


def _refused(
    request: HttpRequest, lesson: Lesson, refused: BookingRefused, *, title: str
) -> HttpResponse:
    context = {
        "lesson": lesson,
        "enrollment": lesson.enrollment,
        "title": title,
        "why": why_not_booked(refused, zone=zone_of(request.user)),
    }
    # What was asked for is a page that says so; what was posted was refused.
    status = 409 if request.method == "POST" else 200
    return render(request, "scheduling/not_possible.html", context, status=status)
