"""What templates may ask: `features.calendar`, `.nav`, `.page`, `.scripts`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from enrollment.models import Enrollment, Lesson, User
from enrollment.queries.people import student_of
from enrollment.sockets import Actions, Link
from rollback import registry, shelf, switchboard
from rollback.doors import gate
from rollback.doors.middleware import feature_behind
from rollback.doors.why import usual_words
from rollback.doors.words import TURNED_AWAY

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class LivePage:
    """name: as the socket calls the feature. words: for the person on the page, when it goes off.
    socket: empty where there is none. is_timed: whether the browser is to say how long it took.
    """

    name: str
    words: registry.Text
    socket: str
    is_timed: bool


class Features:
    """The features that are on for this visitor; every question answered from one snapshot."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        # The first keeps what is typed into any form that names a place to save it.
        always = ("rollback/autosave.js",)
        if self.page is None:
            return always
        timed = ("rollback/timings.js",) if self.page.is_timed else ()
        return (*always, "rollback/live.js", *timed)

    @cached_property
    def page(self) -> LivePage | None:
        """The feature whose page this is, where the page can be told that it goes off."""
        match = self._request.resolver_match
        feature = feature_behind(self._request, match) if match else None
        if match is None or feature is None:
            return None
        saved = feature.fallback.to_draft and "course" in match.kwargs
        words = TURNED_AWAY if saved else usual_words(feature)
        return LivePage(
            name=feature.name,
            words=words,
            socket=f"{settings.SOCKET_URL}/ws/features/" if settings.SOCKET_URL else "",
            is_timed=random.random() * 100 < settings.BROWSER_TIMINGS_PERCENT,  # noqa: S311  a sample
        )

    @cached_property
    def _on(self) -> frozenset[str]:
        return switchboard.flags_on(self._request)

    def __getitem__(self, name: str) -> bool:
        return registry.by_name()[name].flag in self._on

    @cached_property
    def nav(self) -> list[Link]:
        return [*_links(self._on, self._request.user), *self._drafts]

    @cached_property
    def has_drafts(self) -> bool:
        """One query, and only for students."""
        student = student_of(self._request.user)
        return student is not None and shelf.has_any(student)

    @property
    def _drafts(self) -> list[Link]:
        """Of no feature, so it is there whatever is off."""
        if not self.has_drafts:
            return []
        return [Link(label=_("Unfinished"), url=reverse("drafts:unfinished"))]


def features(request: HttpRequest) -> dict[str, Any]:
    return {"features": Features(request)}


def links_for(user: Any) -> Sequence[Link]:
    """The navigation's links without a page: for mails, which a worker writes."""
    try:
        return _links(switchboard.flags_on(user), user)
    except Exception:
        # The door: a mail of the ground floor goes out without them.
        log.exception("links.broken", user=user.pk)
        return ()


def actions_for(
    *,
    user: User,
    lessons: Sequence[Lesson],
    now: datetime,
    enrollment: Enrollment | None = None,
) -> Actions:
    """Of all features that are on for this person; one that is broken offers nothing."""
    asked: dict[str, Any] = {
        "user": user,
        "lessons": lessons,
        "now": now,
        "enrollment": enrollment,
    }
    found = [
        gate.call(feature.flag, feature.actions, who=user, instead=Actions(), reads=True, **asked)
        for feature in registry.features()
        if feature.actions
    ]
    return Actions(
        links=tuple(link for one in found for link in one.links),
        lessons={key: of for one in found for key, of in one.lessons.items()},
    )


def _links(on: frozenset[str], user: Any) -> list[Link]:
    return [
        Link(label=str(item.label), url=reverse(item.url_name))
        for feature in registry.features()
        if feature.flag in on
        for item in feature.nav
        if item.shown_to(user)
    ]
