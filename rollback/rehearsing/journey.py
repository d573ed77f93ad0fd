"""A student in the middle of the new flow, as the site plan lets one go: rollback knows no page of it."""

from collections.abc import Callable
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class Journey(Protocol):
    """Each of its steps raises StepFailed, and returns in words what was done."""

    def prepare(self) -> None:
        """Whatever its pages need besides the database."""

    def begin(self) -> str:
        """Into the middle of the new flow, with texts typed that are not sent."""

    def go_on(self) -> str:
        """The features are off now: the next click must lead into the original flow, with everything
        that was typed, and to an enrollment."""

    def close(self) -> None: ...


def journey() -> Journey:
    make: Callable[[], Journey] = import_string(settings.REHEARSAL)
    return make()
