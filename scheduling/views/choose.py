"""The new flow's first step: a month, the times of a day, one of them to be held.

Without JavaScript days and months are links to this page; with it only what they change is asked for.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from enrollment.known import as_of
from enrollment.models import Course, Student
from enrollment.operations.enroll import (
    AlreadyEnrolled,
    ChangedElsewhere,
    CourseFull,
    EnrollmentRefused,
    check_can_enroll,
)
from enrollment.operations.lessons import SlotTaken
from enrollment.refusals import why_refused
from enrollment.views.see_other import see_other
from rollback.drafts import DraftRefused
from scheduling.domain.choice import as_text
from scheduling.forms import ChoiceForm, PickerForm
from scheduling.operations import flow
from scheduling.queries.picker import Asked, Picker, picker_for
from scheduling.queries.progress import progress
from scheduling.views.flow import in_words, keep_typed, of_draft, settled
from scheduling.views.fresh import answered
from scheduling.views.who import student_step


@never_cache
@student_step
def choose(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    if request.method == "POST":
        return _choose(request, student, course)
    now = timezone.now()
    if request.htmx:  # type: ignore[attr-defined]
        return _show_changed(request, student, course, now=now)
    try:
        check_can_enroll(student=student, course=course, teacher=None, now=now)
    except EnrollmentRefused as refused:
        full = isinstance(refused, CourseFull)
        context = {"course": course, "why": why_refused(refused), "full": full}
        return render(request, "scheduling/refused.html", context, status=403)
    return _show(request, student, course, now=now)


def _choose(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    now = timezone.now()
    posted = settled(request, student, course, now=now)
    form = ChoiceForm(posted, course=course)
    if not form.is_valid():
        return _choose_again(request, student, course, form, now=now, status=422)
    teacher, starts_at = form.cleaned_data["teacher"], form.cleaned_data["slot"]
    try:
        flow.choose(
            student=student,
            course=course,
            teacher=teacher,
            starts_at=starts_at,
            posted=posted,
            now=now,
        )
    except SlotTaken:
        return _choose_again(request, student, course, form, now=now, status=409)
    except AlreadyEnrolled as already:
        return see_other("enrollment:enrolled", already.enrollment.pk)
    except ChangedElsewhere as changed:
        form.add_error(None, in_words(changed))
        keep_typed(request, posted, student, course, step="choose", now=now)
        return _show(request, student, course, now=now, form=form, status=409)
    except EnrollmentRefused as refused:
        form.add_error(None, in_words(refused))
        return _choose_again(request, student, course, form, now=now, status=422)
    except DraftRefused as refused:
        form.add_error(None, in_words(refused))
        return _show(request, student, course, now=now, form=form, status=422)
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
        keep_typed(request, form.data, student, course, step="choose", now=now)
    return _show(request, student, course, now=now, form=form, status=status)


def _show(
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
    asked = PickerForm(request.GET, course=course).answers()
    posted: dict[str, Any] = form.cleaned_data if form else {}
    own_teacher = posted.get("teacher") or known.teacher
    chosen = posted.get("slot") or known.starts_at or known.lost
    # Whoever looks around is not told again and again that an old choice is gone.
    looks_around = not form and bool(
        asked["day"] or asked["month"] or asked["teacher"] not in (None, own_teacher)
    )
    teacher = posted.get("teacher") or asked["teacher"] or own_teacher
    offer = picker_for(
        student=student,
        course=course,
        now=now,
        asked=Asked(
            teacher=teacher,
            month=asked["month"],
            day=asked["day"],
            slot=chosen if teacher == own_teacher else None,
        ),
        wanted=None if looks_around else chosen,
    )
    context = {
        **_of_picker(offer, student, course),
        "form": form,
        "chosen": as_text(chosen) if chosen and offer.teacher == own_teacher else "",
        "looks_around": looks_around,
        **of_draft(known, ("slot", "teacher"), now=now, form=form),
    }
    return render(request, "scheduling/choose.html", context, status=status)


def _show_changed(
    request: HttpRequest, student: Student, course: Course, *, now: datetime
) -> HttpResponse:
    """For the page that is open: another month or day. What is chosen there comes with the question,
    and stays chosen."""
    asked = PickerForm(request.GET, course=course).answers()
    chosen = asked["slot"]
    offer = picker_for(student=student, course=course, now=now, asked=Asked(**asked))
    context = {
        **_of_picker(offer, student, course),
        "chosen": as_text(chosen) if chosen else "",
        "changed": True,
    }
    answer = render(request, "scheduling/picker/changed.html", context)
    shown = [
        (name, request.GET[name]) for name in ("teacher", "month", "day") if request.GET.get(name)
    ]
    answer.headers["HX-Push-Url"] = f"{request.path}?{urlencode(shown)}"
    return answered(request, answer, version=as_of(request.user))


def _of_picker(offer: Picker, student: Student, course: Course) -> dict[str, Any]:
    return {"course": course, "student": student, "zone": student.zone, "offer": offer}
