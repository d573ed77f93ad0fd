"""Who changes a flag and why, told to the database, whose triggers write the audit and refuse.

Whatever is changed without this is recorded all the same: as a change without a reason.
"""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import IntegrityError as DatabaseRefusal
from psycopg.errors import LockNotAvailable

from rollback.models import FlagChange

REFUSALS = frozenset({"flag_is_latched", "raising_needs_a_person", "resolving_needs_a_person"})

SAY = "SELECT set_config('lock_timeout', %s, true), rollback_say(%s, %s, %s, %s, %s)"


class ChangeRefused(Exception):
    """Nothing was changed; the message says what to do instead."""


class ChangeBlocked(ChangeRefused):
    """Somebody else's transaction holds the flags."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """user: who is logged in, if anybody. name: how the audit names them.

    automatic: no person decided this; it may lower, but never raise or resolve.
    """

    name: str
    user: Any = None
    automatic: bool = False

    @property
    def kind(self) -> str:
        return FlagChange.Kind.AUTOMATIC if self.automatic else FlagChange.Kind.PERSON


def actor_of(user: Any) -> Actor:
    return Actor(name=user.get_username(), user=user)


def actor_at_the_terminal() -> Actor:
    try:
        return Actor(name=f"command line ({getpass.getuser()})")
    except (KeyError, OSError):  # a container's user id without a name
        return Actor(name="command line")


@contextmanager
def told(*, actor: Actor, reason: str, action: str = "", patience: str = "3s") -> Iterator[None]:
    """One transaction whose changes are this actor's, for this reason; audited when it ends.

    patience: how long PostgreSQL waits for a lock.

    :raises ChangeRefused: also what the triggers refuse
    """
    if not reason.strip():
        raise ChangeRefused(
            _("A reason is needed: one sentence for whoever reads the audit later.")
        )
    who = str(actor.user.pk) if actor.user is not None else ""
    said = [who, actor.name, actor.kind, action, reason.strip()]
    goes_on = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            before = _lock_timeout(cursor) if goes_on else ""
            cursor.execute(SAY, [patience, *said])
            yield
            if goes_on:  # what else the outer transaction does was not said by this actor
                cursor.execute(SAY, [before, *[""] * len(said)])
    except IntegrityError as error:
        raise _refusal(error) or error from error
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise ChangeBlocked(
            _("Another change of the flags is still going on. Nothing was changed; try again.")
        ) from error


def _lock_timeout(cursor: Any) -> str:
    cursor.execute("SHOW lock_timeout")
    return str(cursor.fetchone()[0])


def write_now() -> None:
    """The audit rows of what was changed so far, or the refusal; else they come at COMMIT."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rollback_settle()")


def _refusal(error: IntegrityError) -> ChangeRefused | None:
    cause = error.__cause__
    if not isinstance(cause, DatabaseRefusal) or cause.diag.constraint_name not in REFUSALS:
        return None
    return ChangeRefused(f"{cause.diag.message_primary} {cause.diag.message_hint or ''}".strip())
