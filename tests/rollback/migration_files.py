"""Migrations written for a test, as files: gates read their docstrings, and Django finds them."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from django.db.migrations.migration import Migration

HEAD = '''"""Adds what a test wants. Undoing loses nothing."""

from django.db import migrations, models

from rollback.schema.operations import ArchivingAddField, ArchivingCreateModel


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [
        {operations}
    ]
'''


def text(operations: str, *, dependencies: list[tuple[str, str]] | None = None) -> str:
    return HEAD.format(operations=dedent(operations).strip(), dependencies=dependencies or [])


@contextmanager
def package(folder: Path, files: dict[str, str]) -> Iterator[str]:
    """files: name → text. :returns: the package's name, as MIGRATION_MODULES wants it."""
    name = f"migrations_of_{folder.name.replace('-', '_')}"
    (folder / name).mkdir()
    for file, words in {"__init__": "", **files}.items():
        (folder / name / f"{file}.py").write_text(words, encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield name
    finally:
        sys.path.remove(str(folder))
        for module in [one for one in sys.modules if one.split(".")[0] == name]:
            del sys.modules[module]


def load(package: str, name: str, app: str) -> Migration:
    made: Migration = importlib.import_module(f"{package}.{name}").Migration(name, app)
    return made
