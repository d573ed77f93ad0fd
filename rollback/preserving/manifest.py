"""manifest.json: what lies in the folder, and how to tell that it is still that."""

import hashlib
import hmac
import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from enrollment.domain.sheets import Problem
from enrollment.operations.import_school import ImportRefused
from rollback.preserving import opening

FORMAT, VERSION = "school-preservation", 1
NAME, SIGNATURE = "manifest.json", "manifest.hmac"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file. where: of a scheduling fact, see `facts`; "": it is no fact. Without a file, rows is 0 and
    sha256 is empty."""

    name: str
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    where: str = ""
    without: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """as_of: when the snapshot was taken from which all files are; snapshot: as PostgreSQL writes it."""

    as_of: str
    snapshot: str
    zone: str
    files: list[Entry]
    # Of the text it was read from.
    sha256: str = ""

    def as_json(self) -> str:
        found = {"format": FORMAT, "version": VERSION} | asdict(self)
        del found["sha256"]
        return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


NOT_SIGNED = (
    "this school takes only what was signed with its PRESERVATION_KEY, and what somebody corrected in a file "
    "was not. Correct it in the school it is from, and export again; or here, after the import."
)


class FolderRefused(ImportRefused):
    """What is in the folder is not what was exported; nothing was read into the school."""


def signature(text: bytes) -> str:
    """ "": there is no key."""
    key: str = settings.PRESERVATION_KEY
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest() if key else ""


def read(folder: Path, *, needed: Collection[str] = (), changed: Collection[str] = ()) -> Manifest:
    """The manifest, after everything that it says of its files was looked at.

    needed: files without which there is nothing to do. changed: those whose checksums are not compared.

    :raises FolderRefused: naming all that is not as it was.
    """
    if changed and settings.PRESERVATION_KEY:
        raise _refused("--changed", NOT_SIGNED)
    manifest = _parsed(folder)
    names = {entry.name for entry in manifest.files}
    if missing := [name for name in needed if name not in names]:
        raise _refused(NAME, f"does not name {', '.join(missing)}; export again.")
    problems = [
        problem for entry in manifest.files for problem in _problems(folder, entry, changed)
    ]
    problems += [
        Problem(file=name, hint="is not named in the manifest; correct the name after --changed.")
        for name in sorted(set(changed) - names)
    ]
    if problems:
        raise FolderRefused(problems)
    return manifest


def _parsed(folder: Path) -> Manifest:
    """:raises FolderRefused:"""
    path = folder / NAME
    if not folder.is_dir():
        raise _refused(str(folder), "is no folder; name one that “rollback export” has written.")
    try:
        data = opening.whole(path)
    except OSError as error:
        hint = f"cannot be opened ({error.strerror}); name a folder that “rollback export” has written."
        raise _refused(NAME, hint) from error
    _check_signature(folder, data)
    try:
        found = json.loads(data)
        head, version = found.pop("format"), found.pop("version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(NAME, "is no manifest of an export; export again.") from error
    if head != FORMAT or version != VERSION:
        hint = (
            f"is of format {head!r}, version {version!r}; this release reads {FORMAT!r}, version "
            f"{VERSION}. Import it with the release that wrote it, and export there again."
        )
        raise _refused(NAME, hint)
    try:
        files = [_entry(one) for one in found["files"]]
        return Manifest(**found | {"files": files, "sha256": hashlib.sha256(data).hexdigest()})
    except (TypeError, KeyError, ValueError) as error:
        raise _refused(NAME, f"cannot be read ({error}); export again.") from error


def _entry(found: dict[str, Any]) -> Entry:
    entry = Entry(**found)
    if not isinstance(entry.name, str) or Path(entry.name).name != entry.name:
        raise ValueError(f"{entry.name!r} is no file's name")
    return entry


def _check_signature(folder: Path, data: bytes) -> None:
    """:raises FolderRefused:"""
    expected = signature(data)
    if not expected:
        return
    try:
        there = opening.whole(folder / SIGNATURE).decode("ascii").strip()
    except (OSError, ValueError):
        there = ""
    if not hmac.compare_digest(expected, there):
        hint = (
            "does not fit the manifest and this school's PRESERVATION_KEY: the folder was changed, or "
            "exported with another key or none."
        )
        raise _refused(SIGNATURE, hint)


def _problems(folder: Path, entry: Entry, changed: Collection[str]) -> Iterator[Problem]:
    if entry.where and not entry.sha256:
        return
    path = folder / entry.name
    try:
        found = opening.sha256(path)
    except OSError as error:
        hint = f"is named in the manifest and cannot be opened ({error.strerror}); export again."
        yield Problem(file=entry.name, hint=hint)
        return
    if found != entry.sha256 and entry.name not in changed:
        hint = "is not as it was exported: its checksum is another. Export again"
        on_purpose = f"; or, if you changed it on purpose, say so: --changed {entry.name}"
        # A school with a key takes nothing that was not signed with it.
        yield Problem(
            file=entry.name, hint=hint + ("." if settings.PRESERVATION_KEY else on_purpose)
        )


def _refused(file: str, hint: str) -> FolderRefused:
    return FolderRefused([Problem(file=file, hint=hint)])
