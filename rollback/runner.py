"""The only room that changes exposure. Each change and its audit row are one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import structlog
from django.db import ProgrammingError, connection, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback import audit, incidents, registry, switchboard
from rollback.audit import Actor, ChangeBlocked, ChangeRefused, actor_at_the_terminal, actor_of
from rollback.models import (
    Flag,
    FlagChange,
    Incident,
    IncidentEvent,
    LedgerEntry,
    Switchboard,
)

# Who asks for a change says who asks, and hears a refusal, without knowing the audit's room.
__all__ = [
    "Actor",
    "ChangeBlocked",
    "ChangeRefused",
    "RolledBack",
    "actor_at_the_terminal",
    "actor_of",
    "check_tables",
    "end_blockers",
    "insist",
    "kill",
    "restore",
    "roll_back",
    "set_early",
    "set_share",
    "set_shares",
    "take_away",
]

T = TypeVar("T")

log = structlog.get_logger(__name__)

# After one automatic step the next waits so long; a kill does not.
AUTOMATIC_PAUSE = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """changes: the flags that were still on; the latch holds all of them."""

    incident: Incident
    changes: list[FlagChange]


def set_share(
    *, flag: str, percent: Decimal, actor: Actor, reason: str, plan: int | None = None
) -> list[FlagChange]:
    """plan: whose step this is; all steps of one are one decision, and wait for no pause between them.

    :raises ChangeRefused: also for a killed flag, so that nobody believes it came back.
    """
    return set_shares(flags=[flag], percent=percent, actor=actor, reason=reason, plan=plan)


def set_shares(
    *,
    flags: Iterable[str],
    percent: Decimal,
    actor: Actor,
    reason: str,
    plan: int | None = None,
) -> list[FlagChange]:
    """`set_share` for several at once: all of them or, when one is refused, none."""
    _check_percent(percent)

    def change(row: Flag) -> None:
        if row.is_killed:
            words = _(
                "%(flag)s is killed, so a share has no effect. Restore it first "
                "(manage.py rollback restore %(flag)s), with a share if it should start smaller."
            )
            raise ChangeRefused(words % {"flag": row.name})
        if percent > row.percent:
            _check_person(actor, row.name)
            check_tables(row.name)
        _check_pause(actor, row.name, plan=plan)
        row.percent = percent

    action = "set share" if plan is None else step_of(plan)
    return _change(flags, change, action=action, actor=actor, reason=reason)


def step_of(plan: int) -> str:
    """What the audit says was done, by a step of this plan."""
    return f"plan {plan}"


def _check_percent(percent: Decimal) -> None:
    if not percent.is_finite() or not 0 <= percent <= 100:
        words = _("A share is between 0 and 100 %%; %(share)s is not.")
        raise ChangeRefused(words % {"share": percent})
    if percent != percent.quantize(Decimal("0.01")):
        words = _("A share has at most two decimals; %(share)s has more.")
        raise ChangeRefused(words % {"share": percent})


def _check_person(actor: Actor, flag: str) -> None:
    if actor.automatic:
        words = _("Raising needs a person. Automatically, %(flag)s may only be lowered.")
        raise ChangeRefused(words % {"flag": flag})


def check_tables(flag: str) -> None:
    """Raised, a feature whose tables are in the archive would be off all the same, and nobody would know why.

    :raises ChangeRefused:
    """
    feature = registry.get(flag)
    away = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.TABLE, back_at=None)
    apps = set(away.values_list("app", flat=True).order_by())
    for one in registry.with_masters(feature) if feature and apps else ():
        if registry.is_built_on(one.flag, apps):
            words = _(
                "The tables of %(flag)s are in the archive. Bring them back first: manage.py rollback reapply"
            )
            raise ChangeRefused(words % {"flag": one.flag})


def _check_pause(actor: Actor, flag: str, *, plan: int | None = None) -> None:
    """One automatic decision, then people have time to look at what it did; by the database's clock."""
    since = Now() - AUTOMATIC_PAUSE
    steps = FlagChange.objects.filter(flag_name=flag, actor_kind=FlagChange.Kind.AUTOMATIC)
    if plan is not None:
        steps = steps.exclude(action=step_of(plan))
    if actor.automatic and steps.filter(changed_at__gt=since).exists():
        words = _(
            "%(flag)s was changed automatically less than 30 minutes ago. Until then only a kill "
            "or a person may change it."
        )
        raise ChangeRefused(words % {"flag": flag})


def kill(*, flag: str | None = None, actor: Actor, reason: str) -> list[FlagChange]:
    """Off for everybody, at once. Without a flag: all of them.

    :raises ChangeRefused:
    """
    return _kill(_names(flag), actor=actor, reason=reason)


def roll_back(
    *,
    flags: Iterable[str] = (),
    incident: str,
    actor: Actor,
    reason: str,
    kind: str = Incident.Kind.OTHER,
    severity: int = Incident.Severity.TWO,
    trigger: str = "",
    first_bad_at: datetime | None = None,
    is_not_the_feature: bool = False,
) -> RolledBack:
    """A kill that stays: an incident of this title is opened, and until it is resolved nobody
    can raise the flags, whichever way. Without flags: all of them. kind: decides the words that
    people read meanwhile (`Feature.because`).

    :raises ChangeRefused:
    """
    if not incident.strip():
        raise ChangeRefused(_("An incident needs a title."))
    names = list(flags) or _names(None)

    def open_it() -> Incident:
        return incidents.open_with_latches(
            title=incident.strip(),
            flags=names,
            actor=actor,
            cause=reason.strip(),
            kind=kind,
            severity=severity,
            trigger=trigger,
            first_bad_at=first_bad_at,
            is_not_the_feature=is_not_the_feature,
        )

    return _kill_and_latch(names, open_it, actor=actor, reason=reason)


def take_away(*, incident: int, flags: Iterable[str] = (), actor: Actor, reason: str) -> RolledBack:
    """`roll_back` for an incident that is open already: a person has decided so.

    :raises ChangeRefused: also where there is none, or it is resolved
    """
    names = list(flags) or _names(None)

    def latch() -> Incident:
        return incidents.latch(incident=incident, flags=names)

    return _kill_and_latch(names, latch, actor=actor, reason=reason)


def _kill_and_latch(
    names: list[str], latch: Callable[[], Incident], *, actor: Actor, reason: str
) -> RolledBack:
    """The latch, the kill and both in the timeline: one transaction, or nothing."""
    held: list[Incident] = []
    were: dict[str, Any] = {}

    def before() -> None:
        were.update(incidents.facts_of_flags())
        held[:] = [latch()]

    def after(changes: list[FlagChange]) -> None:
        incidents.record(
            incident=held[0].pk,
            kind=IncidentEvent.Kind.KILLED,
            actor=actor,
            flags=names,
            before=were,
            changes=[change.pk for change in changes],
            reason=reason.strip(),
        )

    changes = _kill(names, actor=actor, reason=reason, before=before, after=after)
    return RolledBack(incident=held[0], changes=changes)


def _names(flag: str | None) -> list[str]:
    return [flag] if flag else list(Flag.objects.values_list("name", flat=True))


def _kill(names: list[str], **said: Any) -> list[FlagChange]:
    def change(row: Flag) -> None:
        row.everyone = False

    wanted: dict[str, Any] = {"action": "kill", **said}
    try:
        return _change(names, change, patience="1s", **wanted)
    except ChangeBlocked:
        # A kill waits for nobody: a forgotten `BEGIN` at some terminal must not keep a feature on.
        end_blockers()
        return _change(names, change, **wanted)


def insist(do: Callable[[], T]) -> T:
    """What takes something away, once more if somebody's forgotten `BEGIN` is in its way.

    do: one transaction, or one savepoint, that is undone whole.
    """
    try:
        return do()
    except ChangeBlocked:
        end_blockers()
        return do()


def restore(
    *,
    flag: str,
    actor: Actor,
    reason: str,
    percent: Decimal | None = None,
    plan: int | None = None,
) -> list[FlagChange]:
    """Undo a kill: back to the share from before, or to `percent`. plan: whose step this is.

    :raises ChangeRefused:
    """
    _check_person(actor, flag)
    if percent is not None:
        _check_percent(percent)

    def change(row: Flag) -> None:
        if not row.is_killed:
            words = _("%(flag)s is not killed; change its share instead.")
            raise ChangeRefused(words % {"flag": flag})
        check_tables(flag)
        row.everyone = None
        if percent is not None:
            row.percent = percent

    action = "restore" if plan is None else step_of(plan)
    return _change([flag], change, action=action, actor=actor, reason=reason)


def set_early(
    *, flag: str, staff: bool, superusers: bool, users: Iterable[Any], actor: Actor, reason: str
) -> list[FlagChange]:
    """Who has the flag at any share above 0. :raises ChangeRefused:"""
    chosen = list(users)

    def change(row: Flag) -> None:
        _check_pause(actor, flag)
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
    before: Callable[[], None] = lambda: None,
    after: Callable[[list[FlagChange]], None] = lambda changes: None,
) -> list[FlagChange]:
    """before, after: done under the lock, before the first flag is changed and with what came of it.

    :returns: the audit row of each flag that really changed, written by the database.
    """
    with audit.told(actor=actor, reason=reason, action=action, patience=patience):
        # Everybody takes this row first: changes come one after the other and cannot deadlock.
        Switchboard.objects.select_for_update().get(pk=1)
        last = FlagChange.objects.aggregate(last=Max("pk"))["last"] or 0
        before()
        for name in names:
            row = _flag(name)
            change(row)
            row.save()
        switchboard.after_commit()
        audit.write_now()
        changes = list(FlagChange.objects.filter(pk__gt=last).order_by("pk"))
        after(changes)
        return changes


def _flag(name: str) -> Flag:
    row: Flag | None = Flag.objects.filter(name=name).first()
    if row is None:
        known = ", ".join(Flag.objects.values_list("name", flat=True))
        words = _("There is no flag %(flag)s. There are: %(known)s.")
        raise ChangeRefused(words % {"flag": name, "known": known})
    return row


def end_blockers() -> None:
    """End the sessions that hold a lock on the flags, and are not themselves queuing for them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH holders AS (
                SELECT pid FROM pg_locks
                 WHERE granted AND mode <> 'AccessShareLock' AND pid <> pg_backend_pid()
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND relation IN ('rollback_switchboard'::regclass,
                                    'rollback_flag'::regclass,
                                    'rollback_flag_users'::regclass,
                                    'rollback_flagchange'::regclass,
                                    'rollback_incident'::regclass,
                                    'rollback_incidentevent'::regclass,
                                    'rollback_latch'::regclass,
                                    'rollback_plan'::regclass,
                                    'rollback_planstep'::regclass,
                                    'rollback_draining'::regclass))
            SELECT a.pid, a.usename, a.application_name FROM pg_stat_activity a
             WHERE a.pid IN (SELECT pid FROM holders)
               AND NOT pg_blocking_pids(a.pid) && ARRAY(SELECT pid FROM holders)
            """
        )
        for pid, user, application in cursor.fetchall():
            ended = _end(pid)
            log.warning("kill.blocker", pid=pid, user=user, application=application, ended=ended)


def _end(pid: int) -> bool:
    """False too where we may not: a superuser's session, or the vacuum, which steps aside itself."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 1000)", [pid])
            return bool(cursor.fetchone()[0])
    except ProgrammingError:
        return False
