"""What manage.py does around Django: a database for the commands that need one."""

import sys
from contextlib import AbstractContextManager, nullcontext
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from structlog.contextvars import bind_contextvars

from config.local import database, place

WITHOUT_DATABASE = {
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "draw_states",
    "findstatic",
    "help",
    "makemessages",
    "sample_school",
    "spectacular",
    "startapp",
    "startproject",
    "version",
}


def run(argv: list[str]) -> None:
    place.read_env()
    # In every line that the command logs; what else was typed may be somebody's words.
    bind_contextvars(command=argv[1] if argv[1:] else "help", run=uuid4().hex)
    try:
        with _database(argv[1:]):
            try:
                execute_from_command_line(argv)
            finally:
                _silence_the_switchboard()
    except (place.Problem, ImproperlyConfigured) as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)


def _database(words: list[str]) -> AbstractContextManager[object]:
    if needs_database(words) and place.uses_embedded_database():
        return database.used(place.var() / "postgres")
    return nullcontext()


def _silence_the_switchboard() -> None:
    """Where a flag was asked, its watch would complain about the database that stops now."""
    if module := sys.modules.get("rollback.switchboard"):
        module.board.leave()


def needs_database(words: list[str]) -> bool:
    """`check` and a dry `makemigrations` look at the code alone unless they are told otherwise."""
    if not words or words[0].startswith("-") or {"-h", "--help"} & set(words):
        return False
    command = words[0]
    if command == "check":
        return any(word.startswith("--database") for word in words)
    if command == "makemigrations":
        return not {"--check", "--dry-run"} & set(words)
    return command not in WITHOUT_DATABASE
