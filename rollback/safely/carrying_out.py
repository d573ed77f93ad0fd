"""plan → gates → proved backup → permit → migrate, two seconds at a time → compare → record."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg.errors import DeadlockDetected, LockNotAvailable

from rollback import backups, registry
from rollback.audit import Actor
from rollback.backups import BackupFailed, Receipt, source
from rollback.domain.errors import without_rows
from rollback.safely import comparing, guard, permits, records
from rollback.safely.guard import MigrationRefused
from rollback.safely.permits import PermitRefused
from rollback.safely.planning import Migrate, plan_of
from rollback.safely.steps import Plan, in_words, plan_hash, steps
from rollback.safely.watching import RowsWritten, Watch, watched
from rollback.schema import gates, locking
from rollback.schema.archive import ArchiveRefused

log = structlog.get_logger(__name__)

# Any number that no other advisory lock has.
CLAIM = "SELECT pg_try_advisory_lock(1935894595)"
Say = Callable[[str], object]


class Failed(Exception):
    """It did not end as planned; the message says how far it got. receipt: the way back, if there is one."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """plan: in words, empty where there was nothing to do. by_others: tables that others wrote in."""

    plan: str = ""
    receipt: str = ""
    permit: Path | None = None
    seconds: float = 0.0
    tries: int = 0
    by_others: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """As on the command line. prepare: up to the permit, and no further. reuse: the newest backup will do, if
    it is young enough. break_glass: without a backup, because.
    """

    app: str = ""
    migration: str = ""
    actor: Actor
    prepare: bool = False
    reuse: bool = False
    break_glass: str = ""
    deadline: float = locking.DEADLINE

    @property
    def glass(self) -> bool:
        return bool(self.break_glass.strip())


def migrate(*, asked: Asked, say: Say) -> Done:
    """:raises MigrationRefused: nothing was changed. :raises Failed:"""
    with _alone():
        plan = plan_of(app=asked.app, migration=asked.migration)
        if not plan:
            return Done()
        say(f"The plan: {in_words(steps(plan))}.")
        check_gates(plan)
        guard.check_backwards(plan, glass=asked.glass)
        guard.check_home(plan, glass=asked.glass)
        change, receipt, permit = _secured(asked, plan, say)
        if asked.prepare:
            return Done(plan=in_words(steps(plan)), receipt=receipt, permit=permit)
        return _carry_out(asked, plan, change, receipt, say)


def check_gates(plan: Plan) -> None:
    """:raises MigrationRefused:"""
    rules = gates.read(settings.MIGRATION_RULES, archiving=registry.by_admin_app())
    ours = [one for one, _back in plan if one.app_label in registry.own_apps()]
    if found := gates.problems(ours, rules):
        said = "\n".join(f"- {one}" for one in found)
        raise MigrationRefused(f"Not migrated. make check would have said:\n{said}")


@contextmanager
def _alone() -> Iterator[None]:
    """On whatever machine; whoever is killed loses it with the connection. Past a pooler, if there is one."""
    with _reached() as held:
        if held.execute(CLAIM).fetchone() != (True,):
            raise MigrationRefused(
                "Another safe_migrate of this database is under way. Wait for it."
            )
        yield


def _reached() -> psycopg.Connection[Any]:
    try:
        return source.school().connect()
    except BackupFailed as error:
        raise MigrationRefused(f"Not migrated: {error}") from error


def _secured(asked: Asked, plan: Plan, say: Say) -> tuple[int | None, str, Path | None]:
    """:returns: the row of what is done now, the backup's name, the permit. None where there are none yet"""
    who = asked.actor.name
    if guard.nothing_to_lose():
        say("There are no rows of the school's yet: no backup is needed.")
        return records.begin(plan=steps(plan), plan_hash=plan_hash(plan), actor=who), "", None
    if asked.glass:
        say("WITHOUT a backup; that and why stands in an incident's timeline.")
        reason = asked.break_glass.strip()
        return guard.break_glass(plan, reason=reason, actor=asked.actor), "", None
    try:
        receipt = _receipt(asked, say)
        permits.check(receipt)
        permit = permits.write(receipt, plan)
        permits.find(plan)
    except (BackupFailed, PermitRefused) as error:
        raise MigrationRefused(f"Not migrated: {error}") from error
    if asked.prepare:
        return None, receipt.name, permit
    change = records.begin(
        plan=steps(plan), plan_hash=plan_hash(plan), receipt=receipt.name, actor=who
    )
    return change, receipt.name, permit


def _receipt(asked: Asked, say: Say) -> Receipt:
    newest = backups.newest_verified(within=permits.OLDEST) if asked.reuse else None
    if newest is None:
        return backups.make(say=say)
    say(f"{newest.name} is young enough.")
    return newest


def _carry_out(asked: Asked, plan: Plan, change: int | None, receipt: str, say: Say) -> Done:
    began, watch = time.monotonic(), Watch()
    before = comparing.state()
    try:
        with guard.allowing(plan, glass=asked.glass):
            tries = _until_it_is_done(asked, watch, say)
    except (DatabaseError, RowsWritten, ArchiveRefused, locking.TablesAreHeld) as error:
        done = _note_failure(change, plan, error)
        raise Failed(f"{without_rows(error)}\nDone before: {done}.{_way_back(receipt)}") from error
    except BaseException as error:
        # A migration's own Python; or Ctrl-C.
        _note_failure(change, plan, error)
        raise
    compared = comparing.compare(before, plan=plan, written=watch.written)
    seconds = time.monotonic() - began
    found: dict[str, Any] = {
        **compared.facts(),
        "rows_written": dict(watch.written),
        "seconds": round(seconds, 3),
        "tries": tries,
    }
    if change is None:  # the table has only just been made
        change = records.begin(
            plan=steps(plan),
            plan_hash=plan_hash(plan),
            actor=asked.actor.name,
            receipt=receipt,
        )
    records.end(change, succeeded=not compared.wrong, report=found)
    log.info("schema.migrated", plan=in_words(steps(plan)), receipt=receipt, **compared.facts())
    if compared.wrong:
        said = "\n".join(f"- {one}" for one in compared.wrong)
        raise Failed(f"Migrated, but not as planned:\n{said}{_way_back(receipt)}")
    return Done(
        plan=in_words(steps(plan)),
        receipt=receipt,
        seconds=seconds,
        tries=tries,
        by_others=compared.by_others,
    )


def _until_it_is_done(asked: Asked, watch: Watch, say: Say) -> int:
    """Who waits for a table makes others wait: two seconds at most, then all of them get on.

    :returns: how often it was tried
    """
    ground, began, tries = tuple(f"{app}_" for app in comparing.ground_apps()), time.monotonic(), 0
    while True:
        tries += 1
        try:
            with watched(watch, keeps=lambda table: table.startswith(ground)):
                _run(asked, watch)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
            holders = locking.who_holds(_tables_of_ours())
            if time.monotonic() - began > asked.deadline:
                raise locking.TablesAreHeld(holders) from error
            say(
                f"A table is in use ({locking.in_words(holders)}); nothing waits for it. Again soon."
            )
            time.sleep(random.uniform(*locking.PAUSE))  # noqa: S311
        else:
            return tries


def _run(asked: Asked, watch: Watch) -> None:
    class Watched(Migrate):
        def migration_progress_callback(
            self, action: str, migration: Any = None, fake: bool = False
        ) -> None:
            watch.started(action, migration)
            super().migration_progress_callback(action, migration, fake)

    words = [one for one in (asked.app, asked.migration) if one]
    try:
        call_command(Watched(), *words, interactive=False, verbosity=0, stdout=StringIO())
    except CommandError as error:
        raise MigrationRefused(str(error)) from error


def _tables_of_ours() -> list[str]:
    return [one for app in registry.own_apps() for one in _names(app)]


def _names(app: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s", [f"{app}\\_%"]
        )
        return [name for (name,) in cursor.fetchall()]


def _note_failure(change: int | None, plan: Plan, error: BaseException) -> str:
    """:returns: what was done before it, as far as the database can still be asked"""
    try:
        done = _how_far(plan) or "nothing"
        records.end(change, succeeded=False, report={"error": without_rows(error), "done": done})
    except DatabaseError:
        return "the database does not answer"
    return done


def _how_far(plan: Plan) -> str:
    applied = set(MigrationExecutor(connection).loader.applied_migrations)
    return in_words([one for one in steps(plan) if ((one[0], one[1]) in applied) is not one[2]])


def _way_back(receipt: str) -> str:
    return (
        f"\nThe backup from before is {receipt}; docs/migrations.md says how to go back."
        if receipt
        else ""
    )
