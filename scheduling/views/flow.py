"""The new flow after the choice of a time: tell the details, confirm. Works without JavaScript."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from enrollment.models import Course, Enrollment, Student
from enrollment.operations.enroll import (
    AlreadyEnrolled,
    ChangedElsewhere,
    EnrollmentRefused,
)
from enrollment.operations.lessons import HoldExpired, SlotTaken
from enrollment.refusals import why_refused
from enrollment.views.see_other import see_other
from rollback import drafts
from rollback.drafts import DraftRefused
from scheduling.domain.choice import as_text
from scheduling.forms import ChoiceForm, DetailsForm
from scheduling.operations import flow
from scheduling.queries.availability import policy_for
from scheduling.queries.progress import Progress, progress, slot_is_free
from scheduling.views.who import student_step

# The first step is the calendar's: while that is off, its door leads to the original form.
PAGES = {
    "choose": "calendar:choose",
    "details": "scheduling:details",
    "confirm": "scheduling:confirm",
}


@never_cache
@student_step
def resume(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    """The furthest step whose answers before it are all still valid."""
    now = timezone.now()
    known = progress(student=student, course=course, now=now)
    step = _furthest(known, student=student, course=course, now=now)
    return see_other(PAGES[step], course.slug)


def _furthest(known: Progress, *, student: Student, course: Course, now: datetime) -> str:
    if not slot_is_free(known, student=student, course=course, now=now):
        return "choose"
    told = known.step == "confirm" and DetailsForm(known.answers, course=course).is_valid()
    return "confirm" if told and not known.waits else "details"


def settled(
    request: HttpRequest, student: Student, course: Course, *, now: datetime
) -> Mapping[str, str]:
    """What was posted, once the choices in it between two texts have been followed."""
    posted = request.POST.dict()
    try:
        return drafts.settle(student=student, course=course, posted=posted, now=now)
    except DraftRefused as refused:
        messages.error(request, in_words(refused))
        return posted


def keep_typed(
    request: HttpRequest,
    typed: Mapping[str, str],
    student: Student,
    course: Course,
    *,
    step: str,
    now: datetime,
) -> None:
    """Before a redirect or a refusal: without JavaScript nothing else has saved what was typed."""
    try:
        flow.keep_typed(student=student, course=course, typed=typed, step=step, now=now)
    except DraftRefused as refused:
        messages.error(request, in_words(refused))


def of_draft(
    known: Progress, names: tuple[str, ...], *, now: datetime, form: ChoiceForm | None
) -> dict[str, Any]:
    """What a form with the fields `names` tells and asks about the draft it is filled from."""
    shown = {name: known.answers.get(name, "") for name in names}
    posted = form.data if form is not None and form.is_bound else None
    return {
        "progress": known,
        "stamps": drafts.stamps(known.draft, shown=shown, posted=posted),
        "doubts": drafts.doubts(known.draft, names=names, now=now, posted=posted),
    }


@never_cache
@student_step
def details(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        return _details(request, student, course, now=now)
    known = progress(student=student, course=course, now=now)
    if not slot_is_free(known, student=student, course=course, now=now):
        return see_other("calendar:choose", course.slug)
    # What was typed may be older than a rule: it is checked again, and said at the field.
    form = DetailsForm(known.answers, course=course)
    if form.is_valid():
        form = DetailsForm(initial=known.answers, course=course)
    return _show_details(request, form, known, student=student, course=course, now=now)


def _details(
    request: HttpRequest, student: Student, course: Course, *, now: datetime
) -> HttpResponse:
    posted = settled(request, student, course, now=now)
    form, status = DetailsForm(posted, course=course), 422
    if form.is_valid():
        try:
            flow.tell_details(
                student=student, course=course, now=now, posted=posted, **_answers(form)
            )
            return see_other("scheduling:confirm", course.slug)
        except ChangedElsewhere as changed:
            form.add_error(None, in_words(changed))
            status = 409
        except DraftRefused as refused:
            form.add_error(None, in_words(refused))
    else:
        step = "details" if form.choice_is_valid else "choose"
        keep_typed(request, posted, student, course, step=step, now=now)
        if step == "choose":
            return see_other("calendar:choose", course.slug)
    known = progress(student=student, course=course, now=now)
    if known.teacher is None or known.starts_at is None:
        return see_other("calendar:choose", course.slug)
    form.data = drafts.refreshed(known.draft, posted, shown=known.answers)
    return _show_details(
        request, form, known, student=student, course=course, now=now, status=status
    )


def _show_details(
    request: HttpRequest,
    form: DetailsForm,
    known: Progress,
    *,
    student: Student,
    course: Course,
    now: datetime,
    status: int = 200,
) -> HttpResponse:
    context = {
        "course": course,
        "student": student,
        "form": form,
        **of_draft(known, tuple(form.fields), now=now, form=form),
    }
    return render(request, "scheduling/details.html", context, status=status)


@never_cache
@student_step
def confirm(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        return _confirm(request, student, course, now=now)
    known = progress(student=student, course=course, now=now)
    form = DetailsForm(known.answers, course=course)
    if not form.choice_is_valid or not slot_is_free(known, student=student, course=course, now=now):
        return see_other("calendar:choose", course.slug)
    if not form.is_valid() or known.waits:
        return see_other("scheduling:details", course.slug)
    return _show_summary(request, form, known, student=student, course=course, now=now)


def _confirm(
    request: HttpRequest, student: Student, course: Course, *, now: datetime
) -> HttpResponse:
    posted = request.POST.dict()
    form = DetailsForm(posted, course=course)
    if not form.is_valid():
        step = "details" if form.choice_is_valid else "choose"
        keep_typed(request, posted, student, course, step=step, now=now)
        return see_other(PAGES[step], course.slug)
    try:
        made: Enrollment = flow.finish(
            student=student, course=course, now=now, posted=posted, **_answers(form)
        )
    except AlreadyEnrolled as already:
        # The button was pressed twice, or another tab was faster: that enrollment is the answer.
        made = already.enrollment
    except (SlotTaken, HoldExpired):
        # Kept first: the page to choose from then says what is gone, and names the nearest.
        keep_typed(request, posted, student, course, step="choose", now=now)
        return see_other("calendar:choose", course.slug)
    except EnrollmentRefused as refused:
        return _confirm_again(request, form, refused, student=student, course=course, now=now)
    return see_other("enrollment:enrolled", made.pk)


def _confirm_again(
    request: HttpRequest,
    form: DetailsForm,
    refused: EnrollmentRefused,
    *,
    student: Student,
    course: Course,
    now: datetime,
) -> HttpResponse:
    keep_typed(request, form.data, student, course, step="confirm", now=now)
    known = progress(student=student, course=course, now=now)
    status = 422
    if isinstance(refused, ChangedElsewhere):
        # The summary of what is saved now; it asks nothing, so a choice is made at the details.
        form, status = DetailsForm(known.answers, course=course), 409
        if not form.is_valid() or known.waits:
            return see_other("scheduling:details", course.slug)
    form.add_error(None, in_words(refused))
    return _show_summary(
        request, form, known, student=student, course=course, now=now, status=status
    )


def _show_summary(
    request: HttpRequest,
    form: DetailsForm,
    known: Progress,
    *,
    student: Student,
    course: Course,
    now: datetime,
    status: int = 200,
) -> HttpResponse:
    context = {
        "course": course,
        "student": student,
        "form": form,
        "answers": _answers(form),
        "slot": as_text(form.cleaned_data["slot"]),
        "minutes": _minutes(known, form, course),
        **of_draft(known, tuple(form.fields), now=now, form=form),
    }
    return render(request, "scheduling/confirm.html", context, status=status)


def _minutes(known: Progress, form: DetailsForm, course: Course) -> int:
    """As it is held; else as it would be booked now."""
    if known.hold is not None:
        length = known.hold.ends_at - known.hold.starts_at
        return int(length.total_seconds()) // 60
    return policy_for(teacher=form.cleaned_data["teacher"], course=course).lesson_minutes


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
