"""What is kept of errors names the rule that was broken, and nobody's row."""

import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import Error, connection, transaction
from django.db.models import ProtectedError

from enrollment.models import User
from rollback.backups import tools
from rollback.backups.failing import BackupFailed
from rollback.domain.errors import without_details, without_rows
from rollback.rehearsing import child

ANNA = "anna@school.example"


def refused(statement: str) -> Error:
    with pytest.raises(Error) as found, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return found.value


ROWS: dict[str, tuple[str, str]] = {
    "the same twice": (
        f"CREATE TEMPORARY TABLE t (email text CONSTRAINT one UNIQUE) ON COMMIT DROP;"
        f"INSERT INTO t VALUES ('{ANNA}'), ('{ANNA}')",
        'duplicate key value violates unique constraint "one"',
    ),
    "a check": (
        f"CREATE TEMPORARY TABLE t (email text CONSTRAINT short CHECK (length(email) < 9)) ON COMMIT DROP;"
        f"INSERT INTO t VALUES ('{ANNA}')",
        'new row for relation "t" violates check constraint "short"',
    ),
    "nothing": (
        f"CREATE TEMPORARY TABLE t (email text, name text NOT NULL) ON COMMIT DROP;"
        f"INSERT INTO t VALUES ('{ANNA}')",
        'null value in column "name" of relation "t" violates not-null constraint',
    ),
    "no number": (f"SELECT '{ANNA}'::int", "invalid input syntax for type integer: …"),
    "quotes within": (
        f"""SELECT 'x" {ANNA}\ny"'::int""",
        "invalid input syntax for type integer: …",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", ROWS)
def test_the_rule_is_said_and_the_row_is_not(case: str) -> None:
    statement, words = ROWS[case]
    error = refused(statement)
    assert ANNA in str(error), "PostgreSQL says it"
    assert without_rows(error) == words
    cause = error.__cause__
    assert cause is not None
    assert without_rows(cause) == words


def test_other_errors_keep_their_words_and_djangos_lose_their_rows() -> None:
    assert without_rows(ValueError("The school is closed.")) == "The school is closed."
    assert without_rows(FileNotFoundError(2, "No such file")) == "[Errno 2] No such file"
    protected = ProtectedError("It is still used.", {User(pk=1, email=ANNA)})
    assert without_rows(protected) == "It is still used."
    with pytest.raises(psycopg.OperationalError) as found:
        psycopg.connect("host=/nowhere", connect_timeout=1)
    assert "/nowhere" in without_rows(found.value)


SAID = f"""\
pg_restore: error: COPY failed for table "person": ERROR:  duplicate key value violates "one"
DETAIL:  Key (email)=({ANNA}) already exists.
CONTEXT:  COPY person, line 1: "7 {ANNA} error
hint of {ANNA}"
pg_restore: error: could not execute query: ERROR:  invalid input syntax for type integer: "{ANNA}"
HINT:  Ask the database's owner.
Command was: INSERT INTO person VALUES ('{ANNA}');
"""


def test_of_a_program_only_the_complaint_is_kept() -> None:
    script = f"import sys; sys.stderr.write({SAID!r}); sys.exit(1)"
    program = tools.Program([sys.executable, "-c", script], env={})
    with pytest.raises(BackupFailed) as failed:
        program.wait()
    said = str(failed.value)
    assert ANNA not in said
    assert "school.example" not in said
    for words in ('violates "one"', "type integer: …", "Ask the database's owner"):
        assert words in said


def test_of_a_process_that_ended_the_last_lines_are_without_rows() -> None:
    lines = [
        "django.db.utils.IntegrityError: duplicate key value violates unique constraint",
        f"DETAIL:  Failing row contains (7, {ANNA}, I am",
        f"calling {ANNA}).",
        "",
        "Traceback (most recent call last):",
        f'psycopg.errors.InvalidText: invalid input syntax for type integer: "{ANNA}"',
    ]
    assert list(without_details(lines)) == [
        lines[0],
        lines[4],
        "psycopg.errors.InvalidText: invalid input syntax for type integer: …",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("say", [child._what, child._where], ids=["answer", "log"])
def test_what_breaks_in_a_rehearsal_is_told_without_rows(say: Callable[[Any], str]) -> None:
    error = refused(ROWS["the same twice"][0])
    try:
        raise RuntimeError("The step broke.") from error
    except RuntimeError as outer:
        said = say(error), child._where(outer)
    assert ANNA not in "".join(said)
    assert "IntegrityError: duplicate key value" in said[0]
    assert "RuntimeError: The step broke." in said[1]
    assert "IntegrityError: duplicate key value" in said[1]
