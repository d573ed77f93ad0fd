"""Between a plan of migrations and the first statement of it: `pre_migrate` comes after the one and before
the other, whoever it is that migrates.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connections, transaction
from psycopg import sql

from rollback import incidents, registry, switchboard
from rollback.audit import Actor, actor_at_the_terminal
from rollback.domain.errors import without_rows
from rollback.models import Incident
from rollback.safely import homeward, permits, records
from rollback.safely.steps import Plan, Step, in_words, plan_hash, steps
from rollback.schema import catalog

log = structlog.get_logger(__name__)

# What `safe_migrate` has looked at already, in this process; and whether the glass is broken for it.
_allowed: ContextVar[Sequence[Step]] = ContextVar("allowed", default=())
_glass: ContextVar[bool] = ContextVar("glass", default=False)
# The row of what a plain `migrate` was let through with, until it ends.
_begun: ContextVar[int | None] = ContextVar("begun", default=None)


class MigrationRefused(CommandError):
    """Nothing was changed; the message says what to do instead. Django's commands show it as a sentence."""


@contextmanager
def allowing(plan: Plan, *, glass: bool) -> Iterator[None]:
    allowed, broken = _allowed.set(steps(plan)), _glass.set(glass)
    try:
        yield
    finally:
        _glass.reset(broken)
        _allowed.reset(allowed)


def check_plan(sender: Any, plan: Plan, using: str, **kwargs: Any) -> None:
    """:raises MigrationRefused:"""
    if plan and _is_allowed(plan):
        # At every try: a feature may have been switched on during the backup, or while a table was in use.
        check_backwards(plan, glass=_glass.get(), using=using)
        check_home(plan, glass=_glass.get(), using=using)
        return
    if not plan or not settings.SCHEMA_GUARD or nothing_to_lose(using):
        return
    reason = settings.SCHEMA_BREAK_GLASS.strip()
    check_backwards(plan, glass=bool(reason), using=using)
    check_home(plan, glass=bool(reason), using=using)
    if reason:
        _begun.set(break_glass(plan, reason=reason, actor=actor_at_the_terminal()))
        return
    try:
        permit = permits.find(plan)
    except permits.PermitRefused as refused:
        raise MigrationRefused(
            f"Not migrated: {refused}. Run manage.py safe_migrate, which proves a backup first and "
            "compares afterwards; or safe_migrate --prepare, and then this again within half an hour. "
            'Without a backup, into an incident\'s timeline: SCHEMA_BREAK_GLASS="why". '
            f"The plan: {in_words(steps(plan))}."
        ) from refused
    begun = records.begin(
        plan=steps(plan),
        plan_hash=permit.plan_hash,
        receipt=permit.receipt.name,
        actor=actor_at_the_terminal().name,
    )
    _begun.set(begun)


def note_the_end(sender: Any, **kwargs: Any) -> None:
    """Of a plain `migrate` that was let through. One that failed stays without an end."""
    if (begun := _begun.get()) is not None:
        records.end(begun, succeeded=True, report={"by": "migrate"})
        _begun.set(None)


def _is_allowed(plan: Plan) -> bool:
    """What is left of it after a try that did not get to the end is still the same plan."""
    allowed, found = list(_allowed.get()), steps(plan)
    return bool(allowed) and allowed[-len(found) :] == found


def check_backwards(plan: Plan, *, glass: bool = False, using: str = "default") -> None:
    """glass: it is broken, so that one person is enough; nobody's pages may break for it all the same.

    :raises MigrationRefused: it would take away tables that pages still ask for; or, where the schema is
        guarded, any of a feature's: that is phase 1, which two people decide, and which does not come by here
    """
    features = registry.by_admin_app()
    if not (apps := _losing(plan)):
        return
    owners = [features[app] for app in apps]
    chains = switchboard.read_here().chains
    on = [
        one.flag
        for one in owners
        if chains.get(one.flag) and all(state.reaches_somebody() for state in chains[one.flag])
    ]
    if on:
        raise MigrationRefused(
            f"Not migrated: it would take away tables while {', '.join(on)} is on. First the phases: "
            "manage.py rollback phase 3, then 2; manage.py rollback phase 1 takes the tables away and "
            "keeps their rows."
        )
    if settings.SCHEMA_GUARD and not glass and not nothing_to_lose(using):
        raise MigrationRefused(
            f"Not migrated: it would take away tables of {', '.join(apps)}, which one person alone does "
            "not decide. Run manage.py rollback phase 1: a second person approves it, and every row is "
            "proved; manage.py rollback reapply brings them back. Without the second person, into an "
            'incident\'s timeline: safe_migrate --break-glass "why". '
            f"The plan: {in_words(steps(plan))}."
        )


def _losing(plan: Plan) -> list[str]:
    """The features' apps of which it undoes something."""
    undone = {migration.app_label for migration, backwards in plan if backwards}
    return sorted(undone & set(registry.by_admin_app()))


def check_home(plan: Plan, *, glass: bool, using: str = "default") -> None:
    """glass: it is broken, and that is written down instead of the proof.

    :raises MigrationRefused: where the schema is guarded, and it would bring back what is in the archive
    """
    if settings.SCHEMA_GUARD and not glass and (why := homeward.why_not(plan, using=using)):
        raise MigrationRefused(why)


def nothing_to_lose(using: str = "default") -> bool:
    """A first installation: no row of the school's in any table, and nothing in the archive."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND (n.nspname = %s OR n.nspname = %s AND c.relname ~ %s)",
            [catalog.ARCHIVE, catalog.PUBLIC, f"^({'|'.join(sorted(_with_rows()))})_"],
        )
        return not any(_has_rows(cursor, *table) for table in cursor.fetchall())


def _with_rows() -> frozenset[str]:
    """Our apps but the switchboard's own, which has rows from its first migration on; whoever uses it is
    somebody of the school's.
    """
    return registry.own_apps() - {"rollback", "config"}


def _has_rows(cursor: Any, schema: str, table: str) -> bool:
    cursor.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table)).as_string()
    )
    return bool(cursor.fetchone()[0])


def break_glass(plan: Plan, *, reason: str, actor: Actor) -> int | None:
    """Without a backup, and not without a trace: in the newest open incident's timeline, or a new one's.

    :returns: the row of what is done now
    :raises MigrationRefused: nothing can be written down
    """
    found = steps(plan)
    try:
        with transaction.atomic():
            incident = _incident(reason, actor)
            incidents.record(
                incident=incident,
                kind=incidents.Kind.NOTE,
                actor=actor,
                text=_what_is_broken(plan, reason),
                schema=[list(one) for one in found],
            )
            change = records.begin(
                plan=found,
                plan_hash=plan_hash(plan),
                broken_glass=reason,
                incident=incident,
                actor=actor.name,
            )
    except DatabaseError as error:
        raise MigrationRefused(
            "Not migrated: that the glass is broken could not be written down "
            f"({without_rows(error)}). Run manage.py safe_migrate, which needs no incident."
        ) from error
    log.warning("schema.glass_broken", reason=reason, incident=incident, plan=in_words(found))
    return change


def _what_is_broken(plan: Plan, reason: str) -> str:
    words = f"The schema is changed without a proved backup: {reason}"
    if apps := _losing(plan):
        words += f" Tables of {', '.join(apps)} are taken away without a phase run and its second person."
    return words


def _incident(reason: str, actor: Actor) -> int:
    newest = Incident.objects.filter(resolved_at=None).order_by("-pk").first()
    opened = newest or incidents.open_case(
        title="The schema was changed without a proved backup",
        severity=Incident.Severity.THREE,
        flags=[],
        actor=actor,
        cause=reason,
    )
    if opened is None:
        raise MigrationRefused("Not migrated: no incident could be opened.")
    return opened.pk
