"""What a person chose to import, between the choice and the click that does it.

It waits where uploaded files wait: an hour, one for each person, a newer one in its place. The preview
and the import read the same rows, whatever the library or the file would say by then.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from enrollment.models import User
from enrollment.operations import uploads
from holidays.domain.rows import Note, row_of
from holidays.operations.imports import Draft

FILE_NAME = "holidays.json"


class Gone(Exception):
    """An hour is over, or another one was chosen since."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    draft: Draft
    notes: tuple[Note, ...]


def keep(*, by: User, draft: Draft, notes: Sequence[Note] = ()) -> str:
    """:returns: the token under which this person finds it again."""
    columns: dict[str, Any] = {
        **asdict(draft),
        "rows": [[row.key, row.columns()] for row in draft.rows],
    }
    kept = {"draft": columns, "notes": [[note.code, dict(note.values)] for note in notes]}
    return uploads.keep(owner=_owner(by), file_name=FILE_NAME, data=json.dumps(kept).encode())


def find(*, by: User, token: str) -> Waiting:
    """:raises Gone:"""
    found = uploads.find(owner=_owner(by), token=token)
    if found is None:
        raise Gone
    kept = json.loads(found.data)
    columns = kept["draft"]
    draft = Draft(
        **{
            **columns,
            "rows": tuple(row_of(key, row) for key, row in columns["rows"]),
            "years": tuple(columns["years"]),
            "categories": tuple(columns["categories"]),
            "region": columns["region"] and tuple(columns["region"]),
        }
    )
    notes = tuple(Note(code=code, values=values) for code, values in kept["notes"])
    return Waiting(draft=draft, notes=notes)


def forget(*, by: User) -> None:
    uploads.forget(owner=_owner(by))


def _owner(by: User) -> str:
    return f"{by.pk}:holidays.import"
