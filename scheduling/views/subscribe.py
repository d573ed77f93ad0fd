"""A person's own calendar feeds."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from enrollment.queries.people import student_of, teacher_of
from scheduling.forms.feeds import FeedForm
from scheduling.models import CalendarFeed
from scheduling.operations.feeds import MOST_FEEDS, TooManyFeeds, make_feed, revoke_feed


@never_cache
@login_required
def my_feeds(request: HttpRequest) -> HttpResponse:
    if student_of(request.user) is None and teacher_of(request.user) is None:
        return redirect("enrollment:home")
    form = FeedForm(request.POST if request.method == "POST" else None)
    address = _make(request, form) if form.is_valid() else ""
    context = {
        # Nobody may make a second one by loading the page again.
        "form": FeedForm() if address else form,
        "address": address,
        "webcal": f"webcal://{address.partition('://')[2]}" if address else "",
        "feeds": CalendarFeed.objects.filter(user=request.user.pk)[:50],
        "local": urlsplit(settings.SITE_URL).hostname in ("localhost", "127.0.0.1"),
    }
    status = 422 if form.errors else 200
    return render(request, "calendar/subscribe.html", context, status=status)


def _make(request: HttpRequest, form: FeedForm) -> str:
    """:returns: the address, or nothing where the form now says why not."""
    assert request.user.is_authenticated
    language = get_language() or settings.LANGUAGE_CODE
    try:
        _row, token = make_feed(
            user=request.user,
            name=form.cleaned_data["name"],
            language=language,
            now=timezone.now(),
        )
    except TooManyFeeds:
        words = _("You have %(most)s addresses already. Revoke one first.")
        form.add_error(None, words % {"most": MOST_FEEDS})
        return ""
    return f"{settings.SITE_URL}{reverse('calendar:feed', args=[token])}"


@require_POST
@login_required
def revoke(request: HttpRequest, feed: int) -> HttpResponse:
    assert request.user.is_authenticated
    if not revoke_feed(pk=feed, user=request.user, by=request.user, now=timezone.now()):
        raise Http404
    messages.success(request, _("Revoked. Programs that use this address read nothing any more."))
    return redirect("calendar:subscribe")
