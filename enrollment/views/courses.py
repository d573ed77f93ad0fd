"""The original flow: catalog, course, one form, confirmation. Never gated, works without JavaScript."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from enrollment import sockets
from enrollment.forms import EnrollmentForm
from enrollment.models import Course, Enrollment, Student
from enrollment.operations.enroll import (
    AlreadyEnrolled,
    ChangedElsewhere,
    EnrollmentRefused,
    enroll,
    live_enrollment,
)
from enrollment.queries import courses as course_queries
from enrollment.queries.make_up import open_credits
from enrollment.queries.people import student_of, teacher_of
from enrollment.refusals import why_refused
from enrollment.views.login import login_first

PAGE_SIZE = 24


def catalog(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    found = course_queries.catalog(today=timezone.localdate(), search=search)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "enrollment/catalog.html", {"page": page, "search": search})


def course_detail(request: HttpRequest, course: str) -> HttpResponse:
    found: Any = get_object_or_404(course_queries.course_page(), slug=course)
    student = student_of(request.user)
    if found.places_left > 0:
        # What is kept for others is left for nobody else.
        now = timezone.now()
        reserved = sockets.reserved_places(course=found, apart_from=student, now=now)
        found.places_left -= reserved
    return render(
        request,
        "enrollment/course.html",
        {
            "course": found,
            "is_open": found.is_open(today=timezone.localdate()),
            "enrollment": live_enrollment(student=student, course=found) if student else None,
            # Whoever is not logged in may turn out to be a student.
            "may_be_student": student is not None or not request.user.is_authenticated,
        },
    )


@login_required
def home(request: HttpRequest) -> HttpResponse:
    if student_of(request.user):
        return redirect("enrollment:my_courses")
    if teacher_of(request.user):
        return redirect("enrollment:my_lessons")
    if getattr(request.user, "is_staff", False):
        return redirect("admin:index")
    return redirect("enrollment:catalog")


@never_cache
@login_first
def enroll_in_course(request: HttpRequest, course: str) -> HttpResponse:
    found = get_object_or_404(Course, slug=course)
    student = student_of(request.user)
    if student is None:
        return render(request, "enrollment/students_only.html", {"course": found}, status=403)
    existing = live_enrollment(student=student, course=found)
    if existing is not None:
        return redirect("enrollment:enrolled", existing.pk)
    if request.method == "POST":
        return _enroll(request, student=student, course=found)
    beginning = sockets.keeper().begin(student=student, course=found)
    return _show_form(request, _first_form(beginning, course=found), beginning, course=found)


def _enroll(request: HttpRequest, *, student: Student, course: Course) -> HttpResponse:
    posted = sockets.keeper().settle(student=student, course=course, posted=request.POST.dict())
    form = EnrollmentForm(posted, course=course)
    try:
        made = _try_to_enroll(form, posted, student=student, course=course)
        status = 422
    except ChangedElsewhere as changed:
        made, status = None, 409
        form.add_error(None, why_refused(changed))
    if made is not None:
        return redirect("enrollment:enrolled", made.pk)
    # Kept before it is answered: without JavaScript nothing else has saved it.
    form.data = shown = sockets.keeper().keep(student=student, course=course, answers=posted)
    beginning = sockets.keeper().begin(student=student, course=course, posted=shown)
    return _show_form(request, form, beginning, course=course, status=status)


def _first_form(beginning: sockets.Beginning, *, course: Course) -> EnrollmentForm:
    """Filled in from the draft, whose answers are checked again; a teacher who left is not told twice."""
    form = EnrollmentForm(beginning.answers, course=course)
    if beginning.answers and not form.is_valid():
        return form
    return EnrollmentForm(initial=beginning.answers, course=course)


def _show_form(
    request: HttpRequest,
    form: EnrollmentForm,
    beginning: sockets.Beginning,
    *,
    course: Course,
    status: int = 200,
) -> HttpResponse:
    context = {"course": course, "form": form, "beginning": beginning}
    return render(request, "enrollment/enroll.html", context, status=status)


def _try_to_enroll(
    form: EnrollmentForm, posted: Mapping[str, str], *, student: Student, course: Course
) -> Enrollment | None:
    """None when it was refused; the form then says why.

    :raises ChangedElsewhere:
    """
    if not form.is_valid():
        return None
    answers: dict[str, Any] = form.cleaned_data
    try:
        return enroll(
            student=student,
            course=course,
            teacher=answers["teacher"],
            wished_times=answers["wished_times"],
            note=answers["note"],
            flow=Enrollment.Flow.ORIGINAL,
            now=timezone.now(),
            posted=posted,
        )
    except ChangedElsewhere:
        raise
    except AlreadyEnrolled as already:
        # The button was pressed twice, or another tab was faster: that enrollment is the answer.
        return already.enrollment
    except EnrollmentRefused as refused:
        form.add_error(None, why_refused(refused))
        return None


@login_required
def enrolled(request: HttpRequest, enrollment: int) -> HttpResponse:
    found = get_object_or_404(
        Enrollment.objects.select_related("course", "teacher", "student__user"),
        pk=enrollment,
        student__user=request.user,
    )
    known = found.lessons.exclude(status="held").select_related(
        "teacher", "course", "student__user"
    )
    lessons = list(known.order_by("period"))
    now = timezone.now()
    context = {
        "enrollment": found,
        "lessons": lessons,
        "now": now,
        "owed": open_credits(found),
        "actions": sockets.actions_for(
            user=found.student.user, lessons=lessons, enrollment=found, now=now
        ),
    }
    return render(request, "enrollment/enrolled.html", context)
