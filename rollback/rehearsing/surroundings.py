"""The environment of the rehearsal's own processes: made from nothing, so that no secret leaks in."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created

# What a program needs to start and to write the same language and time as the school.
TAKEN_ALONG = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PLAYWRIGHT_BROWSERS_PATH", "CI"),
    *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "TIME_ZONE", "SCHOOL_LANGUAGES"),
    # How the server is reached, as libpq knows it; the copy is on the same one.
    *("PGPASSFILE", "PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"),
)
# A variable that is set, even to nothing, is not read from .env.
NAMED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)
# Beside a school at work whatever else wants a core has it first; a desk is in a hurry.
NICE, NICENESS = "REHEARSAL_NICE", 10
DATABASE, SYSTEM, REAL = "REHEARSAL_DATABASE", "REHEARSAL_SYSTEM", "REHEARSAL_REAL_DATABASE"

WHERE = "SELECT current_database(), (SELECT system_identifier::text FROM pg_control_system())"


def of_child(*, url: str, name: str, system: str, real: str, folder: Path) -> dict[str, str]:
    """url, name: of the copy. system: identifier of the server it is on. real: the school's own database,
    which the child must not find itself in. folder: for whatever it writes.
    """
    own = {
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": "memory://",
        "EMAIL_URL": "dummymail://",
        # The copy has the school's channels and its open incidents.
        "OUTWARD_REQUESTS": "false",
        "SCHOOL_ENV": "desk",
        "SCHOOL_VAR": str(folder),
        # Sessions and tokens of the copy are worth nothing at the school.
        "SECRET_KEY": secrets.token_urlsafe(60),
        "LOG_LEVEL": "WARNING",
        "PGAPPNAME": "school-rehearsal",
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        NICE: str(NICENESS if settings.PRODUCTION else 0),
        DATABASE: name,
        SYSTEM: system,
        REAL: real,
    }
    along = {one: os.environ[one] for one in TAKEN_ALONG if one in os.environ}
    return dict.fromkeys(_in_file(), "") | along | own


def _in_file() -> list[str]:
    file = Path(settings.BASE_DIR) / ".env"
    return NAMED.findall(file.read_text()) if file.exists() else []


class NotTheCopy(Exception):
    """The process is connected to something else than its copy; nothing was written."""


def watch() -> None:
    """In every process of a rehearsal, the copy's server too: at each new connection, before the first
    statement of anybody else.
    """
    if DATABASE in os.environ:
        connection_created.connect(_look, dispatch_uid="rehearsal")


def _look(sender: object, connection: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(WHERE)
        database, system = cursor.fetchone()
    try:
        check(database=database, system=system)
    except NotTheCopy:
        # Or the next query would find it open, and nobody would look again.
        connection.close()
        raise


def check(*, database: str, system: str, environ: Mapping[str, str] = os.environ) -> None:
    """:raises NotTheCopy:"""
    wanted, real = environ.get(DATABASE, ""), environ.get(REAL, "")
    if not wanted or database != wanted or database == real or system != environ.get(SYSTEM):
        raise NotTheCopy(
            f"This process is connected to the database “{database}” of the server {system}, and not to "
            f"its copy “{wanted}”. Nothing was written."
        )
