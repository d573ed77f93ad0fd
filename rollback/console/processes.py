"""What each process runs, on the switchboard's page and in the words after a change."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from rollback import processes
from rollback.domain.processes import RollCall
from rollback.models import FlagChange

TEMPLATE = "admin/rollback/processes.html"


def context() -> dict[str, Any]:
    """One query."""
    return context_of(processes.roll_call())


def context_of(found: RollCall | None) -> dict[str, Any]:
    """rows: each process with its state in words, those to look after first."""
    if found is None:
        return {"process_sentences": processes.sentences(None, word=""), "process_trouble": True}
    word = _("Version %(version)s") % {"version": found.version}
    return {
        "process_sentences": processes.sentences(found, word=word),
        "process_trouble": bool(found.waiting or found.silent),
        "process_rows": [
            {"seen": seen, "kind": processes.kind(seen), "state": processes.state(found, seen)}
            for seen in (*found.silent, *found.waiting, *found.reached)
        ],
    }


def tell(request: HttpRequest, made: Sequence[FlagChange]) -> None:
    """Waits a second at most for the others; what is not known by then is said so."""
    if not made:
        return
    found = processes.wait_for_all()
    all_of_them = found is not None and not found.waiting and not found.silent
    level = messages.SUCCESS if all_of_them else messages.WARNING
    messages.add_message(request, level, " ".join(processes.sentences(found, word=word(made))))


def word(made: Sequence[FlagChange]) -> str:
    return _("Off") if {change.action for change in made} == {"kill"} else _("Changed")
