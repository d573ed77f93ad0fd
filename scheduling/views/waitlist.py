"""Waiting for a taken time or a full course, and what is offered then."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from enrollment.models import Course, Student
from enrollment.operations.enroll import AlreadyEnrolled, EnrollmentRefused
from enrollment.queries.courses import course_page
from enrollment.refusals import why_refused
from enrollment.views.see_other import see_other
from rollback.drafts import DraftRefused
from scheduling.domain.reasons import Why
from scheduling.domain.waiting import MOST_ENTRIES
from scheduling.forms import WaitForm
from scheduling.models import WaitlistEntry
from scheduling.operations import waitlist as operations
from scheduling.operations.waitlist import (
    AlreadyWaiting,
    CannotBecomeFree,
    OfferOver,
    StillFree,
    TooManyEntries,
    WaitlistRefused,
)
from scheduling.queries import waitlist as queries
from scheduling.views.who import student_page


@never_cache
@student_page
def my_waitlist(request: HttpRequest, student: Student) -> HttpResponse:
    now = timezone.now()
    context = {
        "standings": queries.standings(student, now=now),
        "student": student,
        "now": now,
        "most": MOST_ENTRIES,
    }
    return render(request, "scheduling/waitlist.html", context)


@never_cache
@student_page
def wait(request: HttpRequest, student: Student, course: str) -> HttpResponse:
    """GET: what waiting for a place in the course means. POST: wait, for a place or a time."""
    found = get_object_or_404(course_page(), slug=course)
    if request.method == "POST":
        return _wait(request, student, found)
    return _show(request, student, found)


def _wait(request: HttpRequest, student: Student, course: Course) -> HttpResponse:
    form = WaitForm(request.POST, course=course)
    if not form.is_valid():
        return _show(request, student, course, form=form, status=422)
    teacher, starts_at = form.cleaned_data["teacher"], form.cleaned_data["slot"]
    try:
        operations.join(
            student=student,
            course=course,
            teacher=teacher,
            starts_at=starts_at,
            now=timezone.now(),
        )
    except AlreadyEnrolled as already:
        return see_other("enrollment:enrolled", already.enrollment.pk)
    except AlreadyWaiting:
        # Pressed twice, or on two pages: it is as it was wished.
        messages.info(request, _("You are on the waitlist for this already."))
        return see_other("scheduling:waitlist")
    except (WaitlistRefused, EnrollmentRefused) as refused:
        form.add_error(None, why_not_waiting(refused))
        return _show(request, student, course, form=form, status=409)
    messages.success(
        request,
        _("You are on the waitlist. As soon as it is your turn, we keep it for you and mail you."),
    )
    return see_other("scheduling:waitlist")


def _show(
    request: HttpRequest,
    student: Student,
    course: Course,
    *,
    form: WaitForm | None = None,
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    context = {
        "course": course,
        "form": form,
        "place": queries.place_in(course, student=student, now=now),
    }
    return render(request, "scheduling/wait.html", context, status=status)


def why_not_waiting(refused: WaitlistRefused | EnrollmentRefused) -> str:
    if isinstance(refused, EnrollmentRefused):
        return why_refused(refused)
    if isinstance(refused, StillFree):
        return _("It is free just now: there is nothing to wait for. Take it before somebody else.")
    if isinstance(refused, TooManyEntries):
        return _(
            "You wait for %(count)d things already, and that is the limit. Leave one of them first."
        ) % {"count": MOST_ENTRIES}
    assert isinstance(refused, CannotBecomeFree)
    return _in_words(refused.why)


def _in_words(why: Why) -> str:
    if why == Why.OWN_LESSON:
        return _("You have a lesson yourself at that time. Choose another time.")
    if why in (Why.PAST, Why.NOTICE):
        return _("It is too late to wait for that time. Choose a later one.")
    if why == Why.HORIZON:
        return _("That time is too far ahead: it cannot be booked yet.")
    return _("The teacher does not teach at that time, whoever cancels. Choose another time.")


@student_page
def take(request: HttpRequest, student: Student, entry: int) -> HttpResponse:
    found = _own(student, entry)
    if request.method != "POST":  # from the mail, or after a login in between
        return _back_to(found)
    try:
        enrollment = operations.take(entry=found, now=timezone.now())
    except OfferOver:
        messages.error(
            request, _("This is not kept for you any more: the time for it has run out.")
        )
        return see_other("scheduling:waitlist")
    except DraftRefused as refused:
        messages.error(request, str(refused))
        return see_other("scheduling:waitlist")
    if enrollment is None:
        return see_other("scheduling:resume", found.course.slug)
    if found.teacher_id is not None:
        messages.success(request, _("It is yours. You find the lesson below."))
    return see_other("enrollment:enrolled", enrollment.pk)


@student_page
def leave(request: HttpRequest, student: Student, entry: int) -> HttpResponse:
    found = _own(student, entry)
    if request.method != "POST":
        return _back_to(found)
    if operations.leave(entry=found, now=timezone.now()):
        messages.success(request, _("You are no longer on the waitlist for it."))
    else:
        messages.info(request, _("You were not on the waitlist for it any more."))
    return see_other("scheduling:waitlist")


def _own(student: Student, entry: int) -> WaitlistEntry:
    found = queries.entry_of(student, entry)
    if found is None:
        raise Http404
    return found


def _back_to(entry: WaitlistEntry) -> HttpResponse:
    return see_other("scheduling:waitlist", at=f"#entry-{entry.pk}")
