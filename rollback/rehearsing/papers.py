"""What is left of a rehearsal: the row's report and picture, and three files under SCHOOL_VAR/rehearsals."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from rollback.models import Rehearsal
from rollback.rehearsing import certificate, report
from rollback.rehearsing.picture import picture
from rollback.rehearsing.steps import Result

KEPT = 10
LOG = "rehearsal.log"
NAMED = re.compile(r"rehearsal-(\d+)\.(md|html|json)")


def folder() -> Path:
    """Nobody else may look into it: what a step says of the school may name people."""
    found = Path(settings.VAR) / "rehearsals"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    found.chmod(0o700)
    return found


def new_log() -> Path:
    log = folder() / LOG
    _write(log, "")
    return log


def _write(path: Path, text: str) -> None:
    """Anew, and for nobody else, whoever could read what was there."""
    path.unlink(missing_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(number, "w", encoding="utf-8") as file:
        file.write(text)


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "title": one.title,
            "state": one.state,
            "began": round(one.began, 3),
            "seconds": round(one.seconds, 3),
            "words": one.words,
            "facts": dict(one.facts),
        }
        for one in results
    ]


def write(rehearsal: Rehearsal, results: Sequence[Result]) -> None:
    title = _("The rehearsal’s steps")
    # PostgreSQL takes no NUL, and what broke may have said anything.
    rehearsal.picture = picture(results, title=title).replace("\x00", "")
    rehearsal.report = report.markdown(rehearsal, results).replace("\x00", "")
    name = folder() / stem(rehearsal)
    _write(name.with_suffix(".md"), rehearsal.report)
    _write(name.with_suffix(".html"), report.page(rehearsal, results))
    proof = json.dumps(certificate.certificate(rehearsal), indent=2, ensure_ascii=False)
    _write(name.with_suffix(".json"), proof + "\n")
    _tidy_up(passed=bool(rehearsal.passed))


def _tidy_up(*, passed: bool) -> None:
    """The log is for whoever looks for what broke."""
    if passed:
        (folder() / LOG).unlink(missing_ok=True)
    found = [(int(named[1]), path) for path in folder().iterdir() if (named := _named(path))]
    kept = sorted({number for number, _path in found})[-KEPT:]
    for number, path in found:
        if number not in kept:
            path.unlink(missing_ok=True)
        else:
            path.chmod(0o600)


def _named(path: Path) -> re.Match[str] | None:
    return NAMED.fullmatch(path.name)


def stem(rehearsal: Rehearsal) -> str:
    return f"rehearsal-{rehearsal.pk}"
