"""The notices above every page, for this visitor: `site_notices` in templates. Without a query."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from rollback import switchboard
from rollback.domain import notices as domain
from rollback.domain.notices import Level, Notice
from rollback.public import board
from rollback.public.closed import closed_by

# More of them would push the page itself off a phone; the status page has all.
MOST = 3


@dataclass(frozen=True, kw_only=True)
class Shown:
    """level_words: for whoever sees no colors. is_personal: something was taken from this visitor."""

    version: str
    level: str
    level_words: str
    heading: str
    text: str
    is_dismissible: bool
    is_incident: bool
    is_personal: bool = False


class SiteNotices:
    """Worked out when a template asks: a page without a head costs nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def shown(self) -> list[Shown]:
        user = getattr(self._request, "user", None)
        is_user = bool(getattr(user, "is_authenticated", False))
        found = _for(
            is_user=is_user,
            is_staff=is_user and bool(getattr(user, "is_staff", False)),
            closed=closed_by(self._request),
        )
        return [
            _in_words(one, is_personal=is_user and self._is_concerned(one)) for one in found[:MOST]
        ]

    def _is_concerned(self, notice: Notice) -> bool:
        return any(not switchboard.is_on(flag, self._request) for flag in notice.flags)

    @cached_property
    def status_url(self) -> str:
        return reverse("watch:status")


def site_notices(request: HttpRequest) -> dict[str, Any]:
    return {"site_notices": SiteNotices(request)}


def for_everybody() -> list[Shown]:
    """Where nothing is known of the visitor, not even what they have closed: nothing can be closed there."""
    found = _for(is_user=False, is_staff=False, closed=())
    return [_in_words(one, is_dismissible=False) for one in found[:MOST]]


def _for(*, is_user: bool, is_staff: bool, closed: Collection[str]) -> list[Notice]:
    return domain.shown(
        board.notices(), now=timezone.now(), is_user=is_user, is_staff=is_staff, closed=closed
    )


def _in_words(
    notice: Notice, *, is_personal: bool = False, is_dismissible: bool | None = None
) -> Shown:
    language = get_language() or settings.LANGUAGE_CODE
    heading, text = (
        domain.in_language(told, language=language, otherwise=settings.LANGUAGE_CODE)
        for told in (notice.headings, notice.texts)
    )
    words = {Level.DANGER: _("Important"), Level.WARNING: _("Attention"), Level.INFO: _("Notice")}
    return Shown(
        version=notice.version,
        level=notice.level.value,
        level_words=words[notice.level],
        heading=heading,
        text=text,
        is_dismissible=notice.is_dismissible if is_dismissible is None else is_dismissible,
        is_incident=notice.is_incident,
        is_personal=is_personal,
    )
