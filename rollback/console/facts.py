"""What a machine wrote down as JSON, as lines of plain words: nothing is left out, nothing is markup."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from rollback.console import event_words

MOST = 200  # lines; the row has all of them
LONGEST = 500  # characters of a value


def table(facts: Any) -> str:
    """As a table; a dash where there is nothing."""
    lines = list(of(facts))
    if not lines:
        return "–"
    context = {"rows": lines[:MOST], "more": max(0, len(lines) - MOST)}
    return render_to_string("admin/rollback/facts.html", context)


def of(facts: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(what, value) of each that is no collection itself, with the way to it."""
    if isinstance(facts, Mapping):
        for key, one in facts.items():
            yield from of(one, f"{name} › {_name(key)}" if name else _name(key))
    elif isinstance(facts, list) and any(isinstance(one, Mapping | list) for one in facts):
        for number, one in enumerate(facts, start=1):
            yield from of(one, f"{name} {number}".strip())
    elif facts not in ({}, []):
        yield name, value(facts)


def value(one: Any) -> str:
    if one is None or one == "":
        return "–"
    if isinstance(one, bool):
        return _("yes") if one else _("no")
    if isinstance(one, list):
        return ", ".join(map(value, one))[:LONGEST] or "–"
    if isinstance(one, int):
        return number(one)
    if isinstance(one, float):
        return number_format(round(one, 3), force_grouping=True)
    return str(one)[:LONGEST]


def number(count: int) -> str:
    return number_format(count, force_grouping=True)


def seconds(count: float | None) -> str:
    """Short ones with a decimal, since half a second is what is talked about here."""
    if count is None:
        return "–"
    if count < 60:
        return _("%(number)s s") % {"number": number_format(round(count, 2))}
    return event_words.span(timedelta(seconds=count))


def size(count: int | None) -> str:
    if count is None:
        return "–"
    for unit, words in ((1_000_000_000, _("%s GB")), (1_000_000, _("%s MB")), (1_000, _("%s kB"))):
        if count >= unit:
            return words % number_format(round(count / unit, 1))
    return _("%s bytes") % number(count)


def _name(key: Any) -> str:
    known = {
        "rows": _("rows"),
        "seconds": _("seconds"),
        "blocked": _("longest block, in seconds"),
        "digest": _("digest"),
        "tables": _("tables"),
        "table": _("table"),
        "moved": _("moved as a whole"),
        "copied": _("rows copied"),
        "left_behind": _("columns left in the archive"),
        "new": _("new columns"),
        "filled": _("values brought back"),
        "archived": _("values in the archive"),
        "purged": _("purged"),
        "dump": _("dump"),
        "fingerprint": _("fingerprint"),
        "restore": _("restore"),
        "compare": _("compare"),
    }
    return known.get(key) or str(key).replace("_", " ")
