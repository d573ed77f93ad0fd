"""What every page of the school shows: its name, where to write, and the ways from here."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from enrollment.queries.messages import unread
from enrollment.queries.people import student_of, teacher_of
from rollback.doors.addresses import shown_path


@dataclass(frozen=True, kw_only=True)
class Way:
    """An item of the navigation. count: how much is new there."""

    label: str
    url: str
    count: int = 0


def school_name() -> str:
    """The display name that mails carry is the school's name on its pages too."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or _("The school")


def site(request: HttpRequest) -> dict[str, Any]:
    """The ways are a function: a page that does not show the navigation costs no query for it."""
    navigation: Callable[[], list[Way]] = lambda: ways(request)  # noqa: E731 - called by the template
    return {
        "school_name": school_name(),
        "office_email": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "report_url": report_url(request),
        "mail_reader_url": "" if settings.PRODUCTION else settings.MAIL_READER_URL,
        "navigation": navigation,
    }


def report_url(request: HttpRequest) -> str:
    """With the page it is about, without what may be a key in its address."""
    page = shown_path(request.path, request.resolver_match)
    return f"{reverse('watch:report')}?{urlencode({'from': page})}"


def ways(request: HttpRequest) -> list[Way]:
    """The ground floor's own pages for this visitor. What features add comes from their own processor."""
    found = [Way(label=_("Courses"), url=reverse("enrollment:catalog"))]
    user: Any = getattr(request, "user", None) or AnonymousUser()
    if student_of(user):
        found.append(Way(label=_("My courses"), url=reverse("enrollment:my_courses")))
    if teacher_of(user):
        found.append(Way(label=_("My lessons"), url=reverse("enrollment:my_lessons")))
    if student_of(user) or teacher_of(user):
        url, count = reverse("enrollment:inbox"), unread(user)
        found.append(Way(label=_("Messages"), url=url, count=count))
    return found
