"""A student's unfinished enrollments, the reminders of them, and which mails somebody wants. Behind no door,
like the autosave.
"""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from enrollment.models import Course, Student, User
from enrollment.queries.people import student_of
from enrollment.views.my_data import the_user
from enrollment.views.see_other import see_other
from rollback import reminders, shelf
from rollback.outbox import news


def student_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For students, about themselves; everybody else goes where they belong."""

    @never_cache
    @login_required
    @wraps(view)
    def page(request: HttpRequest, **kwargs: str) -> HttpResponse:
        student = student_of(request.user)
        if student is None:
            return redirect("enrollment:home")
        return view(request, student, **kwargs)

    return page


@require_safe
@student_page
def unfinished(request: HttpRequest, student: Student) -> HttpResponse:
    context = {
        "unfinished": shelf.unfinished_of(student),
        "zone": student.zone,
        "wants_reminders": shelf.wants_reminders(student),
    }
    return render(request, "drafts/unfinished.html", context)


@require_safe
@login_required
def go_on(request: HttpRequest, course: str) -> HttpResponse:
    """From a mail: into the flow that is on for this person at this moment."""
    found = get_object_or_404(Course, slug=course)
    entries: dict[str, str] = getattr(request, "entries", {})
    return redirect(entries.get("enroll", "enrollment:enroll"), found.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@student_page
def delete(request: HttpRequest, student: Student, course: str) -> HttpResponse:
    """Asks first. Whoever has no draft there gets a 404, whatever others have."""
    found = get_object_or_404(Course, slug=course)
    if shelf.unfinished_in(found, student=student) is None:
        raise Http404
    if request.method != "POST":
        return render(request, "drafts/delete.html", {"course": found})
    shelf.delete(student=student, course=found)
    messages.success(
        request, _("Your unfinished enrollment in %(course)s is deleted.") % {"course": found}
    )
    return see_shelf()


@require_POST
@student_page
def set_reminders(request: HttpRequest, student: Student) -> HttpResponse:
    wanted = request.POST.get("wanted")
    if wanted not in ("yes", "no"):
        messages.error(request, _("Say whether you want reminders: nothing was changed."))
        return see_shelf()
    shelf.want_reminders(student=student, wanted=wanted == "yes", now=timezone.now())
    messages.success(
        request,
        _("We remind you of unfinished enrollments again.")
        if wanted == "yes"
        else _("You get no more reminders of unfinished enrollments."),
    )
    return see_shelf()


# The token stands for the reader: mail programs post here for them, without any cookie (RFC 8058).
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def no_reminders(request: HttpRequest, token: str) -> HttpResponse:
    """GET changes nothing: mail scanners follow every link. POST answers itself, never redirects."""
    student = reminders.student_of_token(token)
    if student is None:
        raise Http404
    if request.method == "POST":
        shelf.want_reminders(student=student, wanted=False, now=timezone.now())
    context = {"is_off": not shelf.wants_reminders(student)}
    return render(request, "drafts/no_reminders.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def mails(request: HttpRequest) -> HttpResponse:
    """Which mails somebody gets that they do not need."""
    user = the_user(request)
    if request.method == "POST":
        return _set_news(request, user)
    context = {"wants_news": news.wants_news(user), "is_student": student_of(user) is not None}
    return render(request, "mails/mine.html", context)


def _set_news(request: HttpRequest, user: User) -> HttpResponse:
    wanted = request.POST.get("news")
    if wanted not in ("yes", "no"):
        messages.error(request, _("Say whether you want news: nothing was changed."))
        return see_other("watch:mails")
    news.want_news(user=user, wanted=wanted == "yes")
    messages.success(
        request,
        _("We send you news again.") if wanted == "yes" else _("You get no more news."),
    )
    return see_other("watch:mails")


# As above: the token stands for the reader.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def no_news(request: HttpRequest, news_token: str) -> HttpResponse:
    """GET changes nothing: mail scanners follow every link. POST answers itself, never redirects."""
    user = news.user_of_token(news_token)
    if user is None:
        raise Http404
    if request.method == "POST":
        news.want_news(user=user, wanted=False)
    return render(request, "mails/no_news.html", {"is_off": not news.wants_news(user)})


def see_shelf() -> HttpResponse:
    response = HttpResponseRedirect(reverse("drafts:unfinished"))
    response.status_code = 303
    return response
