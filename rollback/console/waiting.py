"""What the console says of letters that wait for somebody to release them."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback.console.readings import Readings
from rollback.domain.advice import Advice


def letters(found: Readings) -> dict[str, str] | None:
    """How many, and where the oldest is; None: none of them waits."""
    if not found.letters:
        return None
    count = sum(found.letters.values())
    words = ngettext(
        "%(count)d letter waits to be released",
        "%(count)d letters wait to be released",
        count,
    )
    return {"words": words % {"count": count}, "url": _place(next(iter(found.letters)))}


def release(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"number": advice.incident}
    return {
        "words": _(
            "The people of incident %(number)s wait for a letter: look at it and release it."
        )
        % told,
        "label": _("Letters of incident %(number)s …") % told,
        "url": _place(advice.incident or 0),
        "blast": _("To how many it goes is shown before anything goes out."),
    }


def _place(incident: int) -> str:
    return reverse("admin:rollback_incident_change", args=[incident]) + "#words"
