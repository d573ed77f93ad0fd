"""Tables in the archive for the length of a test, and always brought home again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rollback.models import Flag
from rollback.schema import reverse
from rollback.schema.reverse import Moved

APPS = ("scheduling", "holidays")


def bring_home() -> None:
    with suppress(reverse.NothingToDo):
        reverse.bring_back(apps=APPS, accept_changes=True)


@contextmanager
def archived(*apps: str) -> Iterator[Moved]:
    moved = reverse.take_away(apps=apps or APPS)
    try:
        yield moved
    finally:
        bring_home()


def all_flags_on() -> None:
    """In the rows, so that what is off is off for its tables alone."""
    Flag.objects.update(percent=100, everyone=None)
