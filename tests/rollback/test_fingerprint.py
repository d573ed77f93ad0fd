"""A fingerprint changes with every row and every definition, and with nothing else."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from rollback.schema import described, fingerprint
from rollback.schema.digest import digest
from rollback.schema.fingerprint import Fingerprint, differences
from tests.rollback import backed

pytestmark = pytest.mark.xdist_group("backups")

CHANGES = {
    "CREATE SCHEMA other": "schema other was not expected.",
    "DROP EXTENSION btree_gist CASCADE": "extension btree_gist is missing.",
    "ALTER TABLE archive.old SET UNLOGGED": "relation archive.old",
    "ALTER TABLE child ENABLE ROW LEVEL SECURITY": "relation public.child",
    "CREATE OR REPLACE VIEW names AS SELECT id, name FROM parent": "relation public.names",
    "ALTER TABLE child ALTER price SET DEFAULT 3": "column public.child.price",
    "ALTER TABLE child ALTER price SET NOT NULL": "column public.child.price",
    "ALTER TABLE child ALTER price TYPE numeric(10, 3)": "column public.child.price",
    "ALTER TABLE parent ALTER id SET GENERATED ALWAYS": "column public.parent.id",
    "ALTER TABLE parent DROP CONSTRAINT parent_name_check": "constraint public.parent parent_name_check",
    """ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey;
       ALTER TABLE child ADD CONSTRAINT child_parent_id_fkey
         FOREIGN KEY (parent_id) REFERENCES parent""": "constraint public.child child_parent_id_fkey",
    "DROP INDEX child_price": "index public.child_price is missing.",
    "DROP INDEX child_price; CREATE INDEX child_price ON child (price)": "index public.child_price",
    "ALTER TABLE parent DISABLE TRIGGER watch": "trigger public.parent watch",
    "CREATE RULE quiet AS ON DELETE TO parent DO INSTEAD NOTHING": "rule public.parent quiet",
    "CREATE POLICY own ON child USING (price > 1)": "policy public.child own",
    """CREATE OR REPLACE FUNCTION watched() RETURNS trigger LANGUAGE plpgsql
       AS 'BEGIN RETURN (new); END'""": "function public.watched()",
    "ALTER SEQUENCE child_id_seq INCREMENT 2": "sequence public.child_id_seq",
    "ALTER TYPE mood RENAME VALUE 'wild' TO 'free'": "enum public.mood",
    "ALTER DOMAIN short SET NOT NULL": "domain public.short",
    "GRANT SELECT ON child TO pg_monitor": "grant public.child to pg_monitor was not expected.",
    "GRANT SELECT (price) ON child TO pg_monitor": "grant public.child.price to pg_monitor",
    "REVOKE EXECUTE ON FUNCTION watched() FROM public": "grant public.watched() to everybody is",
}


@pytest.fixture(scope="module")
def where() -> Iterator[str]:
    with backed.small() as source:
        yield source.address


@pytest.fixture
def changing(where: str) -> Iterator[psycopg.Connection[Any]]:
    """Whatever is done there is undone."""
    with psycopg.connect(where) as opened:
        yield opened
        opened.rollback()


@pytest.mark.parametrize("change", CHANGES)
def test_every_definition_counts(change: str, changing: psycopg.Connection[Any]) -> None:
    before = described.catalog(changing)
    changing.execute(change.encode())
    after = described.catalog(changing)
    found = differences(of(catalog=before), of(catalog=after))
    assert [words for words in found if CHANGES[change] in words], found


def of(**facts: Any) -> Fingerprint:
    return Fingerprint(**{"tables": {}, "sequences": {}, "catalog": {}, **facts})


def test_the_owner_and_whoever_looks_are_left_out(changing: psycopg.Connection[Any]) -> None:
    before = described.catalog(changing)
    changing.execute("GRANT ALL ON child TO current_user")
    assert described.catalog(changing) == before


def test_what_postgres_reads_back_in_other_words_is_the_same() -> None:
    name = "constraint public.parent parent_name_check"
    one = "CHECK (((name)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))"
    two = (
        "CHECK (((name)::text = ANY (ARRAY[('x'::character varying)::text,"
        " ('y'::character varying)::text])))"
    )
    assert not differences(of(catalog={name: one}), of(catalog={name: two}))
    assert differences(of(catalog={name: one}), of(catalog={name: two.replace("'y'", "'z'")}))


def test_in_pieces_and_by_many_it_is_the_same(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fingerprint.fingerprint(where, workers=1)
    monkeypatch.setattr(fingerprint, "PIECE", 3)
    shares: list[float] = []
    parts = fingerprint.fingerprint(where, workers=3, progress=shares.append)
    assert parts == whole
    assert parts.rows == backed.ROWS + 600
    assert len(shares) > 40, "the large table was read in pieces"
    assert (max(shares), min(shares) < 0.1) == (1.0, True)
    assert Fingerprint.from_json(whole.as_json()) == whole


@pytest.mark.django_db
def test_it_counts_as_the_archive_does() -> None:
    """Of what the migrations have put there."""
    found = fingerprint.fingerprint(connection)
    with connection.cursor() as cursor:
        counted = digest(cursor, "public", "django_migrations")
    assert found.tables["public.django_migrations"] == counted
    assert counted.rows > 50


def test_one_moment_for_all_of_it(where: str) -> None:
    """What is written meanwhile is not seen, however late the table's turn comes."""
    with fingerprint.reading(where) as first:
        snapshot = fingerprint.export(first)
        before = fingerprint.fingerprint(where, snapshot=snapshot)
        backed.run(
            where,
            "UPDATE child SET price = price + 1 WHERE id = 1; DELETE FROM parent WHERE id = 9",
        )
        assert fingerprint.fingerprint(where, snapshot=snapshot) == before
    after = fingerprint.fingerprint(where)
    # With the parent went its child.
    assert [words.split(":")[0] for words in differences(before, after)] == [
        "public.child",
        "public.parent",
    ]


def test_equal_rows_do_not_cancel(where: str) -> None:
    backed.run(where, "CREATE TABLE twice AS SELECT 1 AS a FROM generate_series(1, 2)")
    try:
        one = fingerprint.fingerprint(where)
        backed.run(where, "UPDATE twice SET a = 2")
        other = fingerprint.fingerprint(where)
    finally:
        backed.run(where, "DROP TABLE twice")
    assert differences(one, other) == [
        "public.twice: as many rows as expected (2), but not the same."
    ]


def test_a_sequence_may_have_counted_on_but_never_back() -> None:
    assert not differences(of(sequences={"s": 7}), of(sequences={"s": 9}))
    assert differences(of(sequences={"s": 7}), of(sequences={"s": 6})) == [
        "sequence s has counted to 6, expected were 7."
    ]


def test_a_sequence_that_counts_down_counts_too(changing: psycopg.Connection[Any]) -> None:
    changing.execute("CREATE SEQUENCE down INCREMENT -2 START -10 MAXVALUE -1")
    assert described.sequences(changing)["public.down"] == 0
    changing.execute("SELECT nextval('down'), nextval('down'), nextval('down')")
    assert described.sequences(changing)["public.down"] == 3


def test_large_objects_are_rows_too(where: str) -> None:
    before = fingerprint.fingerprint(where)
    ((number,),) = backed.run(where, "SELECT lo_from_bytea(0, 'abc')")
    one = fingerprint.fingerprint(where)
    backed.run(where, f"SELECT lo_put({number}, 0, 'x')")
    other = fingerprint.fingerprint(where)
    backed.run(where, f"SELECT lo_unlink({number})")
    assert differences(before, one) == ["large objects: only one of the two has them."]
    assert differences(one, other) == [
        "large objects: as many rows as expected (1), but not the same."
    ]


def test_an_error_ends_all_readers(where: str) -> None:
    with pytest.raises(psycopg.Error):
        fingerprint.fingerprint(where, snapshot="00000000-00000000-9")
