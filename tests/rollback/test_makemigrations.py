"""makemigrations writes what the gates want, so that nobody has to remember."""

import importlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.migrations.migration import Migration

from rollback import registry
from rollback.schema import gates
from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel
from tests.rollback import migration_files

pytestmark = pytest.mark.django_db

RULES = gates.Rules(archiving=frozenset(registry.by_admin_app()))


@pytest.fixture
def nothing_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A school in which holidays have just been written, and no migration yet."""
    with migration_files.package(tmp_path, {}) as package:
        monkeypatch.setitem(settings.MIGRATION_MODULES, "holidays", package)
        yield package


def made(package: str, app: str, number: int = 1) -> Migration:
    folder = Path(importlib.import_module(package).__path__[0])
    (file,) = folder.glob(f"{number:04}_*.py")
    importlib.invalidate_caches()
    return migration_files.load(package, file.stem, app)


def test_a_new_app_whose_tables_are_kept(nothing_yet: str) -> None:
    call_command("makemigrations", "holidays", verbosity=0)
    migration = made(nothing_yet, "holidays")
    assert migration.name.startswith("0001_expand_")
    assert ("rollback", "0023_expand_archive") in migration.dependencies
    assert {type(one) for one in migration.operations} == {ArchivingCreateModel}
    by_name: dict[str, Any] = {vars(one)["name"]: one for one in migration.operations}
    assert len(by_name["Holiday"].options["constraints"]) > 1
    assert by_name["Holiday"].db_on_delete == {"teachers": "CASCADE", "courses": "CASCADE"}
    assert by_name["HolidayImport"].db_on_delete == {"made_by": "SET NULL"}
    # All that is left to do by hand.
    (problem,) = gates.problems([migration], RULES)
    assert "docstring" in problem.words


def test_what_it_wrote_is_what_the_models_are(nothing_yet: str) -> None:
    call_command("makemigrations", "holidays", verbosity=0)
    out = StringIO()
    call_command("makemigrations", "holidays", check_changes=True, dry_run=True, stdout=out)
    assert "No changes detected" in out.getvalue()


def test_a_new_column_of_theirs(nothing_yet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but what 0003_expand_differences adds is there already."""
    where = settings.BASE_DIR / "holidays" / "migrations"
    folder = Path(importlib.import_module(nothing_yet).__path__[0])
    for number in (1, 2):
        (file,) = where.glob(f"{number:04}_*.py")
        (folder / file.name).write_text(file.read_text())
    call_command("makemigrations", "holidays", verbosity=0)
    migration = made(nothing_yet, "holidays", 3)
    assert {type(one) for one in migration.operations} == {ArchivingAddField}
    assert migration.dependencies == [("holidays", "0002_expand_calendar_changes")]


def test_other_apps_get_djangos_operations(
    nothing_yet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be if no feature had tables in this app."""
    monkeypatch.setattr(registry, "by_admin_app", dict)
    call_command("makemigrations", "holidays", verbosity=0)
    migration = made(nothing_yet, "holidays")
    assert migration.name == "0001_expand_holidays"
    assert not any(gates.keeps_rows(one) for one in migration.operations)


def test_what_takes_away_is_named_so(nothing_yet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("makemigrations", "holidays", verbosity=0)
    folder = Path(importlib.import_module(nothing_yet).__path__[0])
    (first,) = folder.glob("0001_*.py")
    note = 'fields=[\n                ("gone", models.IntegerField(null=True)),'
    first.write_text(first.read_text().replace("fields=[", note, 1))
    call_command("makemigrations", "holidays", verbosity=0, interactive=False)
    assert made(nothing_yet, "holidays", 2).name.startswith("0002_contract_remove_")


def test_a_name_without_when_it_is_safe_is_refused() -> None:
    with pytest.raises(CommandError, match="begin with expand_, backfill_, contract_"):
        call_command("makemigrations", "holidays", name="things", dry_run=True)
