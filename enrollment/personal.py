"""Where every floor says what it keeps about a person: how they get a copy, and how it is erased.

An app that keeps anything about people describes it once and registers it from `AppConfig.ready`:

    def export(*, user: User) -> Mapping[str, Any]:
        return {"hours": [...]}                  # readable keys; dates as they are, aware

    def erase(*, user: User, now: datetime) -> None:
        ...                                      # inside the one transaction that erases the person

    HOURS = Contributor(
        name="teaching_hours",                   # the key in the file
        kept=_("The hours at which you teach"),
        when_erased=_("Deleted."),
        covers=frozenset({"scheduling.AvailabilityRule"}),
        export=export,
        erase=erase,
    )

    class UpstairsConfig(AppConfig):
        def ready(self) -> None:
            personal.register(HOURS)

Contributors are asked whatever is switched off: a feature that is off still keeps its rows. None may
swallow its own failure: a copy that silently lacks a part, or a person erased by half, is a lie. What
must never be in a copy: passwords, keys, tokens, and what is known about other people.
`tests/architecture/test_personal.py` walks all models and names those that nobody covers.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.utils.functional import Promise

from enrollment.models import User

Text = str | Promise


class EraseBlocked(Exception):
    """Somebody else is writing just what has to be erased. Nothing was done; trying again helps."""


class OutOfReach(Exception):
    """Something that may be about the person is not where it should be: neither a copy nor an erasure would
    be whole. Nothing was done; the message says who can find it.
    """


class Export(Protocol):
    def __call__(self, *, user: User) -> Mapping[str, Any]: ...


class Erase(Protocol):
    def __call__(self, *, user: User, now: datetime) -> None:
        """:raises EraseBlocked:"""


class Revoke(Protocol):
    def __call__(self, *, users: Collection[int], now: datetime) -> None: ...


class Renamed(Protocol):
    def __call__(self, *, user: User, old: str, new: str) -> None: ...


class Concerns(Protocol):
    def __call__(self, *, user: User) -> bool: ...


class Reaching(Protocol):
    def __call__(self, *, erasing: bool, glancing: bool) -> AbstractContextManager[None]: ...


def everybody(*, user: User) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Contributor:
    """One subject of what is kept about people.

    kept, when_erased: for the person's own page, in the second person. covers: models by label,
    `app.Model`. office_only: left out of the copy that people fetch themselves; they ask the office.
    own_only: left out of the office's copy.
    unsaid: columns that are in no copy, wherever a row has come to lie: keys, and what is about others.
    concerns: whom the pages tell about it; copied and erased is it for everybody.
    revoke: makes worthless the keys by which somebody gets in without a login; by the users' numbers.
    by_address: finds rows by mail address or name too, and so is erased before the account is emptied.
    renamed: brings these rows along when the address changes, in that transaction.
    """

    name: str
    kept: Text
    when_erased: Text
    covers: frozenset[str]
    export: Export
    erase: Erase
    office_only: bool = False
    own_only: bool = False
    unsaid: frozenset[str] = frozenset()
    concerns: Concerns = everybody
    revoke: Revoke | None = None
    by_address: bool = False
    renamed: Renamed | None = None


_contributors: dict[str, Contributor] = {}


@contextmanager
def _all_is_here(*, erasing: bool, glancing: bool) -> Iterator[None]:
    yield


_reaching: Reaching = _all_is_here


def plug_reaching(reaching: Reaching) -> None:
    """Whoever may keep tables elsewhere for a while says how contributors get at them."""
    global _reaching
    _reaching = reaching


def within_reach(*, erasing: bool = False, glancing: bool = False) -> AbstractContextManager[None]:
    """Contributors are asked in here: what they cover may lie elsewhere just now, and is the person's too.

    glancing: only whether there is anything; of what is lost there is nothing then.
    :raises OutOfReach: something is lost, and not only glanced at
    """
    return _reaching(erasing=erasing, glancing=glancing)


def register(contributor: Contributor) -> None:
    """Registering the same name again replaces it: `ready` may run twice in tests."""
    _contributors[contributor.name] = contributor


def registered() -> tuple[Contributor, ...]:
    """The ground floor's first. Apps are made ready from the top floor down."""
    return tuple(reversed(_contributors.values()))


def to_erase() -> tuple[Contributor, ...]:
    """In the order in which they are asked to erase."""
    return tuple(sorted(registered(), key=lambda part: not part.by_address))


def concerning(user: User) -> tuple[Contributor, ...]:
    with within_reach(glancing=True):
        return tuple(part for part in registered() if part.concerns(user=user))


def revoke_keys(*, users: Collection[int], now: datetime) -> None:
    """All that opens these people's things without their password, wherever it lies.

    :raises OutOfReach:
    """
    with within_reach():
        for part in registered():
            if part.revoke:
                part.revoke(users=users, now=now)


def renamed(*, user: User, old: str, new: str) -> None:
    """Called by `User.save`, whoever changes the address: nothing is lost sight of under the former one.

    What is away just now is not waited for: rows that are found by an address never are.
    """
    for part in registered():
        if part.renamed:
            part.renamed(user=user, old=old, new=new)
