"""Who may see these pages, in one place: a door for students' steps and one for teachers' pages."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from enrollment.models import Course, Student, Teacher
from enrollment.operations.enroll import live_enrollment
from enrollment.queries.people import student_of, teacher_of
from enrollment.views.login import login_first

P = ParamSpec("P")


def student_step(
    view: Callable[[HttpRequest, Student, Course], HttpResponse],
) -> Callable[..., HttpResponse]:
    """For students who are not enrolled in the course yet; the URL names it by `course`."""

    @login_first
    @wraps(view)
    def step(request: HttpRequest, course: str) -> HttpResponse:
        found = get_object_or_404(Course, slug=course)
        student = student_of(request.user)
        if student is None:
            return render(request, "enrollment/students_only.html", {"course": found}, status=403)
        existing = live_enrollment(student=student, course=found)
        if existing is not None:
            return redirect("enrollment:enrolled", existing.pk)
        return view(request, student, found)

    return step


def student_page(
    view: Callable[Concatenate[HttpRequest, Student, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """For every student, enrolled or not."""

    @login_first
    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        student = student_of(request.user)
        if student is None:
            return render(request, "scheduling/students_only.html", status=403)
        return view(request, student, *args, **kwargs)

    return page


def teacher_page(
    view: Callable[Concatenate[HttpRequest, Teacher, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    @login_first
    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        teacher = teacher_of(request.user)
        if teacher is None:
            return render(request, "scheduling/teachers_only.html", status=403)
        return view(request, teacher, *args, **kwargs)

    return page
