"""A folder into the school: looked at whole, then written in one transaction, or not at all."""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from enrollment.domain.sheets import Problem
from enrollment.operations import look_again
from enrollment.operations.import_school import ImportRefused
from enrollment.operations.import_school.locks import one_import_at_a_time
from rollback.audit import Actor, actor_at_the_terminal
from rollback.preserving import ground, logins, manifest, reading, staging
from rollback.preserving.ground import GROUND
from rollback.preserving.manifest import Entry, Manifest
from rollback.preserving.staging import DIFFERS, NEW, SAME, Stage
from rollback.schema.digest import settled

log = structlog.get_logger(__name__)

# Whoever writes just now is waited for so long; whoever comes later waits for us.
PATIENCE = "5s"
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Counts:
    made: int
    changed: int
    same: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """counts: by file. facts: by file, how many scheduling facts stay in the folder. closed: logins that
    lost the password of somebody who may be a stranger."""

    as_of: str
    counts: Mapping[str, Counts]
    facts: Mapping[str, int]
    closed: int

    @property
    def is_nothing(self) -> bool:
        return not any(one.made or one.changed for one in self.counts.values())


def _silent(words: str) -> None:
    return None


def bring_in(
    folder: Path,
    *,
    actor: Actor | None = None,
    dry_run: bool = False,
    update: bool = False,
    changed: Collection[str] = (),
    say: Say = _silent,
) -> Report:
    """Again: nothing changes. dry_run: everything is done, and taken back. actor: None: at the terminal.

    update: rows that differ take over what the file says. changed: files that somebody has corrected.

    :raises ImportRefused: nothing was written; its problems say what to do, line by line. A FolderRefused:
        the folder is not as it was exported.
    """
    who = (actor or actor_at_the_terminal()).name
    asked = {"by": who, "dry_run": dry_run, "update": update, "changed_files": sorted(changed)}
    try:
        found = manifest.read(folder, needed=[file.name for file in GROUND], changed=changed)
        report = _at_once(folder, found, dry_run=dry_run, update=update, changed=changed, say=say)
    except ImportRefused as refused:
        log.warning("preserving.refused", **asked, problems=len(refused.problems))
        raise
    _log(found, report, asked)
    return report


def _log(found: Manifest, report: Report, asked: Mapping[str, object]) -> None:
    """Not who or what: how many rows of which files, and out of which folder, told by its manifest."""
    log.info(
        "preserving.imported",
        **asked,
        manifest=found.sha256,
        as_of=found.as_of,
        created={file: one.made for file, one in report.counts.items() if one.made},
        changed={file: one.changed for file, one in report.counts.items() if one.changed},
        unchanged=sum(one.same for one in report.counts.values()),
        logins_closed=report.closed,
    )


def _at_once(
    folder: Path,
    found: Manifest,
    *,
    dry_run: bool,
    update: bool,
    changed: Collection[str],
    say: Say,
) -> Report:
    """:raises ImportRefused:"""
    try:
        with transaction.atomic(durable=True):
            _lock()
            report = _bring_in(folder, found, update=update, changed=changed, say=say)
            if dry_run:
                transaction.set_rollback(True)
            else:
                look_again.after_commit()
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise
        hint = (
            f"others are writing into it, for more than {PATIENCE}; try again. Nothing was changed."
        )
        raise ImportRefused([Problem(file="the school", hint=hint)]) from error
    return report


def _lock() -> None:
    """Reading stays possible. One after the other, in the order in which an enrollment takes them."""
    one_import_at_a_time()
    tables = ", ".join(file.table for file in GROUND)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
        cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


def _bring_in(
    folder: Path, found: Manifest, *, update: bool, changed: Collection[str], say: Say
) -> Report:
    """:raises ImportRefused:"""
    before = logins.known()
    entries = {entry.name: entry for entry in found.files}
    unread: dict[str, set[str]] = defaultdict(set)
    stages: list[Stage] = []
    counts: dict[str, Counts] = {}
    with connection.cursor() as cursor, settled(cursor):
        for file in GROUND:
            stage = staging.begin(file, unread)
            stages.append(stage)
            entry = None if file.name in changed else entries[file.name]
            counts[file.name] = _take(stage, folder / file.name, entry, update=update)
            say(f"{file.name}: {stage.seen}")
        _refuse_full_groups(stages)
    if problems := list(staging.problems_of(stages)):
        raise ImportRefused(problems)
    return Report(
        as_of=found.as_of,
        counts=counts,
        facts={entry.name: entry.rows for entry in found.files if entry.where},
        closed=logins.settle(before),
    )


def _take(stage: Stage, path: Path, entry: Entry | None, *, update: bool) -> Counts:
    """entry: what the manifest says of the file, which must be so; None: somebody has corrected it."""
    try:
        stage.fill(reading.lines(stage.file, path, sha256=entry.sha256 if entry else None))
    except reading.Unreadable as unreadable:
        # Whatever else names its rows would only say the same again.
        raise ImportRefused([*stage.problems, unreadable.problem]) from unreadable
    stage.compare()
    stage.sort()
    stage.tell_differences(update=update)
    stage.refuse_unknown()
    same = stage.count(SAME)
    differing = stage.count(DIFFERS)
    made, changed = stage.write(update=update)
    if stage.problems:
        stage.compare()
        stage.forgive_what_follows()
    elif made or changed:
        stage.look_again()
    stage.keep_keys()
    if entry and stage.seen != entry.rows and not stage.problems:
        hint = f"has {stage.seen} rows, and the manifest says {entry.rows}; export again."
        stage.tell(Problem(file=entry.name, hint=hint))
    return Counts(made=made, changed=changed, same=same + (0 if update else differing))


def _refuse_full_groups(stages: Iterable[Stage]) -> None:
    """Who shares a group lesson is counted by nobody but us: the database knows no "at most so many". A
    group that is full beyond its seats where it comes from comes as it is."""
    stage = next(one for one in stages if one.file.name == ground.LESSONS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT max(s.line), max(s.key) FROM enrollment_lesson t
                  JOIN {staging.keys(ground.LESSONS)} k ON k.pk = t.id
                  LEFT JOIN {stage.staged} s ON s.key = k.key AND s.state = '{NEW}'
                 WHERE t.seats > 1 AND t.status <> 'cancelled'
                 GROUP BY t.teacher_id, t.course_id, t.period
                HAVING count(*) > max(t.seats) AND count(s.key) > 0 AND count(s.key) < count(*)"""
        )
        for line, key in cursor.fetchall():
            hint = "its group would have more students than seats; give one of them another time."
            stage.tell_at(line, stage.file.key, key, hint)
