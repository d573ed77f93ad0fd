"""Each gate refuses a migration that was made for it; all of ours pass all of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config import check_migrations
from rollback.schema import gates
from tests.rollback import migration_files

RULES = gates.Rules(archiving=frozenset({"scheduling"}))
KEY = '("id", models.BigAutoField(primary_key=True))'
TABLE = f'name="Thing", fields=[{KEY}, ("size", models.IntegerField())]'
LEADS = 'models.ForeignKey("enrollment.teacher", models.{}{})'


def said(
    tmp_path: Path,
    operations: str,
    *,
    app: str = "scheduling",
    name: str = "0003_expand_things",
    words: tuple[str, str] = ("", ""),
    rules: gates.Rules = RULES,
) -> str:
    """words: what of the file's text is replaced by what."""
    file = migration_files.text(operations).replace(*words) if words[0] else ""
    with migration_files.package(
        tmp_path, {name: file or migration_files.text(operations)}
    ) as package:
        made = migration_files.load(package, name, app)
        return "\n".join(map(str, gates.problems([made], rules)))


def test_ours_pass() -> None:
    ours = check_migrations.migrations_of_ours()
    assert {one.app_label for one in ours} == {"enrollment", "rollback", "scheduling", "holidays"}
    assert [*check_migrations.gates_say(ours)] == []


def test_a_good_one_passes(tmp_path: Path) -> None:
    good = f"""
        ArchivingCreateModel({TABLE}, options={{"indexes": [models.Index(fields=["size"], name="i")]}}),
        migrations.RunSQL("SELECT 1", migrations.RunSQL.noop),
    """
    assert said(tmp_path, good) == ""


@pytest.mark.parametrize("name", ["0003_things", "0003_auto_20300101_0000", "expand_things"])
def test_the_name_says_when_it_is_safe(tmp_path: Path, name: str) -> None:
    assert "the name must say when it is safe" in said(tmp_path, "", name=name)


@pytest.mark.parametrize("docstring", ["Adds things.", "One. Two. Three. Undoing loses it.", ""])
def test_the_docstring_says_what_undoing_loses(tmp_path: Path, docstring: str) -> None:
    found = said(
        tmp_path, "", words=("Adds what a test wants. Undoing loses nothing.", docstring or " ")
    )
    assert "what undoing it loses" in found


BAD = {
    "a table that would be dropped": (
        f"migrations.CreateModel({TABLE})",
        "use ArchivingCreateModel",
    ),
    "a column that would be dropped": (
        'migrations.AddField("timeoff", "size", models.IntegerField(null=True))',
        "use ArchivingAddField",
    ),
    "an index built anew": (
        f"""ArchivingCreateModel({TABLE}),
        migrations.AddIndex("thing", models.Index(fields=["size"], name="i"))""",
        "belongs into the options",
    ),
    "a constraint built anew": (
        f"""ArchivingCreateModel({TABLE}),
        migrations.AddConstraint("thing", models.UniqueConstraint(fields=["size"], name="i"))""",
        "belongs into the options",
    ),
    "fields together": (
        f'ArchivingCreateModel({TABLE}), migrations.AlterUniqueTogether("thing", {{("id", "size")}})',
        "belongs into the options",
    ),
    "a parent that asks the archive": (
        f'ArchivingAddField("timeoff", "who", {LEADS.format("CASCADE", "")})',
        "on_delete must be DO_NOTHING",
    ),
    "a parent that cannot go": (
        f"""ArchivingCreateModel(name="Thing", fields=[{KEY}, ("who", {LEADS.format("DO_NOTHING", "")})])""",
        "say in db_on_delete",
    ),
    "SQL without a way back": ('migrations.RunSQL("SELECT 1")', "cannot be undone"),
    "Python without a way back": (
        "migrations.RunPython(migrations.RunPython.noop)",
        "cannot be undone",
    ),
    "Python among tables": (
        "migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)",
        "a migration of its own, backfill_",
    ),
    "a table less": ('migrations.DeleteModel("timeoff")', "takes something away or changes it"),
    "a column less": ('migrations.RemoveField("timeoff", "period")', "takes something away"),
    "another type": (
        'migrations.AlterField("timeoff", "note", models.TextField())',
        "takes something away or changes it",
    ),
    "another name": ('migrations.RenameModel("TimeOff", "Free")', "takes something away"),
    "behind the state's back": (
        'migrations.SeparateDatabaseAndState([migrations.DeleteModel("timeoff")], [])',
        "takes something away",
    ),
}


@pytest.mark.parametrize(("operations", "words"), BAD.values(), ids=BAD)
def test_a_bad_one_is_refused(tmp_path: Path, operations: str, words: str) -> None:
    assert words in said(tmp_path, operations)


def test_what_would_be_dropped_is_refused_where_tables_are_kept(tmp_path: Path) -> None:
    assert said(tmp_path, f"migrations.CreateModel({TABLE})", app="enrollment") == ""


def test_operations_that_keep_rows_are_not_squashed(tmp_path: Path) -> None:
    squashed = ("    operations", '    replaces = [("scheduling", "0001_x")]\n    operations')
    assert "not squashed" in said(tmp_path, f"ArchivingCreateModel({TABLE})", words=squashed)


def test_half_a_migration_is_refused(tmp_path: Path) -> None:
    half = ("    operations", "    atomic = False\n    operations")
    assert "it can stop half way" in said(tmp_path, "", words=half)


@pytest.mark.parametrize(("reason", "passes"), [("Nobody reads it any more.", True), (" ", False)])
def test_what_is_let_through_has_a_reason(tmp_path: Path, reason: str, passes: bool) -> None:
    allowed = {"scheduling.0003_expand_things": {"Remove field note from timeoff": reason}}
    rules = gates.Rules(archiving=RULES.archiving, allowed=allowed)
    found = said(tmp_path, 'migrations.RemoveField("timeoff", "note")', rules=rules)
    assert (found == "") is passes


def test_what_is_let_through_in_vain_is_said() -> None:
    rules = gates.Rules(
        archiving=RULES.archiving, allowed={"scheduling.0001_expand_scheduling": {"Nothing": "x"}}
    )
    (found,) = gates.stale(check_migrations.migrations_of_ours(), rules)
    assert "“Nothing” is let through" in str(found)


SQL = {
    "a table dropped on the way up": (
        "up",
        "enrollment",
        'DROP TABLE "enrollment_user";',
        "ban-drop-table",
    ),
    "a kept table dropped": (
        "down",
        "holidays",
        'DROP TABLE "holidays_holiday";',
        "ban-drop-table",
    ),
    "an index that blocks": (
        "up",
        "rollback",
        'CREATE INDEX "i" ON "rollback_flag" ("name");',
        "require-concurrent-index-creation",
    ),
    "a foreign key that blocks": (
        "up",
        "scheduling",
        'ALTER TABLE "a" ADD CONSTRAINT "k" FOREIGN KEY ("b") REFERENCES "c" ("id");',
        "adding-foreign-key-constraint",
    ),
    "a required column": (
        "up",
        "scheduling",
        'ALTER TABLE "a" ADD COLUMN "b" bigint NOT NULL;',
        "adding-required-field",
    ),
}


def squawk_says_of(app: str, direction: str, sql: str) -> list[str]:
    """Without what it says of exceptions that this one does not use."""
    written = check_migrations.Written(
        app=app, name="0099_expand_x", direction=direction, sql=f"BEGIN;\n{sql}\nCOMMIT;\n"
    )
    return [line for line in check_migrations.squawk_says([written]) if "0099" in line]


@pytest.mark.parametrize(("direction", "app", "sql", "rule"), SQL.values(), ids=SQL)
def test_squawk_looks_in_both_directions(direction: str, app: str, sql: str, rule: str) -> None:
    found = squawk_says_of(app, direction, sql)
    assert any(f"squawk: {rule}: " in line for line in found)


def test_a_dropped_table_of_the_ground_floor_may_be_dropped_again() -> None:
    assert squawk_says_of("enrollment", "down", 'DROP TABLE "a";') == []


def test_squawk_that_does_not_run_is_no_squawk_that_found_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_migrations, "_tool", lambda: sys.executable)
    written = check_migrations.Written(app="a", name="b", direction="up", sql="SELECT 1;")
    with pytest.raises(SystemExit, match="squawk did not run"):
        [*check_migrations.squawk_says([written])]


@pytest.mark.django_db
def test_the_linter_finds_what_the_release_before_cannot_live_with(tmp_path: Path) -> None:
    """By way of Django's own `sqlmigrate`, so it needs no other program."""
    operation = 'migrations.RemoveField("holidaysource", "title")'
    file = migration_files.text(operation, dependencies=[("holidays", "0003_expand_differences")])
    where = settings.BASE_DIR / "holidays" / "migrations"
    files = {one.stem: one.read_text() for one in where.glob("0*.py")}
    with (
        migration_files.package(tmp_path, {**files, "0099_contract_x": file}) as package,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setitem(settings.MIGRATION_MODULES, "holidays", package)
        found = [*check_migrations.linter_says(["holidays"])]
    assert len(found) == 1
    assert found[0].startswith("holidays.0099_contract_x")


def test_the_whole_check_in_a_process_of_its_own_is_what_make_runs() -> None:
    makefile = (settings.BASE_DIR / "Makefile").read_text()
    assert "-m config.check_migrations\n" in makefile
    assert subprocess.run([sys.executable, "-c", "import config.check_migrations"], check=True)
