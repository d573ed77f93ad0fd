"""Two definitions are the same where PostgreSQL has only said it otherwise, and nowhere else."""

from typing import Any

import pytest
from django.db import connection

from rollback.schema import catalog, described, rewording

DEFINED = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""


def ask(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.django_db
def test_every_check_of_the_school_read_back_is_the_same() -> None:
    """As a restore does it: PostgreSQL gets its own words, and says them again."""
    defined = ask(DEFINED)
    otherwise = 0
    for table, name, definition in defined:
        ask(f"CREATE TEMPORARY TABLE again (LIKE {table})")
        ask(f'ALTER TABLE again ADD CONSTRAINT "{name}" {definition}')
        ((read,),) = ask(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            f" WHERE conrelid = 'again'::regclass AND conname = '{name}'"
        )
        assert rewording.is_same(definition, read), (definition, read)
        otherwise += definition != read
        ask("DROP TABLE again")
    assert otherwise, "or nothing was tried"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "check",
    [
        "a IN ('x', 'y, (z]', 'it''s')",
        "a NOT IN ('x', 'y')",
        "a IN ('x', NULL)",
        "b IN ('x', 'y') OR (c > 1 AND a LIKE E'back\\\\slash')",
        "a = ANY (ARRAY['x', 'y']::varchar(3)[])",
        "(a || b) IN (upper('x'), b)",
        "c IN (1, -2) AND coalesce(a, '') <> ''",
        "(a = 'x' OR b = 'y') AND c BETWEEN 1 AND 3",
    ],
)
def test_what_is_read_back_is_the_same(check: str) -> None:
    read = [check]
    for _time in range(2):
        ask("CREATE TEMPORARY TABLE again (a varchar(20), b varchar, c int)")
        ask(f"ALTER TABLE again ADD CHECK ({read[-1]})")
        ((found,),) = ask(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'again'::regclass AND contype = 'c'"
        )
        read.append(found.removeprefix("CHECK (").removesuffix(")"))
        ask("DROP TABLE again")
    assert rewording.is_same(read[1], read[2]), read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("((a OR b) AND c)", "(a OR (b AND c))"),
        ("'a b'::text", "'ab'::text"),
        ("(a <> 'a b'::text)", "(a <> '(ab)'::text)"),
        ("(a)::integer", "(a)"),
        ("(a = 'x::text'::text)", "(a = 'x'::text)"),
        ('"a b" > 1', '"ab" > 1'),
        (
            "ANY ((ARRAY['x'::character varying])::text[])",
            "ANY (ARRAY[('x'::character varying)::bytea])",
        ),
        ("ANY ((ARRAY['x'::text, 'y'::text])::text[])", "ANY ((ARRAY['x, y'::text])::text[])"),
    ],
)
def test_what_makes_a_difference_is_one(one: str, other: str) -> None:
    assert not rewording.is_same(one, other)
    assert not described.is_same("constraint public.a b", one, other)
    assert not shape(check=one).fits(shape(check=other))
    assert not shape(default=one).fits(shape(default=other))


def shape(check: str = "", default: str = "") -> catalog.Shape:
    column = catalog.Column(
        type="text", notnull=True, identity=False, generated=False, default=default
    )
    return catalog.Shape(columns={"a": column}, constraints={"c": check}, indexes={})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("WHEN ((((a OR b) OR c) OR d))", "WHEN ((a OR b OR c OR d))", True),
        ("(a AND (b AND c))", "(a AND b AND c)", True),
        ("((a OR b) AND c)", "(a OR (b AND c))", False),
        ("((a OR b) AND c)", "(a OR b AND c)", False),
        ("(NOT (a OR b) OR c)", "(NOT a OR b OR c)", False),
        ("((a OR b) = c OR d)", "(a OR b = c OR d)", False),
        ("((a OR b) OR c)", "((a OR b) OR d)", False),
    ],
)
def test_a_chain_is_one_however_it_is_bracketed(one: str, other: str, same: bool) -> None:
    assert rewording.is_same(one, other) is rewording.is_same(other, one) is same
