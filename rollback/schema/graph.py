"""One number for all our migrations: what a rehearsal was about."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings


def migration_graph_hash() -> str:
    """Over names and contents of our own apps' migrations; how a file system orders them does not count."""
    digest = hashlib.sha256()
    for label, path in _migrations():
        # How lines end is the checkout's business.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{label}.{path.stem}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _migrations() -> Iterator[tuple[str, Path]]:
    for label in sorted(own_apps()):
        for path in sorted((Path(apps.get_app_config(label).path) / "migrations").glob("*.py")):
            if not path.name.startswith("_"):
                yield label, path


def own_apps() -> list[str]:
    """Those that lie in the project itself; others' lie deeper, with the packages."""
    return [
        app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR
    ]
