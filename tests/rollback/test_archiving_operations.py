"""The operations themselves, on an app of their own: each test's tables go with its transaction."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from rollback import keeping, switchboard
from rollback.audit import Actor
from rollback.keeping.purging import too_old
from rollback.models import LedgerEntry, Orphan
from rollback.schema import archive, copying, returning
from rollback.schema.archive import NotThere, PlaceIsTaken, ShapeChanged, TableIsUsed
from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel

pytestmark = pytest.mark.django_db

ID = ("id", models.BigAutoField(primary_key=True))


def settle() -> None:
    """As at the end of a transaction, which the rows of a test are in."""
    sql("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


class Toys:
    """An app whose migrations are done and undone one operation at a time."""

    def __init__(self, run_callbacks: Callable[..., Any]) -> None:
        self.states = [ProjectState()]
        self._committing = run_callbacks

    def do(self, operation: Operation) -> None:
        settle()
        after = self.states[-1].clone()
        operation.state_forwards("toys", after)
        with self._committing(execute=True), connection.schema_editor() as editor:
            operation.database_forwards("toys", editor, self.states[-1], after)
        self.states.append(after)

    def undo(self, operation: Operation) -> None:
        settle()
        with self._committing(execute=True), connection.schema_editor() as editor:
            operation.database_backwards("toys", editor, self.states[-1], self.states[-2])
        self.states.pop()


@pytest.fixture
def toys(django_capture_on_commit_callbacks: Any) -> Toys:
    made = Toys(django_capture_on_commit_callbacks)
    made.do(CreateModel("Child", [ID, ("name", models.TextField())]))
    sql("INSERT INTO toys_child (name) VALUES ('Ada'), ('Bo'), ('Cy')")
    return made


def toy(*fields: tuple[str, Any], **options: Any) -> ArchivingCreateModel:
    return ArchivingCreateModel(
        "Toy", [ID, ("name", models.CharField(max_length=20)), *fields], **options
    )


def owner(**options: Any) -> tuple[str, Any]:
    return "owner", models.ForeignKey("toys.Child", models.DO_NOTHING, **options)


def sql(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def one(statement: str) -> Any:
    return sql(statement)[0][0]


def newest() -> LedgerEntry:
    return LedgerEntry.objects.order_by("pk").last() or pytest.fail("nothing in the ledger")


def is_in(schema: str, table: str = "toys_toy") -> bool:
    return bool(one(f"SELECT to_regclass('{schema}.{table}') IS NOT NULL"))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE VIEW toy_report AS SELECT count(*) FROM toys_toy", "the view toy_report"),
        (
            "CREATE MATERIALIZED VIEW toy_list AS SELECT name FROM toys_toy",
            "the view toy_list",
        ),
        (
            "CREATE TABLE shelf (toy bigint CONSTRAINT on_shelf REFERENCES toys_toy)",
            "the foreign key on_shelf of shelf",
        ),
    ],
)
def test_a_table_that_somebody_uses_stays_and_they_are_named(
    toys: Toys, statement: str, words: str
) -> None:
    made = toy()
    toys.do(made)
    sql(statement)
    with pytest.raises(TableIsUsed, match=words):
        toys.undo(made)
    assert is_in("public")
    assert not LedgerEntry.objects.exists()


def test_rows_numbers_and_clauses_come_home(toys: Toys) -> None:
    made = toy(owner(), db_on_delete={"owner": "CASCADE"})
    toys.do(made)
    sql("INSERT INTO toys_toy (name, owner_id) VALUES ('ball', 1), ('kite', 2)")
    definition = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'toys_toy'::regclass AND contype = 'f'"
    )
    before = one(definition)
    toys.undo(made)
    assert (newest().rows, newest().archived_as) == (2, "archive.toys_toy")
    toys.do(made)
    assert one(definition) == before
    assert "ON DELETE CASCADE" in before
    assert newest().report == {"moved": True}
    sql("INSERT INTO toys_toy (name, owner_id) VALUES ('drum', 3)")
    assert one("SELECT max(id) FROM toys_toy") == 3
    sql("DELETE FROM toys_child WHERE id = 1")
    assert sql("SELECT name FROM toys_toy ORDER BY id") == [("kite",), ("drum",)]


def test_who_lost_their_owner_meanwhile_is_set_aside(toys: Toys) -> None:
    lent = models.ForeignKey("toys.Child", models.DO_NOTHING, null=True, related_name="+")
    clauses = {"owner": "CASCADE", "lent_to": "SET NULL"}
    made = toy(owner(), ("lent_to", lent), db_on_delete=clauses)
    toys.do(made)
    sql("INSERT INTO toys_toy (name, owner_id, lent_to_id) VALUES ('ball', 1, 2), ('kite', 2, 1)")
    toys.undo(made)
    sql("DELETE FROM toys_child WHERE id = 1")
    toys.do(made)
    assert sql("SELECT name, lent_to_id FROM toys_toy") == [("kite", None)]
    rows = {orphan.row["name"]: orphan.row for orphan in Orphan.objects.all()}
    assert rows["ball"]["owner_id"] == 1
    assert rows["kite"]["lent_to_id"] == 1, "as it was before"
    assert sorted(newest().report.values(), key=str) == [1, 1, True]
    returning.finish("toys_toy", newest().pk)
    assert Orphan.objects.count() == 2


def test_a_column_that_is_new_now_has_its_default_and_another_one_is_left_behind(
    toys: Toys,
) -> None:
    made = toy(("color", models.TextField()))
    toys.do(made)
    sql("INSERT INTO toys_toy (name, color) VALUES ('ball', 'red'), ('kite', 'blue')")
    toys.undo(made)
    changed = toy(("price", models.IntegerField(default=5, db_default=5)))
    toys.do(changed)
    assert sql("SELECT id, name, price FROM toys_toy ORDER BY id") == [
        (1, "ball", 5),
        (2, "kite", 5),
    ]
    entry = newest()
    assert entry.report == {
        "moved": False,
        "copied": 2,
        "left_behind": ["color"],
        "new": ["price"],
    }
    assert sql(f"SELECT color FROM {entry.archived_as} ORDER BY id") == [("red",), ("blue",)]
    sql("INSERT INTO toys_toy (name) VALUES ('drum')")
    assert one("SELECT max(id) FROM toys_toy") == 3

    # Again, and neither the table nor what was left behind is in the way.
    toys.undo(changed)
    price = ("price", models.IntegerField(default=5, db_default=5))
    made_again = toy(price, ("age", models.IntegerField(null=True)))
    toys.do(made_again)
    second = newest()
    assert second.pk != entry.pk
    assert second.archived_as != entry.archived_as
    toys.undo(made_again)
    toys.do(made_again)
    assert one("SELECT count(*) FROM toys_toy") == 3
    assert newest().report == {"moved": True}


def test_a_column_that_needs_a_value_which_nobody_has_moves_nothing(toys: Toys) -> None:
    made = toy()
    toys.do(made)
    sql("INSERT INTO toys_toy (name) VALUES ('ball')")
    toys.undo(made)
    with pytest.raises(ShapeChanged, match=r"toys_toy .* price"):
        toys.do(toy(("price", models.IntegerField())))
    assert not is_in("public")
    assert one("SELECT name FROM archive.toys_toy") == "ball"
    assert newest().back_at is None


@pytest.mark.parametrize(
    ("was", "now", "value"),
    [
        (models.CharField(max_length=20), models.CharField(max_length=5), "'rocking horse'"),
        (models.DecimalField(max_digits=6, decimal_places=3),
         models.DecimalField(max_digits=6, decimal_places=1), "1.125"),
        (models.TextField(), models.IntegerField(), "'heavy'"),
        (models.IntegerField(), models.SmallIntegerField(), "70000"),
        (models.DateTimeField(), models.DateField(), "'2030-01-01 10:00Z'"),
        (models.DateField(), models.IntegerField(), "'2030-01-01'"),
        (models.IntegerField(null=True), models.IntegerField(default=1), "NULL"),
    ],
    ids=["cut", "rounded", "unreadable", "too large", "shortened", "no cast", "empty"],
)  # fmt: skip
def test_values_that_do_not_fit_any_more_move_nothing(
    toys: Toys, was: Any, now: Any, value: str
) -> None:
    """PostgreSQL would cut and round without a word."""
    made = ArchivingCreateModel("Toy", [ID, ("size", was)])
    toys.do(made)
    sql(f"INSERT INTO toys_toy (size) VALUES ({value})")
    before = sql("SELECT * FROM toys_toy")
    toys.undo(made)
    with pytest.raises(ShapeChanged, match="do not fit") as refused:
        toys.do(ArchivingCreateModel("Toy", [ID, ("size", now)]))
    assert value.strip("'") not in str(refused.value), "what stands in a row is nobody's business"
    assert not is_in("public")
    assert sql("SELECT * FROM archive.toys_toy") == before
    assert newest().back_at is None


def test_values_that_fit_another_type_are_copied(toys: Toys) -> None:
    made = ArchivingCreateModel("Toy", [ID, ("size", models.IntegerField())])
    toys.do(made)
    sql("INSERT INTO toys_toy (size) VALUES (7)")
    toys.undo(made)
    toys.do(ArchivingCreateModel("Toy", [ID, ("size", models.TextField())]))
    assert one("SELECT size FROM toys_toy") == "7"


def test_an_index_that_is_new_is_made_and_the_rows_are_copied(toys: Toys) -> None:
    made = toy()
    toys.do(made)
    sql("INSERT INTO toys_toy (name) VALUES ('ball')")
    toys.undo(made)
    indexed = toy(options={"indexes": [models.Index(fields=["name"], name="toy_name")]})
    toys.do(indexed)
    assert one("SELECT name FROM toys_toy") == "ball"
    assert is_in("public", "toy_name")
    assert newest().report["left_behind"] == newest().report["new"] == []


@pytest.fixture
def toys_with_rows(toys: Toys) -> Toys:
    toys.do(toy())
    sql("INSERT INTO toys_toy (name) VALUES ('ball'), ('kite'), ('drum')")
    return toys


def test_values_of_a_column_come_home(toys_with_rows: Toys) -> None:
    toys, color = toys_with_rows, ArchivingAddField("Toy", "color", models.TextField(null=True))
    toys.do(color)
    sql("UPDATE toys_toy SET color = 'red' WHERE id < 3")
    toys.undo(color)
    assert newest().rows == 3
    toys.do(color)
    assert sql("SELECT id, color FROM toys_toy ORDER BY id") == [(1, "red"), (2, "red"), (3, None)]
    assert newest().report == {"filled": 3, "archived": 3}
    assert not is_in("archive", "toys_toy__color")


def test_values_of_rows_that_are_gone_are_kept(toys_with_rows: Toys) -> None:
    toys, color = toys_with_rows, ArchivingAddField("Toy", "color", models.TextField(null=True))
    toys.do(color)
    sql("UPDATE toys_toy SET color = name")
    toys.undo(color)
    sql("DELETE FROM toys_toy WHERE id = 1")
    toys.do(color)
    assert newest().report == {"filled": 2, "archived": 3}
    assert sql(f"SELECT color FROM {newest().archived_as} WHERE id = 1") == [("ball",)]
    toys.undo(color)
    toys.do(color)
    assert newest().report == {"filled": 2, "archived": 2}


def test_a_foreign_key_comes_home_but_not_to_who_is_gone(toys_with_rows: Toys) -> None:
    toys, key = toys_with_rows, ArchivingAddField("Toy", *owner(null=True))
    toys.do(key)
    sql("UPDATE toys_toy SET owner_id = id")
    toys.undo(key)
    sql("DELETE FROM toys_child WHERE id = 2")
    toys.do(key)
    assert sql("SELECT id, owner_id FROM toys_toy ORDER BY id") == [(1, 1), (2, None), (3, 3)]
    assert newest().report == {"filled": 2, "archived": 3}
    assert one(f"SELECT owner_id FROM {newest().archived_as} WHERE id = 2") == 2
    keys = "SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'toys_toy'::regclass"
    assert one(keys)


def test_a_column_that_must_have_a_value_has_its_own_again(toys_with_rows: Toys) -> None:
    """Between its coming back and its being filled, all rows have what the migration says."""
    toys = toys_with_rows
    price = ArchivingAddField("Toy", "price", models.IntegerField(default=7))
    toys.do(price)
    sql("UPDATE toys_toy SET price = id")
    toys.undo(price)
    sql("INSERT INTO toys_toy (name) VALUES ('doll')")
    toys.do(price)
    assert sql("SELECT id, price FROM toys_toy ORDER BY id") == [(1, 1), (2, 2), (3, 3), (4, 7)]


@pytest.mark.parametrize(
    ("was", "now", "value"),
    [
        (models.DecimalField(max_digits=10, decimal_places=2, null=True),
         models.DecimalField(max_digits=10, decimal_places=1, null=True), "1.25"),
        (models.CharField(max_length=20, null=True),
         models.CharField(max_length=5, null=True), "'rocking horse'"),
        (models.TextField(null=True), models.IntegerField(null=True), "'heavy'"),
    ],
    ids=["rounded", "cut", "unreadable"],
)  # fmt: skip
def test_values_of_a_column_that_do_not_fit_any_more_move_nothing(
    toys_with_rows: Toys, was: Any, now: Any, value: str
) -> None:
    toys, made = toys_with_rows, ArchivingAddField("Toy", "size", was)
    toys.do(made)
    sql(f"UPDATE toys_toy SET size = {value} WHERE id = 1")
    before = sql("SELECT id, size FROM toys_toy ORDER BY id")
    toys.undo(made)
    with pytest.raises(ShapeChanged, match="do not fit"):
        toys.do(ArchivingAddField("Toy", "size", now))
    assert sql("SELECT * FROM archive.toys_toy__size ORDER BY id") == before
    assert newest().back_at is None


def test_values_of_a_column_that_fit_another_type_come_home(toys_with_rows: Toys) -> None:
    toys, made = toys_with_rows, ArchivingAddField("Toy", "size", models.TextField(null=True))
    toys.do(made)
    sql("UPDATE toys_toy SET size = '7' WHERE id = 1")
    toys.undo(made)
    toys.do(ArchivingAddField("Toy", "size", models.IntegerField(null=True)))
    assert sql("SELECT size FROM toys_toy ORDER BY id") == [(7,), (None,), (None,)]
    assert not is_in("archive", "toys_toy__size")


def test_what_a_trigger_makes_of_a_value_is_not_all_there_is_of_it(toys_with_rows: Toys) -> None:
    toys, color = toys_with_rows, ArchivingAddField("Toy", "color", models.TextField(null=True))
    toys.do(color)
    sql("UPDATE toys_toy SET color = name")
    toys.undo(color)
    sql(
        "CREATE FUNCTION dull() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.color = ''gray''; RETURN NEW; END'"
    )
    sql("CREATE TRIGGER dull BEFORE UPDATE ON toys_toy FOR EACH ROW EXECUTE FUNCTION dull()")
    toys.do(color)
    assert newest().report == {"filled": 3, "archived": 3}
    assert sql(f"SELECT color FROM {newest().archived_as} WHERE id = 1") == [("ball",)]


@pytest.mark.parametrize("what", ["table", "column"])
def test_very_many_rows_are_copied_only_when_it_is_accepted(
    toys_with_rows: Toys, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """For everybody waits meanwhile. As they are, they come home however many they are."""
    toys, color = toys_with_rows, ("color", models.TextField(null=True))
    if what == "table":
        toys.undo(toy())
        again: Operation = toy(color)
    else:
        again = ArchivingAddField("Toy", *color)
        toys.do(again)
        toys.undo(again)
    monkeypatch.setattr(copying, "LONGEST", 2)
    with pytest.raises(copying.CopyIsLong, match=r"about 1 seconds: 3 rows.*accept_copy=True"):
        toys.do(again)
    assert newest().back_at is None
    with copying.accepting(True):
        toys.do(again)
    assert newest().back_at is not None
    assert one("SELECT count(*) FROM toys_toy") == 3

    toys.undo(again)
    if what == "table":
        toys.do(again)
        assert newest().report == {"moved": True}


def test_many_to_many_comes_home(toys_with_rows: Toys) -> None:
    toys = toys_with_rows
    friends = ArchivingAddField("Toy", "friends", models.ManyToManyField("toys.Child"))
    toys.do(friends)
    sql("INSERT INTO toys_toy_friends (toy_id, child_id) VALUES (1, 1), (1, 2), (2, 3)")
    toys.undo(friends)
    assert not is_in("public", "toys_toy_friends")
    assert newest().rows == 3
    sql("DELETE FROM toys_child WHERE id = 3")
    toys.do(friends)
    assert sql("SELECT toy_id, child_id FROM toys_toy_friends ORDER BY id") == [(1, 1), (1, 2)]
    (orphan,) = Orphan.objects.all()
    assert orphan.row["child_id"] == 3


def test_a_purged_table_and_a_purged_column_come_back_empty(toys_with_rows: Toys) -> None:
    toys, color = toys_with_rows, ArchivingAddField("Toy", "color", models.TextField(null=True))
    toys.do(color)
    sql("UPDATE toys_toy SET color = 'red'")
    toys.undo(color)
    sql("DROP TABLE archive.toys_toy__color")
    LedgerEntry.objects.update(purged_at="2030-01-01T00:00Z")
    toys.do(color)
    assert sql("SELECT DISTINCT color FROM toys_toy") == [(None,)]
    assert newest().report == {"purged": True}


def test_what_somebody_put_there_or_took_away_by_hand_is_said(toys: Toys) -> None:
    made = toy()
    toys.do(made)
    sql("CREATE SCHEMA IF NOT EXISTS archive; CREATE TABLE archive.toys_toy (id int)")
    with pytest.raises(PlaceIsTaken, match="toys_toy"):
        toys.undo(made)
    sql("DROP TABLE archive.toys_toy")
    toys.undo(made)
    sql("DROP TABLE archive.toys_toy")
    with pytest.raises(NotThere, match=r"archive\.toys_toy"):
        toys.do(made)
    confirmed = too_old(timedelta())
    keeping.purge(
        confirmed=confirmed, older_than=timedelta(), actor=Actor(name="x"), reason="It was dropped"
    )
    toys.do(made)
    assert newest().report["purged"] is True


def test_long_names_stay_apart() -> None:
    names = {archive.column_archive("t" * 40, "c" * 30 + end) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)


def test_a_column_in_the_archive_takes_its_feature_away(flag_rows: None) -> None:
    """Its pages would ask for the column."""
    LedgerEntry.objects.create(
        app="holidays", kind="column", table="t", column="c", archived_as="archive.t__c"
    )
    flags = switchboard.read_here().flags
    assert {name for name, flag in flags.items() if flag.archived} == {"ENABLE_HOLIDAY_MANAGEMENT"}


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_what_would_be_done_is_said_and_nothing_is_touched(toys: Toys, direction: str) -> None:
    made = toy(owner(), db_on_delete={"owner": "CASCADE"})
    color = ArchivingAddField("Toy", "color", models.TextField(null=True))
    toys.do(made)
    toys.do(color)
    with connection.schema_editor(collect_sql=True) as editor:
        if direction == "backwards":
            color.database_backwards("toys", editor, toys.states[-1], toys.states[-2])
            made.database_backwards("toys", editor, toys.states[-2], toys.states[-3])
        else:
            made.database_forwards("toys", editor, toys.states[-3], toys.states[-2])
            color.database_forwards("toys", editor, toys.states[-2], toys.states[-1])
    said = "\n".join(editor.collected_sql)
    if direction == "backwards":
        assert 'CREATE TABLE "archive"."toys_toy__color" AS SELECT "id", "color"' in said
        assert 'ALTER TABLE "toys_toy" SET SCHEMA archive' in said
        assert "DROP CONSTRAINT" in said
    else:
        assert 'CREATE TABLE "toys_toy"' in said
        assert "ON DELETE CASCADE" in said
    assert is_in("public")
    assert not LedgerEntry.objects.exists()
    assert one("SELECT to_regclass('archive.toys_toy__color') IS NULL")
