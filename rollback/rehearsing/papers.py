"""What is left of a rehearsal: the row's report and picture, and three files under SCHOOL_VAR/rehearsals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from rollback.models import Rehearsal
from rollback.rehearsing import certificate, report
from rollback.rehearsing.picture import picture
from rollback.rehearsing.steps import Result


def folder() -> Path:
    found = Path(settings.VAR) / "rehearsals"
    found.mkdir(parents=True, exist_ok=True)
    return found


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
    name.with_suffix(".md").write_text(rehearsal.report)
    name.with_suffix(".html").write_text(report.page(rehearsal, results))
    proof = json.dumps(certificate.certificate(rehearsal), indent=2, ensure_ascii=False)
    name.with_suffix(".json").write_text(proof + "\n")


def stem(rehearsal: Rehearsal) -> str:
    return f"rehearsal-{rehearsal.pk}"
