"""What templates may ask: `features.calendar`, `features.nav`, `features.scripts`."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from enrollment.queries.people import student_of
from rollback import registry, shelf, switchboard


@dataclass(frozen=True)
class Link:
    label: str
    url: str


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
        ways = [
            Link(label=str(item.label), url=reverse(item.url_name))
            for feature in registry.features()
            if feature.flag in self._on
            for item in feature.nav
            if item.shown_to(self._request.user)
        ]
        return [*ways, *self._drafts]

    @property
    def _drafts(self) -> list[Link]:
        """Of no feature, so it is there whatever is off; one query, and only for students."""
        student = student_of(self._request.user)
        if student is None or not shelf.has_any(student):
            return []
        return [Link(label=_("Unfinished"), url=reverse("drafts:unfinished"))]


def features(request: HttpRequest) -> dict[str, Any]:
    return {"features": Features(request)}
