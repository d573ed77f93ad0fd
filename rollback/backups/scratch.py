"""A database to try a backup in, beside the school's own and gone afterwards.

Its name says whose it is, so that what a killed run has left behind can be told from what is in use; and
nothing is ever dropped that has no such name.
"""

import hashlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import structlog
from django.utils.translation import gettext as _
from psycopg import sql

from rollback.backups import tools
from rollback.backups.failing import BackupFailed
from rollback.backups.opened import Opened
from rollback.backups.source import Source, one_row
from rollback.domain.errors import without_rows
from rollback.schema.fingerprint import Progress

log = structlog.get_logger(__name__)

PREFIX = "school_scratch_"
NAMED = re.compile(PREFIX + r"(?P<place>[0-9a-f]{8})_(?P<pid>\d+)_(?P<born>[0-9a-f]+)_\d+")
# Of other machines: nobody is connected, and it was not made just now.
GRACE = 600.0
JOBS = min(4, max(2, os.cpu_count() or 2))
# Nothing in it has to survive a power cut.
HURRY = "-c synchronous_commit=off -c maintenance_work_mem=128MB"
# A client that is newer than the server sets what that one does not know. Nothing depends on it, and all
# that is restored is compared.
UNKNOWN_SETTING = re.compile(r'ERROR: +unrecognized configuration parameter "\w+"$')
_numbers = count()

LIKE = """
    SELECT pg_encoding_to_char(encoding), to_jsonb(d)
      FROM pg_database d WHERE datname = current_database()
"""
LEFT = """
    SELECT datname, EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)
      FROM pg_database d WHERE starts_with(datname, %s)
"""


MAY = (
    "SELECT current_user::text, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
)


class MayNotMakeDatabases(BackupFailed):
    pass


def check_right(connection: psycopg.Connection[Any]) -> None:
    """Before any work is done. :raises MayNotMakeDatabases:"""
    user, may = one_row(connection, MAY)
    if not may:
        words = _(
            "The database's user %(user)s may not make databases, and a backup is proved in one of its "
            "own. Let a superuser run ALTER ROLE %(user)s CREATEDB, or name a user who may in "
            "BACKUP_DATABASE_URL."
        )
        raise MayNotMakeDatabases(words % {"user": user})


@contextmanager
def restored(
    source: Source, file: Opened, *, progress: Progress = lambda share: None
) -> Iterator[str]:
    """Its address. One connection to it stays open meanwhile: so others see that it is in use.

    :raises BackupFailed: also when the file cannot be restored whole
    """
    name = f"{PREFIX}{_place()}_{os.getpid()}_{int(time.time()):x}_{next(_numbers)}"
    with source.connect() as connection:
        check_right(connection)
        remove_leftovers(connection)
        server = connection.info.server_version // 10_000
    try:
        # Whoever is interrupted in here may have made it already.
        with source.connect() as connection:
            _create(connection, name)
        with source.connect(dbname=name):
            _restore(source.at(name), file, server=server, progress=progress)
            yield source.at(name)
    finally:
        _drop(source, name)


def _create(connection: psycopg.Connection[Any], name: str) -> None:
    """Empty, with the same encoding and collation as the school's."""
    encoding, facts = one_row(connection, LIKE)
    options = [
        sql.SQL("{} {}").format(sql.SQL(word), sql.Literal(value))
        for word, value in _options(encoding, facts).items()
    ]
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}").format(
        sql.Identifier(name), sql.SQL(" ").join(options)
    )
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        words = _("The scratch database could not be made: %(error)s")
        raise BackupFailed(words % {"error": without_rows(error)}) from error


def _options(encoding: str, facts: Mapping[str, Any]) -> dict[Any, str]:
    """PostgreSQL before 15 knows no providers, and before 17 has another name for the locale."""
    found = {
        "ENCODING": encoding,
        "LC_COLLATE": facts.get("datcollate"),
        "LC_CTYPE": facts.get("datctype"),
    }
    locale = facts.get("datlocale") or facts.get("daticulocale")
    match facts.get("datlocprovider"):
        case "i":
            found |= {"LOCALE_PROVIDER": "icu", "ICU_LOCALE": locale}
        case "b":
            found |= {"LOCALE_PROVIDER": "builtin", "BUILTIN_LOCALE": locale}
    return {word: value for word, value in found.items() if value}


def _restore(address: str, file: Opened, *, server: int, progress: Progress) -> None:
    tool = tools.find("pg_restore", server=server)
    env, rest = tools.environment(address)
    env["PGOPTIONS"] = f"{env.get('PGOPTIONS', '')} {HURRY}".strip()
    entries = _entries(tool, file)
    done = count(1)

    def heard(line: str) -> None:
        if "finished item" in line or ": creating " in line:
            progress(min(1.0, next(done) / entries))

    # --no-owner: whoever tries it out may not be who owns the school's tables.
    words = ["--no-owner", "--verbose", f"--jobs={JOBS}", f"--dbname={rest}"]
    is_newer = tool.major > server
    if not is_newer:
        words.append("--exit-on-error")
    program = tools.Program([tool.path, *words, file.place], env=env, hand_on=[file.number])
    program.wait(heard, harmless=UNKNOWN_SETTING if is_newer else None)
    progress(1.0)


def _entries(tool: tools.Tool, file: Opened) -> int:
    """:raises BackupFailed: not even its list of contents can be read"""
    listed = subprocess.run(  # noqa: S603
        [tool.path, "--list", file.place],
        pass_fds=[file.number],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if listed.returncode:
        words = _("%(name)s cannot be read as a backup: %(error)s")
        raise BackupFailed(words % {"name": file.name, "error": listed.stderr.strip()[:500]})
    return max(1, sum(1 for line in listed.stdout.splitlines() if line[:1].isdecimal()))


def _drop(source: Source, name: str) -> None:
    """Where the server is gone, so is the connection; the next run finds what is left."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    try:
        with source.connect() as connection:
            connection.execute(drop)
    except (psycopg.Error, BackupFailed) as error:
        log.warning("backups.scratch_left", name=name, error=without_rows(error))


def remove_leftovers(connection: psycopg.Connection[Any]) -> list[str]:
    """Scratch databases whose process is gone. :returns: their names"""
    removed = []
    for name, in_use in connection.execute(LEFT, [PREFIX]).fetchall():
        named = NAMED.fullmatch(name)
        if named is None or not _is_left(named, in_use=in_use):
            continue
        # A program that the killed run had started may still be at it.
        force = " WITH (FORCE)" if named["place"] == _place() else ""
        with suppress(psycopg.Error):
            connection.execute(sql.SQL("DROP DATABASE {}" + force).format(sql.Identifier(name)))
            removed.append(name)
            log.info("backups.scratch_removed", name=name)
    return removed


def _is_left(named: re.Match[str], *, in_use: bool) -> bool:
    born, pid = int(named["born"], 16), int(named["pid"])
    if named["place"] != _place():
        return not in_use and time.time() - born > GRACE
    if not _lives(pid):
        return True
    # The number was given again. By the clock, which may have been set: nobody is thrown out for it.
    return not in_use and _begun(pid) > born + 1


def _place() -> str:
    """Where numbers of processes mean the same: this machine since it was started, this container."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(known).encode(), digest_size=4).hexdigest()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _begun(pid: int) -> float:
    """0 where nobody says when: then it may be as old as anything."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        lines = Path("/proc/stat").read_text().splitlines()
        boot = next(line.split()[1] for line in lines if line.startswith("btime "))
    except (OSError, IndexError, StopIteration):
        return 0.0
    return int(boot) + int(ticks) / os.sysconf("SC_CLK_TCK")
