"""A folder into the school: looked at whole, then written in one transaction, or not at all."""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from enrollment.domain.sheets import Problem
from enrollment.models import User
from enrollment.operations import look_again
from enrollment.operations.import_school import ImportRefused
from enrollment.operations.import_school.locks import one_import_at_a_time
from enrollment.operations.import_school.logins import close_doubtful, dealt_with, teaching
from rollback.preserving import ground, manifest, reading, staging
from rollback.preserving.ground import GROUND
from rollback.preserving.manifest import Manifest
from rollback.preserving.staging import DIFFERS, NEW, SAME, Stage
from rollback.schema.digest import settled

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
    dry_run: bool = False,
    update: bool = False,
    changed: Collection[str] = (),
    say: Say = _silent,
) -> Report:
    """Again: nothing changes. dry_run: everything is done, and taken back.

    update: rows that differ take over what the file says. changed: files that somebody has corrected.

    :raises ImportRefused: nothing was written; its problems say what to do, line by line. A FolderRefused:
        the folder is not as it was exported.
    """
    needed = [file.name for file in GROUND]
    found = manifest.read(folder, needed=needed, changed=changed)
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
    known = (teaching(), dealt_with())
    rows = {entry.name: entry.rows for entry in found.files}
    unread: dict[str, set[str]] = defaultdict(set)
    stages: list[Stage] = []
    counts: dict[str, Counts] = {}
    with connection.cursor() as cursor, settled(cursor):
        for file in GROUND:
            stage = staging.begin(file, unread)
            stages.append(stage)
            counts[file.name] = _take(stage, folder / file.name, update=update)
            if stage.seen != rows[file.name] and file.name not in changed and not stage.problems:
                hint = (
                    f"has {stage.seen} rows, and the manifest says {rows[file.name]}; export again."
                )
                stage.tell(Problem(file=file.name, hint=hint))
            say(f"{file.name}: {stage.seen}")
        _refuse_full_groups(stages)
    if problems := list(staging.problems_of(stages)):
        raise ImportRefused(problems)
    return Report(
        as_of=found.as_of,
        counts=counts,
        facts={entry.name: entry.rows for entry in found.files if entry.where},
        closed=_give_roles(*known),
    )


def _take(stage: Stage, path: Path, *, update: bool) -> Counts:
    try:
        stage.fill(reading.lines(stage.file, path))
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


def _give_roles(teachers: set[int], known: set[int]) -> int:
    """The groups that their pages ask for; and nobody who signed up with somebody else's address finds
    that person's enrollments under it.

    :returns: how many logins lost their password.
    """
    for file, group in ((ground.TEACHERS, "teacher"), (ground.STUDENTS, "student")):
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO enrollment_user_groups (user_id, group_id)
                    SELECT p.pk, %s FROM staged_{file.partition(".")[0]} s
                      JOIN {staging.keys(ground.PEOPLE)} p ON p.key = s.email
                      JOIN enrollment_user u ON u.id = p.pk AND u.deleted_at IS NULL
                     WHERE s.state = '{NEW}' ON CONFLICT DO NOTHING""",
                [Group.objects.get_or_create(name=group)[0].pk],
            )
    closed = close_doubtful(_who_got("teachers", "s.email"), known=teachers)
    got = [*_who_got("students", "s.email"), *_who_got("enrollments", "s.student")]
    return closed + close_doubtful(dict.fromkeys(got), known=known)


def _who_got(stem: str, mail: str) -> Sequence[User]:
    """Logins that were there before, for whom that file brought something new."""
    return list(
        User.objects.raw(
            f"""SELECT DISTINCT u.* FROM staged_{stem} s
                  JOIN staged_people p ON p.email = {mail} AND p.state <> '{NEW}'
                  JOIN {staging.keys(ground.PEOPLE)} k ON k.key = p.email
                  JOIN enrollment_user u ON u.id = k.pk WHERE s.state = '{NEW}'"""
        )
    )
