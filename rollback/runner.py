"""The only room that changes exposure. Each change and its audit row are one transaction."""

import getpass
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from rollback import switchboard
from rollback.models import Flag, FlagChange, Switchboard

log = structlog.get_logger(__name__)


class ChangeRefused(Exception):
    """Nothing was changed; the message says what to do instead."""


class ChangeBlocked(ChangeRefused):
    """Somebody else's transaction holds the flags."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """user: who is logged in, if anybody. name: how the audit names them."""

    name: str
    user: Any = None


def actor_of(user: Any) -> Actor:
    return Actor(name=user.get_username(), user=user)


def actor_at_the_terminal() -> Actor:
    try:
        return Actor(name=f"command line ({getpass.getuser()})")
    except (KeyError, OSError):  # a container's user id without a name
        return Actor(name="command line")


def set_share(*, flag: str, percent: Decimal, actor: Actor, reason: str) -> list[FlagChange]:
    """:raises ChangeRefused: also for a killed flag, so that nobody believes it came back."""
    _check_percent(percent)

    def change(row: Flag) -> None:
        if row.is_killed:
            raise ChangeRefused(
                f"{flag} is killed, so a share has no effect. Restore it first "
                f"(manage.py rollback restore {flag}), with a share if it should start smaller."
            )
        row.percent = percent

    return _change([flag], change, action="set share", actor=actor, reason=reason)


def _check_percent(percent: Decimal) -> None:
    if not percent.is_finite() or not 0 <= percent <= 100:
        raise ChangeRefused(f"A share is between 0 and 100 %; {percent} is not.")
    if percent != percent.quantize(Decimal("0.01")):
        raise ChangeRefused(f"A share has at most two decimals; {percent} has more.")


def kill(*, flag: str | None = None, actor: Actor, reason: str) -> list[FlagChange]:
    """Off for everybody, at once. Without a flag: all of them.

    :raises ChangeRefused:
    """

    def change(row: Flag) -> None:
        row.everyone = False

    names = [flag] if flag else Flag.objects.values_list("name", flat=True)
    try:
        return _change(names, change, action="kill", actor=actor, reason=reason, patience="1s")
    except ChangeBlocked:
        # A kill waits for nobody: a forgotten `BEGIN` at some terminal must not keep a feature on.
        end_blockers()
        return _change(names, change, action="kill", actor=actor, reason=reason)


def restore(
    *, flag: str, actor: Actor, reason: str, percent: Decimal | None = None
) -> list[FlagChange]:
    """Undo a kill: back to the share from before, or to `percent`.

    :raises ChangeRefused:
    """
    if percent is not None:
        _check_percent(percent)

    def change(row: Flag) -> None:
        if not row.is_killed:
            raise ChangeRefused(f"{flag} is not killed; change its share instead.")
        row.everyone = None
        if percent is not None:
            row.percent = percent

    return _change([flag], change, action="restore", actor=actor, reason=reason)


def set_early(
    *, flag: str, staff: bool, superusers: bool, users: Iterable[Any], actor: Actor, reason: str
) -> list[FlagChange]:
    """Who has the flag at any share above 0. :raises ChangeRefused:"""
    chosen = list(users)

    def change(row: Flag) -> None:
        row.staff, row.superusers = staff, superusers
        row.users.set(chosen)

    return _change([flag], change, action="set early users", actor=actor, reason=reason)


def _change(
    names: Iterable[str],
    change: Callable[[Flag], None],
    *,
    action: str,
    actor: Actor,
    reason: str,
    patience: str = "3s",
) -> list[FlagChange]:
    """:returns: an audit row for each flag that really changed."""
    if not reason.strip():
        raise ChangeRefused("A reason is needed: one sentence for whoever reads the audit later.")
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
            return _change_locked(names, change, action=action, actor=actor, reason=reason.strip())
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise ChangeBlocked(
            "Another change of the flags is still going on. Nothing was changed; try again."
        ) from error


def _change_locked(
    names: Iterable[str],
    change: Callable[[Flag], None],
    *,
    action: str,
    actor: Actor,
    reason: str,
) -> list[FlagChange]:
    # Everybody takes this row first: changes come one after the other and cannot deadlock.
    Switchboard.objects.select_for_update().get(pk=1)
    made = []
    for name in names:
        row = Flag.objects.filter(name=name).first()
        if row is None:
            known = ", ".join(Flag.objects.values_list("name", flat=True))
            raise ChangeRefused(f"There is no flag {name}. There are: {known}.")
        before = _facts(row)
        change(row)
        row.save()
        after = _facts(row)
        if before != after:
            made.append(
                FlagChange.objects.create(
                    flag_name=name,
                    actor=actor.user,
                    actor_name=actor.name,
                    action=action,
                    reason=reason,
                    before=before,
                    after=after,
                )
            )
    switchboard.after_commit()
    return made


def end_blockers() -> None:
    """End the sessions that hold a lock on the flags and wait for nothing themselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.pid, a.usename, a.application_name, pg_terminate_backend(a.pid, 1000)
              FROM pg_stat_activity a
             WHERE a.pid <> pg_backend_pid()
               AND a.datname = current_database()
               AND a.wait_event_type IS DISTINCT FROM 'Lock'
               AND EXISTS (
                   SELECT FROM pg_locks l
                    WHERE l.pid = a.pid AND l.granted AND l.mode <> 'AccessShareLock'
                      AND l.relation IN ('rollback_switchboard'::regclass,
                                         'rollback_flag'::regclass,
                                         'rollback_flag_users'::regclass))
            """
        )
        for pid, user, application, ended in cursor.fetchall():
            log.warning("kill.blocker", pid=pid, user=user, application=application, ended=ended)


def _facts(row: Flag) -> dict[str, Any]:
    return {
        "share": f"{row.percent:.2f}",
        "killed": row.is_killed,
        "staff": row.staff,
        "superusers": row.superusers,
        "users": sorted(row.users.values_list("pk", flat=True)),
    }
