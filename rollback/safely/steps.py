"""A plan of migrations, as it can be written down and told from every other."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from django.db.migrations.migration import Migration

Plan = Sequence[tuple[Migration, bool]]  # backwards: whether it is undone
Step = tuple[str, str, bool]


def steps(plan: Plan) -> list[Step]:
    return [(one.app_label, one.name, backwards) for one, backwards in plan]


def plan_hash(plan: Plan) -> str:
    """Also of what the migrations' files say: one that was edited since is another."""
    found = [[*step, _content(one)] for step, (one, _) in zip(steps(plan), plan, strict=True)]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _content(migration: Migration) -> str:
    module = sys.modules.get(migration.__module__)
    file = getattr(module, "__file__", None)
    # However its lines end: that is the checkout's business.
    return (
        hashlib.sha256(Path(file).read_bytes().replace(b"\r\n", b"\n")).hexdigest() if file else ""
    )


def in_words(found: Sequence[Step]) -> str:
    return ", ".join(f"{'undo ' if back else ''}{app}.{name}" for app, name, back in found)
