"""A backup and its proof: dumped and read in one snapshot, restored elsewhere, read again, compared."""

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.utils.translation import gettext as _

from rollback.backups import receipts, shelf, tools
from rollback.backups import source as sources
from rollback.backups.failing import BackupFailed, BackupRuns
from rollback.backups.opened import Opened, opened
from rollback.backups.receipts import Migration, Receipt
from rollback.backups.rows import Record, Row
from rollback.backups.scratch import check_right, remove_leftovers, restored
from rollback.backups.source import NAME, Identity, Source, identity, one_row
from rollback.domain.errors import without_rows
from rollback.schema import described, fingerprint
from rollback.schema.fingerprint import Fingerprint

# Any number that no other advisory lock has.
CLAIM = "SELECT pg_try_advisory_lock(1935894594)"
LOCK_WAIT = "60s"
# Enough to see what is wrong.
SHOWN = 10
SIZES = """
    SELECT n.nspname || '.' || o.relname, pg_table_size(o.oid)
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace WHERE o.relkind = 'r'
"""
DUMPING = re.compile(r'dumping contents of table "?([^"]+?)"?$')

Say = Callable[[str], object]
# Of what, and how much of it is done, 0 to 1.
Shares = Callable[[str, float], object]


class NotProved(BackupFailed):
    """What was restored is not what was in the database. differences: in words."""

    def __init__(self, differences: list[str]) -> None:
        self.differences = differences
        words = _(
            "The backup was thrown away, for restored it is not what the database had: %(what)s"
        )
        shown = " ".join(differences[:SHOWN])
        if len(differences) > SHOWN:
            more = len(differences) - SHOWN
            shown += " " + _("And %(count)d more.") % {"count": more}
        super().__init__(words % {"what": shown})


@dataclass(kw_only=True)
class Clock:
    """What each part took."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def over(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - began, 3)

    def all(self) -> dict[str, float]:
        return {**self.seconds, "total": round(time.monotonic() - self.began, 3)}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What the snapshot is of."""

    snapshot: str
    as_of: datetime
    identity: Identity
    migrations: tuple[Migration, ...]
    sequences: dict[str, int]
    sizes: dict[str, int]  # bytes, by schema.table


def make(*, say: Say, shares: Shares = lambda part, share: None) -> Receipt:
    """A new backup of the school. While it is made everybody works; only who wants a table for himself, as
    phase 1 does, waits until it is dumped.

    :raises BackupFailed: there is none; every old one is as it was
    """
    return prove(sources.school(), where=shelf.folder(), say=say, shares=shares, record=Row())


def prove(
    source: Source,
    *,
    where: Path,
    say: Say = lambda words: None,
    shares: Shares = lambda part, share: None,
    record: Record | None = None,
) -> Receipt:
    """:raises BackupFailed:"""
    kept = record or Record()
    with shelf.alone(where), claimed(source):
        shelf.remove_leftovers(where)
        kept.tidy()
        try:
            receipt = _prove(source, where, say, shares, kept)
        except (psycopg.Error, OSError) as error:
            words = _("There is no new backup: %(error)s")
            failed = BackupFailed(words % {"error": without_rows(error)})
            kept.failed(failed)
            raise failed from error
        except BaseException as error:
            kept.failed(error)
            raise
        kept.done(receipt)
    told = {"name": receipt.name, "rows": receipt.rows, "seconds": receipt.seconds["total"]}
    say(_("%(name)s is proved: %(rows)d rows, %(seconds).1f seconds.") % told)
    return receipt


@contextmanager
def claimed(source: Source) -> Iterator[None]:
    """One at a time, on whatever machine. Whoever is killed loses it with the connection.

    :raises BackupRuns: :raises MayNotMakeDatabases:
    """
    with source.connect() as connection:
        if one_row(connection, CLAIM) != (True,):
            words = _("Another backup of this database is under way. Wait until it has ended.")
            raise BackupRuns(words)
        check_right(connection)
        remove_leftovers(connection)
        yield


def _prove(source: Source, where: Path, say: Say, shares: Shares, record: Record) -> Receipt:
    clock = Clock()
    with ExitStack() as snapshot:
        first = snapshot.enter_context(fingerprint.reading(source.address, name=NAME))
        moment = _moment(first)
        path = where / shelf.new_name(moment.identity.database, as_of=moment.as_of)
        record.begun(path.name)
        with _partial(path) as partial:
            say(_("Dumping, and reading every row of the same moment …"))
            expected = _take(source, partial, moment, clock, shares)
            # From here on it holds up nobody, neither who wants a table nor the vacuum.
            snapshot.close()
            say(_("Restoring into a scratch database, and reading every row of it …"))
            digest = _compare(source, partial, expected, clock, shares)
            receipt = Receipt(
                path=path,
                system=moment.identity.system,
                database=moment.identity.database,
                server=moment.identity.server,
                snapshot=moment.snapshot,
                as_of=moment.as_of,
                migrations=moment.migrations,
                sha256=digest,
                size=partial.stat().st_size,
                fingerprint=expected,
                seconds=clock.all(),
            )
            _put_on_shelf(partial, receipt)
    return receipt


def _moment(connection: psycopg.Connection[Any]) -> Moment:
    snapshot = fingerprint.export(connection)
    as_of, has_migrations = one_row(
        connection, "SELECT now(), to_regclass('public.django_migrations') IS NOT NULL"
    )
    query = "SELECT app, name FROM public.django_migrations ORDER BY app, name"
    applied = connection.execute(query).fetchall() if has_migrations else []
    return Moment(
        snapshot=snapshot,
        as_of=as_of,
        identity=identity(connection),
        migrations=tuple((app, name) for app, name in applied),
        # Before the dump reads them, or one that counts on meanwhile would be behind in it.
        sequences=described.sequences(connection),
        sizes=dict(connection.execute(SIZES).fetchall()),
    )


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Where it grows; gone afterwards, unless it was given its name."""
    partial = path.with_name(path.name + shelf.PARTIAL)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield partial
    except BaseException:
        if not path.exists():
            receipts.beside(path).unlink(missing_ok=True)
        raise
    finally:
        partial.unlink(missing_ok=True)


def _take(
    source: Source, partial: Path, moment: Moment, clock: Clock, shares: Shares
) -> Fingerprint:
    """Both at the same time, of the same moment. Where one fails, the other is given up."""
    program = _dump(source, partial, moment)
    with ThreadPoolExecutor(1, thread_name_prefix="dump") as pool:
        dumping = pool.submit(_wait, program, moment, clock, shares)
        try:
            with clock.over("fingerprint"):
                found = fingerprint.fingerprint(
                    source.address,
                    snapshot=moment.snapshot,
                    progress=_while(dumping, lambda share: shares("fingerprint", share)),
                )
            dumping.result()
        except BaseException:
            program.end()
            raise
    return replace(found, sequences=moment.sequences)


def _dump(source: Source, partial: Path, moment: Moment) -> tools.Program:
    tool = tools.find("pg_dump", server=moment.identity.server)
    # The other half of it is looked for before any work is done.
    tools.find("pg_restore", server=moment.identity.server)
    env, rest = tools.environment(source.address)
    command: list[str | Path] = [
        tool.path,
        "--format=custom",
        "--compress=1",
        f"--snapshot={moment.snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}",
        "--verbose",
        f"--file={partial}",
        f"--dbname={rest}",
    ]
    return tools.Program(command, env=env)


def _wait(program: tools.Program, moment: Moment, clock: Clock, shares: Shares) -> None:
    before, total = 0, max(1, sum(moment.sizes.values()))

    def heard(line: str) -> None:
        nonlocal before
        if found := DUMPING.search(line):
            shares("dump", min(1.0, before / total))
            before += moment.sizes.get(found[1], 0)

    with clock.over("dump"):
        program.wait(heard)
    shares("dump", 1.0)


def _while(dumping: Future[None], progress: fingerprint.Progress) -> fingerprint.Progress:
    """What is read is of no use any more when the dump has failed, and nothing more is."""

    def goes_on(share: float) -> None:
        if dumping.done():
            dumping.result()
        progress(share)

    return goes_on


def _compare(
    source: Source, partial: Path, expected: Fingerprint, clock: Clock, shares: Shares
) -> str:
    """:returns: the file's sha256. :raises NotProved:"""
    with (
        opened(partial) as file,
        ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool,
    ):
        os.fsync(file.number)
        digest = pool.submit(file.sha256)
        check(source, file, expected, clock=clock, shares=shares)
        return digest.result()


def check(
    source: Source, file: Opened, expected: Fingerprint, *, clock: Clock, shares: Shares
) -> None:
    """:raises NotProved: :raises BackupFailed: it cannot be restored"""
    began = time.monotonic()
    with restored(source, file, progress=lambda share: shares("restore", share)) as address:
        clock.seconds["restore"] = round(time.monotonic() - began, 3)
        with clock.over("compare"):
            found = fingerprint.fingerprint(
                address, progress=lambda share: shares("compare", share)
            )
            wrong = fingerprint.differences(expected, found)
    if wrong:
        raise NotProved(wrong)


def _put_on_shelf(partial: Path, receipt: Receipt) -> None:
    """With its name it is a backup, and from that moment on it has a receipt."""
    receipts.write(receipt)
    partial.replace(receipt.path)
    receipts.settle(receipt.path.parent)
