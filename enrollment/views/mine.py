from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from enrollment import sockets
from enrollment.queries import lessons as lesson_queries
from enrollment.queries.messages import with_unread
from enrollment.queries.people import student_of, teacher_of
from enrollment.queries.progress import lessons_given

# A teacher notes what was done in a lesson after it, or at the end of the week.
LATELY = timedelta(days=8)
EARLIER = 50


@login_required
def my_courses(request: HttpRequest) -> HttpResponse:
    student = student_of(request.user)
    if student is None:
        return redirect("enrollment:home")
    return render(
        request,
        "enrollment/my_courses.html",
        {
            "enrollments": with_unread(lesson_queries.enrollments_of(student), student.user),
            "zone": student.zone,
            "now": timezone.now(),
        },
    )


@login_required
def my_lessons(request: HttpRequest) -> HttpResponse:
    teacher = teacher_of(request.user)
    if teacher is None:
        return redirect("enrollment:home")
    now = timezone.now()
    if request.GET.get("earlier"):
        earlier = lesson_queries.earlier_lessons_of(teacher, now=now)
        page = Paginator(earlier, EARLIER).get_page(request.GET.get("page"))
        context: dict[str, Any] = {"page": page, "zone": teacher.zone}
        return render(request, "enrollment/earlier_lessons.html", context)
    lessons = list(lesson_queries.lessons_of_teacher(teacher, since=now)[:200])
    context = {
        "lessons": lessons,
        "actions": sockets.actions_for(user=teacher.user, lessons=lessons, now=now),
        "given": lessons_given(teacher, since=now - LATELY, until=now),
        "zone": teacher.zone,
    }
    return render(request, "enrollment/my_lessons.html", context)
