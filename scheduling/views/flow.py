"""The new flow: choose a time, tell the details, confirm. Works without JavaScript."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from enrollment.models import Course, Enrollment, Student
from enrollment.operations.enroll import AlreadyEnrolled, EnrollmentRefused, check_can_enroll
from enrollment.operations.lessons import HoldExpired, SlotTaken
from enrollment.refusals import why_refused
from enrollment.views.see_other import see_other
from rollback.drafts import DraftRefused
from scheduling.domain.choice import as_text
from scheduling.forms import ChoiceForm, DetailsForm, FilterForm
from scheduling.operations import flow
from scheduling.queries.offers import offer_for
from scheduling.queries.progress import progress
from scheduling.views.who import student_step


@never_cache
@student_step
def choose(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    if request.method == "POST":
        return _choose(request, student, course)
    now = timezone.now()
    try:
        check_can_enroll(student=student, course=course, teacher=None, now=now)
    except EnrollmentRefused as refused:
        context = {"course": course, "why": why_refused(refused)}
        return render(request, "scheduling/refused.html", context)
    return _show_offer(request, student, course, now=now)


def _choose(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now, form = timezone.now(), ChoiceForm(request.POST, course=course)
    if not form.is_valid():
        return _choose_again(request, student, course, form, now=now, status=422)
    teacher, starts_at = form.cleaned_data["teacher"], form.cleaned_data["slot"]
    try:
        flow.choose(student=student, course=course, teacher=teacher, starts_at=starts_at, now=now)
    except SlotTaken:
        return _choose_again(request, student, course, form, now=now, status=409)
    except AlreadyEnrolled as already:
        return see_other("enrollment:enrolled", already.enrollment.pk)
    except EnrollmentRefused as refused:
        form.add_error(None, in_words(refused))
        return _choose_again(request, student, course, form, now=now, status=422)
    except DraftRefused as refused:
        form.add_error(None, in_words(refused))
        return _show_offer(request, student, course, now=now, form=form, status=422)
    return see_other("scheduling:details", course.slug)


def _choose_again(
    request: HttpRequest,
    student: Student,
    course: Course,
    form: ChoiceForm,
    *,
    now: datetime,
    status: int,
) -> HttpResponse:
    known = progress(student=student, course=course, now=now)
    # A wish like any other, unless another time is held: that one stays the student's choice.
    # A teacher alone is none, and beside the time of another teacher it would be a wrong one.
    if known.hold is None and "slot" in form.cleaned_data:
        _keep_typed(request, student, course, step="choose", now=now)
    return _show_offer(request, student, course, now=now, form=form, status=status)


def _keep_typed(
    request: HttpRequest, student: Student, course: Course, *, step: str, now: datetime
) -> None:
    """Before a redirect or a refusal: without JavaScript nothing else has saved what was typed."""
    typed = request.POST.dict()
    try:
        flow.keep_typed(student=student, course=course, typed=typed, step=step, now=now)
    except DraftRefused as refused:
        messages.error(request, in_words(refused))


def _show_offer(
    request: HttpRequest,
    student: Student,
    course: Course,
    *,
    now: datetime,
    form: ChoiceForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """What was posted counts most, then what the address asks for, then the draft."""
    known = progress(student=student, course=course, now=now)
    asked_teacher, asked_week = FilterForm(request.GET, course=course).asked()
    posted: dict[str, Any] = form.cleaned_data if form else {}
    chosen_teacher = posted.get("teacher") or known.teacher
    chosen = posted.get("slot") or known.starts_at
    # Whoever looks around is not told again and again that an old choice is gone.
    looks_around = not form and (asked_week or asked_teacher not in (None, chosen_teacher))
    offer = offer_for(
        student=student,
        course=course,
        now=now,
        teacher=posted.get("teacher") or asked_teacher or chosen_teacher,
        week=asked_week,
        wanted=None if looks_around else chosen,
    )
    context = {
        "course": course,
        "student": student,
        "form": form,
        "offer": offer,
        "chosen": as_text(chosen) if chosen and offer.teacher == chosen_teacher else "",
        "progress": known,
    }
    return render(request, "scheduling/choose.html", context, status=status)


@never_cache
@student_step
def details(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now, form = timezone.now(), DetailsForm(request.POST or None, course=course)
    if form.is_valid():
        if _tell(form, student=student, course=course, now=now):
            return see_other("scheduling:confirm", course.slug)
    elif request.method == "POST":
        step = "details" if form.choice_is_valid else "choose"
        _keep_typed(request, student, course, step=step, now=now)
        if step == "choose":
            return see_other("scheduling:choose", course.slug)
    known = progress(student=student, course=course, now=now)
    form.initial = dict(known.answers)
    if known.teacher is None or known.starts_at is None:
        return see_other("scheduling:choose", course.slug)
    context = {"course": course, "student": student, "form": form, "progress": known}
    return render(request, "scheduling/details.html", context, status=422 if form.errors else 200)


def _tell(form: DetailsForm, *, student: Student, course: Course, now: datetime) -> bool:
    try:
        flow.tell_details(student=student, course=course, now=now, **_answers(form))
    except DraftRefused as refused:
        form.add_error(None, in_words(refused))
    return not form.errors


@never_cache
@student_step
def confirm(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now = timezone.now()
    known = progress(student=student, course=course, now=now)
    posted = request.POST if request.method == "POST" else known.answers
    form = DetailsForm(posted, course=course)
    if not form.is_valid():
        step = "details" if form.choice_is_valid else "choose"
        if request.method == "POST":
            _keep_typed(request, student, course, step=step, now=now)
        return see_other(f"scheduling:{step}", course.slug)
    if request.method == "POST" and (done := _finish(request, form, student, course, now=now)):
        return done
    context = {
        "course": course,
        "student": student,
        "form": form,
        "progress": known,
        "answers": _answers(form),
        "slot": as_text(form.cleaned_data["slot"]),
    }
    return render(request, "scheduling/confirm.html", context, status=422 if form.errors else 200)


def _finish(
    request: HttpRequest, form: DetailsForm, student: Student, course: Course, *, now: datetime
) -> HttpResponse | None:
    """None when it was refused; the form then says why."""
    try:
        made: Enrollment = flow.finish(student=student, course=course, now=now, **_answers(form))
    except AlreadyEnrolled as already:
        # The button was pressed twice, or another tab was faster: that enrollment is the answer.
        made = already.enrollment
    except (SlotTaken, HoldExpired):
        # Kept first: the page to choose from then says what is gone, and names the nearest.
        _keep_typed(request, student, course, step="choose", now=now)
        return see_other("scheduling:choose", course.slug)
    except EnrollmentRefused as refused:
        _keep_typed(request, student, course, step="confirm", now=now)
        form.add_error(None, in_words(refused))
        return None
    return see_other("enrollment:enrolled", made.pk)


def _answers(form: DetailsForm) -> dict[str, Any]:
    cleaned = form.cleaned_data
    return {
        "teacher": cleaned["teacher"],
        "starts_at": cleaned["slot"],
        "wished_times": cleaned["wished_times"],
        "note": cleaned["note"],
    }


def in_words(refused: EnrollmentRefused | DraftRefused) -> str:
    return why_refused(refused) if isinstance(refused, EnrollmentRefused) else str(refused)
