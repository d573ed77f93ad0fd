"""Student and teacher write to each other. Never gated, works without JavaScript."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from enrollment.domain.messages import ThreadClosed
from enrollment.forms import MessageForm
from enrollment.models import Enrollment, Message, User
from enrollment.operations.messages import TooManyMessages, mark_read, write_message
from enrollment.queries import messages as queries
from enrollment.queries.people import zone_of
from enrollment.queries.teaching import teacher_names
from enrollment.refusals import why_not_sent
from enrollment.views.login import login_first
from enrollment.views.see_other import see_other

THREADS = 20
MESSAGES = 50


@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    page = Paginator(queries.inbox(user), THREADS).get_page(request.GET.get("page"))
    context = {"page": page, "teachers": teacher_names(page), "zone": zone_of(user)}
    return render(request, "enrollment/inbox.html", context)


@login_first
def thread(request: HttpRequest, enrollment: int) -> HttpResponse:
    user = cast(User, request.user)
    threads = queries.threads_of(user).select_related("course", "teacher", "student__user")
    found = get_object_or_404(threads, pk=enrollment)
    form = MessageForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
    sent = _try_to_send(form, found, user) if form.is_valid() else None
    if sent is not None:
        return see_other("enrollment:thread", found.pk, at=f"#message-{sent.pk}")
    return _show_thread(request, found, form)


def _try_to_send(form: MessageForm, enrollment: Enrollment, user: User) -> Message | None:
    body = form.cleaned_data["body"]
    try:
        return write_message(enrollment=enrollment, sender=user, body=body, now=timezone.now())
    except (ThreadClosed, TooManyMessages) as refused:
        form.add_error(None, why_not_sent(refused))
        return None


def _show_thread(request: HttpRequest, enrollment: Enrollment, form: MessageForm) -> HttpResponse:
    user = cast(User, request.user)
    seen = queries.seen_to(enrollment, user=user)
    page = Paginator(queries.messages_of(enrollment), MESSAGES).get_page(request.GET.get("page"))
    shown = list(page)[::-1]
    _note_what_was_seen(enrollment, user, shown, seen=seen)
    ends_at = queries.writing_ends_at(enrollment)
    context: dict[str, Any] = {
        "enrollment": enrollment,
        "is_student": enrollment.student.user_id == user.pk,
        "teachers": teacher_names([enrollment])[enrollment.pk],
        "page": page,
        "shown": shown,
        "seen": seen,
        "openings": queries.openings_of(enrollment),
        "ends_at": ends_at,
        "may_write": ends_at is None or timezone.now() < ends_at,
        "zone": zone_of(user),
        "form": form,
    }
    status = 422 if form.errors else 200
    return render(request, "enrollment/thread.html", context, status=status)


def _note_what_was_seen(
    enrollment: Enrollment, user: User, shown: Sequence[Message], *, seen: int
) -> None:
    if shown and shown[-1].pk > seen:
        mark_read(enrollment=enrollment, user=user, up_to=shown[-1].pk)
