"""A teacher's students and how far they are. Who does not teach a student finds nothing here."""

import re

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.domain.progress import CourseGivenUp
from enrollment.forms import TickForm
from enrollment.models import CourseUnit, Enrollment, Lesson, Teacher
from enrollment.operations.progress import take_back, tick
from enrollment.queries.messages import with_unread
from enrollment.queries.people import teacher_of
from enrollment.queries.progress import (
    lessons_that_count,
    lessons_to_note,
    progress_of,
    students_of_teacher,
)
from enrollment.queries.teaching import taught_by
from enrollment.refusals import why_not_ticked
from enrollment.views.login import login_first
from enrollment.views.see_other import see_other

STUDENTS = 50


@login_required
def my_students(request: HttpRequest) -> HttpResponse:
    teacher = teacher_of(request.user)
    if teacher is None:
        return redirect("enrollment:home")
    over = request.GET.get("over") == "yes"
    found = with_unread(students_of_teacher(teacher, over=over), teacher.user)
    page = Paginator(found, STUDENTS).get_page(request.GET.get("page"))
    return render(request, "enrollment/my_students.html", {"page": page, "over": over})


@login_required
def progress(request: HttpRequest, enrollment: int) -> HttpResponse:
    teacher, found = _taught(request, enrollment)
    context = {
        "enrollment": found,
        "progress": progress_of(found),
        "lessons": lessons_to_note(found, now=timezone.now()),
        "lesson": _chosen(request, found),
        "zone": teacher.zone,
    }
    return render(request, "enrollment/progress.html", context)


@login_first
def tick_unit(request: HttpRequest, enrollment: int, unit: int) -> HttpResponse:
    teacher, found = _taught(request, enrollment)
    one = get_object_or_404(CourseUnit, pk=unit, course=found.course_id)
    if request.method != "POST":  # where a login in between leads back to
        return see_other("enrollment:progress", found.pk)
    form = TickForm(request.POST, lessons=lessons_that_count(found))
    if not form.is_valid():
        messages.error(request, _("Nothing was changed: that was no button of this page."))
        return see_other("enrollment:progress", found.pk)
    lesson: Lesson | None = form.cleaned_data["lesson"]
    try:
        if form.cleaned_data["done"] == "yes":
            tick(enrollment=found, unit=one, by=teacher.user, lesson=lesson, now=timezone.now())
            words = _("Done: %(unit)s.")
        else:
            take_back(enrollment=found, unit=one)
            words = _("Taken back: %(unit)s.")
        messages.success(request, words % {"unit": one})
    except CourseGivenUp:
        messages.error(request, why_not_ticked())
    where = f"?lesson={lesson.pk}" if lesson else ""
    return see_other("enrollment:progress", found.pk, at=f"{where}#unit-{one.pk}")


def _taught(request: HttpRequest, enrollment: int) -> tuple[Teacher, Enrollment]:
    """:raises Http404: for everybody who does not teach this student."""
    teacher = teacher_of(request.user)
    if teacher is None:
        raise Http404
    taught = taught_by(teacher).select_related("course", "student__user")
    return teacher, get_object_or_404(taught, pk=enrollment)


def _chosen(request: HttpRequest, enrollment: Enrollment) -> Lesson | None:
    """The lesson named in the address, where it is one of this enrollment."""
    named = request.GET.get("lesson", "")
    if not re.fullmatch("[0-9]{1,18}", named):
        return None
    return lessons_that_count(enrollment).filter(pk=named).first()
