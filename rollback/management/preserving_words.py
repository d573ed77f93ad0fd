"""manage.py rollback export | import: what the school keeps, into a folder and out of one."""

from argparse import _SubParsersAction
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from enrollment.operations.import_school import ImportRefused
from rollback import preserving
from rollback.preserving import documented, facts
from rollback.preserving.manifest import Entry

WHAT = frozenset({"export", "import"})
WHERE = {
    facts.HERE: "",
    facts.ARCHIVED: ", read from the archive",
    facts.PURGED: "not there: its table was purged from the archive",
    facts.ABSENT: "not there: this school has no table for it",
}
Say = Callable[[str], None]


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    export = commands.add_parser(
        "export", help="enrollments and all that belongs to them, as files"
    )
    export.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help="not there yet, or empty"
    )
    export.add_argument(
        "--columns",
        action="store_true",
        help="print what each file and column holds; write nothing",
    )
    bring_in = commands.add_parser("import", help="such files into this school; again: no change")
    bring_in.add_argument("folder", metavar="FOLDER", type=Path)
    bring_in.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    bring_in.add_argument(
        "--update", action="store_true", help="rows that differ take over what the files say"
    )
    bring_in.add_argument(
        "--changed",
        metavar="FILE",
        action="append",
        default=[],
        help="you have corrected this file: its checksum is not compared; a school with a PRESERVATION_KEY "
        "takes none",
    )


def answer(what: str, options: Mapping[str, Any], *, say: Say) -> list[str]:
    """:raises CommandError:"""
    try:
        return _import(options, say) if what == "import" else _export(options, say)
    except OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise CommandError(
            f"The database did not answer to the end: {reason}. Nothing is half done: start the same again."
        ) from error


def _export(options: Mapping[str, Any], say: Say) -> list[str]:
    folder: Path | None = options["folder"]
    if options["columns"]:
        return [documented.tables()]
    if folder is None:
        raise CommandError("Name the folder to write into.")
    try:
        made = preserving.export(folder, say=say)
    except preserving.ExportRefused as refused:
        raise CommandError(str(refused)) from refused
    lines = [_fact(entry) for entry in made.files if entry.where]
    rows = sum(entry.rows for entry in made.files)
    signed = "signed" if (folder / "manifest.hmac").exists() else "not signed"
    return [*lines, f"{folder}: {rows} rows as of {made.as_of}, {signed}. It holds personal data."]


def _fact(entry: Entry) -> str:
    if not entry.sha256:
        return f"{entry.name}: {WHERE[entry.where]}."
    without = f", without {', '.join(entry.without)}" if entry.without else ""
    return f"{entry.name}: {entry.rows} rows{WHERE[entry.where]}{without}."


def _import(options: Mapping[str, Any], say: Say) -> list[str]:
    try:
        report = preserving.bring_in(
            options["folder"],
            dry_run=options["dry_run"],
            update=options["update"],
            changed=options["changed"],
            say=say,
        )
    except ImportRefused as refused:
        lines = [str(problem) for problem in refused.problems]
        what = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise CommandError("\n".join([*lines, f"Nothing imported: {what}."])) from refused
    lines = [
        f"{file}: {counts.made} created, {counts.changed} changed, {counts.same} as they were"
        for file, counts in report.counts.items()
    ]
    return lines + _afterwards(report, dry_run=options["dry_run"])


def _afterwards(report: preserving.Report, *, dry_run: bool) -> list[str]:
    lines = []
    if stay := sum(report.facts.values()):
        lines.append(
            f"{stay} scheduling facts stay in the folder: they belong to features, whose tables come "
            "back by “rollback reapply”."
        )
    if report.closed:
        lines.append(
            f"Password taken from {report.closed} logins whose address nobody had confirmed; a new one is "
            "set with “Forgot your password?”."
        )
    if report.is_nothing:
        lines.append("Nothing to change: it was all there.")
    if dry_run:
        lines.append("A dry run: nothing was written.")
    return lines
