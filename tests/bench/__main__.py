"""`make bench`: a throwaway PostgreSQL, a sample school, seventeen subjects, one table.

ARGS="kill slots" picks subjects; --markdown prints the table as docs/benchmarks.md has it. Ends
with 1 when a goal is missed by more than twice.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from config.local import database
from config.local.place import BASE_DIR, Problem
from tests.bench.figures import Row, table

FILE_WIDTH = 200
SUBJECTS = (
    "kill",
    "stuck",
    "check",
    "gate",
    "slots",
    "rivals",
    "endpoint",
    "bookings",
    "pages",
    "calendar",
    "sockets",
    "drill",
    "triggers",
    "lost",
    "backup",
    "schema",
    "outbox",
)


def main() -> int:
    asked = _arguments()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=FILE_WIDTH)
    rows: list[Row] = []
    load_before = os.getloadavg()[0]
    try:
        with _house(console) as (url, folder):
            for name, subject in _subjects(url, folder, asked.megabytes).items():
                if name in asked.subjects or not asked.subjects:
                    with console.status(f"Measuring: {name} …"):
                        rows += subject()
    except Problem as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    finally:
        # What was measured before something went wrong is not lost.
        console.print(table(rows, markdown=asked.markdown))
    console.print(
        f"{os.cpu_count()} cores; load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after "
        f"(this program alone makes about 2); Python {platform.python_version()}."
    )
    return int(any(row.badly_missed for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    # `choices` would refuse the empty list.
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(SUBJECTS)}; without: all")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--megabytes", type=int, default=200, help="how large what `backup` backs up is (200)"
    )
    asked = parser.parse_args()
    if unknown := set(asked.subjects) - set(SUBJECTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    return asked


@contextmanager
def _house(console: Console) -> Iterator[tuple[str, Path]]:
    """The sample school on a server of its own. Django reads its settings in here, not before."""
    with (
        database.temporary() as url,
        tempfile.TemporaryDirectory(prefix="school-bench-") as folder,
    ):
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SCHOOL_ENV": "desk",
            "SCHOOL_VAR": folder,
            "SITE_URL": "http://localhost",
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "DATABASE_URL": url,
            "DATABASE_POOLED": "false",
            "CELERY_BROKER_URL": "memory://",
            "EMAIL_URL": "dummymail://",
            "PYTHONPATH": str(BASE_DIR),
            "LOG_LEVEL": "ERROR",
        }
        with console.status("Preparing a school …"):
            _prepare(url)
        yield url, Path(folder)


def _prepare(url: str) -> None:
    """The empty schools are copied while no process is connected."""
    _manage("setup")
    import django

    django.setup()
    from tests.bench import (
        bookings,
        calendar,
        drill,
        outbox,
        rivals,
        schema,
        schools,
        slots,
        sockets,
    )

    names = (
        *slots.database_names(),
        rivals.DATABASE,
        *bookings.DATABASES,
        *calendar.database_names(),
        *sockets.DATABASES,
        *drill.DATABASES,
        *schema.DATABASES,
        *outbox.DATABASES,
    )
    schools.copy_empty(url, template=database.NAME, names=names)
    _manage("setup", "--sample")


def _manage(*words: str) -> None:
    command = [sys.executable, str(BASE_DIR / "manage.py"), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"manage.py {' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def _subjects(url: str, folder: Path, megabytes: int) -> dict[str, Callable[[], Iterator[Row]]]:
    from tests.bench import (
        backup,
        bookings,
        calendar,
        check,
        drill,
        endpoint,
        gate,
        lost,
        outbox,
        pages,
        propagation,
        rivals,
        schema,
        slots,
        sockets,
        stuck,
        triggers,
    )

    log = folder / "server.log"
    return {
        "kill": lambda: propagation.rows(log),
        "stuck": lambda: stuck.rows(url, folder),
        "check": lambda: check.rows(url),
        "gate": gate.rows,
        "slots": slots.rows,
        "rivals": lambda: rivals.rows(url, folder),
        "endpoint": endpoint.rows,
        "bookings": lambda: bookings.rows(url),
        "pages": lambda: pages.rows(log),
        "calendar": lambda: calendar.rows(log),
        "sockets": lambda: sockets.rows(url, folder),
        "drill": lambda: drill.rows(url, folder),
        "triggers": triggers.rows,
        "lost": lambda: lost.rows(folder),
        "backup": lambda: backup.rows(url, folder, megabytes=megabytes),
        "schema": lambda: schema.rows(url),
        "outbox": lambda: outbox.rows(url, folder),
    }


if __name__ == "__main__":
    sys.exit(main())
