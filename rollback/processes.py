"""Which processes run the flags as they are now: for the switchboard's page and the command."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from math import ceil

import structlog
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback.domain.errors import without_rows
from rollback.domain.processes import RollCall, Seen, call_the_roll
from rollback.limits import limited

log = structlog.get_logger(__name__)

PATIENCE = 1.0  # how long a kill waits for the other processes' word
FIRST_LOOK, LONGEST_PAUSE = 0.005, 0.05

# One statement, so that all times are of one clock and belong together. The table may be locked,
# archived or not there yet: nobody waits for it.
LOCK = "200ms"
READ = """
    SELECT s.version, s.changed_at, clock_timestamp(),
           p.kind, p.host, p.pid, p.started_at, p.version, p.reached_at, p.seen_at
      FROM rollback_switchboard s
      LEFT JOIN rollback_process p ON true
     ORDER BY p.kind, p.host, p.pid
"""


def roll_call(*, version: int | None = None) -> RollCall | None:
    """version: without it the database's. :returns: None when it cannot be read now."""
    try:
        # As it was before, afterwards: whoever asks may be about to wait for something else.
        with limited(lock=LOCK):
            return read(version=version)
    except Error as error:
        log.warning("processes.not_read", error=without_rows(error))
        return None


def read(*, version: int | None = None) -> RollCall | None:
    """One query, which waits for whoever holds the table as long as its transaction lets it."""
    with connection.cursor() as cursor:
        cursor.execute(READ)
        rows = cursor.fetchall()
    if not rows:
        return None
    newest, changed_at, now = rows[0][:3]
    return call_the_roll(
        [Seen(*row[3:]) for row in rows if row[3] is not None],
        version=newest if version is None else version,
        newest=newest,
        changed_at=changed_at,
        now=now,
    )


RUNNER = "rollback run"


def be_the_runner() -> None:
    """Says to the database who this session is. A pooler would hand the name on to somebody else."""
    if not settings.DATABASE_POOLED:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", [RUNNER])


def runner_lives() -> bool | None:
    """Whether anybody takes the steps of plans and phases: the database knows its sessions, also of a process
    that was killed. None: behind a pooler nobody can say.
    """
    if settings.DATABASE_POOLED:
        return None
    with connection.cursor() as cursor:
        # Within a transaction the first look would be kept.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s)",
            [RUNNER],
        )
        lives: bool = cursor.fetchone()[0]
        return lives


def wait_for_all(*, timeout: float = PATIENCE) -> RollCall | None:
    """Until every process that lives runs what is in the database now, or until `timeout`.

    To be called after the commit. :returns: how it stands then.
    """
    deadline, pause = time.monotonic() + timeout, FIRST_LOOK
    found = roll_call()
    while found is not None and found.waiting and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
        found = roll_call(version=found.version) or found
    return found


def sentences(found: RollCall | None, *, word: str) -> list[str]:
    """word: "Off", "Changed" or "Version 42"; the first sentence begins with it."""
    if found is None:
        return [_("Which processes run it cannot be read now.")]
    if not found.alive and not found.silent:
        return [_("No process has asked for a flag yet.")]
    said = [_how_many(found, word)]
    if found.waiting:
        said.append(_("Not yet: %(processes)s.") % {"processes": _listed(found.waiting, _behind)})
    if found.silent:
        words = _("No sign of life, so off by itself if it still runs: %(processes)s.")
        said.append(words % {"processes": _listed(found.silent, _silent)})
    return said


def _how_many(found: RollCall, word: str) -> str:
    facts = {"word": word, "reached": len(found.reached), "alive": found.alive}
    if found.slowest is None:
        words = ngettext(
            "%(word)s in %(reached)s of %(alive)s process.",
            "%(word)s in %(reached)s of %(alive)s processes.",
            found.alive,
        )
        return words % facts
    words = ngettext(
        "%(word)s in %(reached)s of %(alive)s process, slowest %(slowest)s.",
        "%(word)s in %(reached)s of %(alive)s processes, slowest %(slowest)s.",
        found.alive,
    )
    return words % (facts | {"slowest": span(found.slowest)})


def span(delay: timedelta) -> str:
    """Rounded up: what is told must not be quicker than it was."""
    milliseconds = ceil(delay / timedelta(milliseconds=1))
    if milliseconds < 1_000:
        return _("%(number)s ms") % {"number": milliseconds}
    return _("%(number)s s") % {"number": f"{milliseconds / 1000:.1f}"}


def _listed(processes: Iterable[Seen], about: Callable[[Seen], str]) -> str:
    return "; ".join(f"{name(process)}: {about(process)}" for process in processes)


def name(process: Seen) -> str:
    facts = {"kind": kind(process), "host": process.host, "pid": process.pid}
    return _("%(kind)s, host %(host)s, pid %(pid)s") % facts


def kind(process: Seen) -> str:
    words = {
        "web": _("web"),
        "socket": _("socket"),
        "worker": _("worker"),
        "beat": _("beat"),
        "command": _("command"),
    }
    return words.get(process.kind, _("process"))


def state(found: RollCall, process: Seen) -> str:
    """How `process` stands in that roll call, in words."""
    if process in found.silent:
        return _silent(process)
    return _behind(process) if process in found.waiting else _("up to date")


def _behind(process: Seen) -> str:
    return _("still at version %(version)s") % {"version": process.version}


def _silent(process: Seen) -> str:
    since = timezone.localtime(process.seen_at)
    return _("silent since %(time)s") % {"time": date_format(since, "H:i:s")}
