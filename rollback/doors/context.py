"""What templates may ask: `features.calendar`, `features.nav`, `features.scripts`."""

from collections.abc import Sequence
from typing import Any

import structlog
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from enrollment.sockets import Link
from rollback import registry, switchboard

log = structlog.get_logger(__name__)


class Features:
    """The features that are on for this visitor; every question answered from one snapshot."""

    # Keeps what is typed into any form that names a place to save it.
    scripts = ("rollback/autosave.js",)

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def _on(self) -> frozenset[str]:
        return switchboard.flags_on(self._request)

    def __getitem__(self, name: str) -> bool:
        return registry.by_name()[name].flag in self._on

    @cached_property
    def nav(self) -> list[Link]:
        return _links(self._on, self._request.user)


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


def _links(on: frozenset[str], user: Any) -> list[Link]:
    return [
        Link(label=str(item.label), url=reverse(item.url_name))
        for feature in registry.features()
        if feature.flag in on
        for item in feature.nav
        if item.shown_to(user)
    ]
