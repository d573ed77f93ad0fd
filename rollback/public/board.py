"""What stands above every page, in this process's memory: no page asks the database for it.

The switchboard's thread reads it, with the connection that it has anyhow and between two readings of the
flags: so it costs no page anything, not even the one that comes when it is old, and no connection more. One
statement every few seconds, which the database ends after a fifth of a second, so that a lock on these
tables does not keep the flags from being read. While the database is away, what was read last stands.
"""

import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg
import structlog
from django.db import Error, connection

from rollback import switchboard
from rollback.domain.errors import without_rows
from rollback.domain.notices import Audience, Level, Notice, level_of
from rollback.limits import limited

log = structlog.get_logger(__name__)

EVERY = 5.0  # seconds
LIMIT = "SET LOCAL statement_timeout = '200ms'"
MOST = 20

# One row with one text in it, which both kinds of connection hand on as it is. What begins soon is read
# ahead, so that it begins in time.
READ = f"""
    SELECT jsonb_build_object(
      'incidents', (SELECT coalesce(jsonb_agg(to_jsonb(u) ORDER BY u.severity, u.incident), '[]')
        FROM (SELECT DISTINCT ON (i.severity, p.incident_id)
                     p.incident_id AS incident, p.id, p.headings, p.texts, i.severity,
                     ARRAY(SELECT l.flag_name FROM rollback_latch l WHERE l.incident_id = i.id) AS flags
                FROM rollback_incident i JOIN rollback_publicupdate p ON p.incident_id = i.id
               WHERE i.resolved_at IS NULL
               ORDER BY i.severity, p.incident_id, p.published_at DESC, p.id DESC
               LIMIT {MOST}) AS u),
      'maintenance', (SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.starts_at), '[]')
        FROM (SELECT m.*, left(md5(m::text), 12) AS print FROM rollback_maintenance m
               WHERE m.cancelled_at IS NULL AND m.ends_at > now()
                 AND m.announced_from < now() + interval '1 minute'
               ORDER BY m.starts_at LIMIT {MOST}) AS m),
      'banners', (SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.starts_at DESC), '[]')
        FROM (SELECT b.*, left(md5(b::text), 12) AS print FROM rollback_banner b
               WHERE b.ends_at > now() AND b.starts_at < now() + interval '1 minute'
               ORDER BY b.starts_at DESC LIMIT {MOST}) AS b)
    )::text
"""  # noqa: S608  a number of ours


class Board:
    """One for each process; `_notices` is replaced whole, so reading takes no lock."""

    def __init__(self) -> None:
        self._notices: tuple[Notice, ...] = ()
        self._asked_at = 0.0
        self._is_lost = False
        self._accepting = threading.Lock()

    def notices(self) -> tuple[Notice, ...]:
        switchboard.board.snapshot()  # whoever is the first to ask starts the thread
        return self._notices

    def look(self, reading: "psycopg.Connection[Any]") -> None:
        """Of the switchboard's thread, which must not be stopped by a banner: nothing is raised."""
        if time.monotonic() - self._asked_at < EVERY:
            return
        asked_at = self._asked_at = time.monotonic()
        try:
            with reading.transaction():
                reading.execute(LIMIT)
                row = reading.execute(READ).fetchone()
            self._accept(row[0] if row else "{}", asked_at)
        except psycopg.Error as error:
            self._keep(without_rows(error))
        except Exception:
            # The watch: a row that cannot be read as a notice must not switch the features off.
            log.exception("board.broken")

    def refresh(self) -> None:
        """Read now, with this thread's own connection: who publishes sees it on the next page."""
        asked_at = time.monotonic()
        try:
            with limited(lock="200ms", statement="200ms"), connection.cursor() as cursor:
                cursor.execute(READ)
                text = cursor.fetchone()[0]
        except Error as error:
            self._keep(without_rows(error))
        else:
            self._accept(text, asked_at)

    def clear(self) -> None:
        with self._accepting:
            self._notices, self._asked_at, self._is_lost = (), 0.0, False

    def _accept(self, text: str, asked_at: float) -> None:
        """Of two that read at once the later question counts, whichever was slower."""
        notices = read(json.loads(text))
        with self._accepting:
            if asked_at >= self._asked_at:
                self._notices, self._asked_at, self._is_lost = notices, asked_at, False

    def _keep(self, why: str) -> None:
        """Said once, not every five seconds."""
        if not self._is_lost:
            log.warning("board.not_read", error=why)
        self._is_lost = True


def read(rows: Mapping[str, Any]) -> tuple[Notice, ...]:
    return (
        *(_of_incident(row) for row in rows.get("incidents", ())),
        *(_of_maintenance(row) for row in rows.get("maintenance", ())),
        *(_of_banner(row) for row in rows.get("banners", ())),
    )


def _of_incident(row: Mapping[str, Any]) -> Notice:
    return Notice(
        version=f"i{row['incident']}-{row['id']}",
        level=level_of(row["severity"]),
        headings=row["headings"],
        texts=row["texts"],
        flags=tuple(row["flags"]),
    )


def _of_maintenance(row: Mapping[str, Any]) -> Notice:
    return Notice(
        version=f"m{row['id']}-{row['print']}",
        level=Level.INFO,
        headings=row["headings"],
        texts=row["texts"],
        starts_at=datetime.fromisoformat(row["announced_from"]),
        ends_at=datetime.fromisoformat(row["ends_at"]),
    )


def _of_banner(row: Mapping[str, Any]) -> Notice:
    return Notice(
        version=f"b{row['id']}-{row['print']}",
        level=Level(row["level"]),
        headings={},
        texts=row["texts"],
        audience=Audience(row["audience"]),
        is_dismissible=row["is_dismissible"],
        starts_at=datetime.fromisoformat(row["starts_at"]),
        ends_at=datetime.fromisoformat(row["ends_at"]),
    )


board = Board()
notices, refresh, clear = board.notices, board.refresh, board.clear
# A child may have copied the lock in the moment it was held; what its parent has read is true for it too.
os.register_at_fork(after_in_child=lambda: setattr(board, "_accepting", threading.Lock()))
