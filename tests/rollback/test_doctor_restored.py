"""A school that was restored from a backup is as sound as before, and what is changed in it is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from rollback import doctor
from rollback.backups import tools
from rollback.backups.source import Source
from rollback.doctor import State
from tests.rollback import backed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

REWORDED = """
    SELECT count(*) FROM pg_constraint one JOIN pg_class of ON of.oid = one.conrelid
     WHERE contype = 'c' AND pg_get_constraintdef(one.oid) LIKE '%ARRAY[(''%::text%'
"""


def through_a_dump(file: Path, source: str, to: str) -> None:
    server = Source(source).identity().server
    for name, address, words in (
        ("pg_dump", source, ["--format=custom", f"--file={file}"]),
        ("pg_restore", to, ["--no-owner", "--exit-on-error", str(file)]),
    ):
        env, rest = tools.environment(address)
        command: list[str | Path] = [
            tools.find(name, server=server).path,
            f"--dbname={rest}",
            *words,
        ]
        tools.Program(command, env=env).wait(lambda line: None)


@pytest.fixture(params=[1, 2], ids=["restored", "restored twice"])
def restored(request: Any, tmp_path: Path) -> Iterator[str]:
    """The school is a copy of itself now, which has gone through a file."""
    own, source = connection.settings_dict["NAME"], backed.address(connection.settings_dict["NAME"])
    with backed.database("restored_1") as first, backed.database("restored_2") as second:
        through_a_dump(tmp_path / "1", source, first)
        copy = first
        if request.param == 2:
            through_a_dump(tmp_path / "2", first, second)
            copy = second
        ((name,),) = backed.run(copy, "SELECT current_database()")
        connection.close()
        connection.settings_dict["NAME"] = name
        try:
            yield copy
        finally:
            connection.close()
            connection.settings_dict["NAME"] = own


def test_in_other_words_it_is_the_same(restored: str) -> None:
    assert backed.run(restored, REWORDED) > [(0,)]
    seen = doctor.examine()
    assert (seen.state, seen.words, seen.also) == (
        State.IN_PLACE,
        "All tables are in place, as the migrations make them.",
        (),
    )


@pytest.mark.parametrize("restored", [1], indirect=True)
def test_what_means_another_is_found(restored: str) -> None:
    """Casts and parentheses are not ignored: only what the server makes of its own words is the same."""
    table = "scheduling_availabilityrule"
    backed.run(
        restored,
        f"ALTER TABLE {table} DROP CONSTRAINT availability_weekday, ADD CONSTRAINT availability_weekday"
        " CHECK (weekday >= 0 AND weekday <= 7)",
    )
    seen = doctor.examine()
    assert (seen.state, seen.next) == (State.DRIFT, doctor.BACKUP)
    assert f"{table}: availability_weekday is another one" in seen.words
