"""A run and what it would do, as the templates show it: plain values, each in words."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar

import structlog
from django.db import Error, transaction
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback import doctor, phases
from rollback.console import engine, facts, shown
from rollback.console.phase_words import target_words
from rollback.doctor import Diagnosis
from rollback.domain.errors import without_rows
from rollback.models import PhaseRun

log = structlog.get_logger(__name__)

# Each open page asks every few seconds, and what stands in its way is found by counting rows.
KEPT = 15.0
T = TypeVar("T")
# What the page says of runs and flags, by which it is known whether what is kept is of the same moment.
Seen = tuple[Hashable, ...]
_known: dict[Hashable, tuple[float, Seen | None, Any]] = {}
# Of a proof, in the row's own words, what stands before everything else.
FIRST = ("blocked", "seconds", "tries", "orphans")
# Whatever else stands in a proof (which ledger's entries, what was there before) is for machines.
FIGURES = int | float | str


def run(row: PhaseRun) -> dict[str, Any]:
    return {
        "number": row.pk,
        "title": target_words(row.target, whole=bool(row.before.get("whole"))),
        "state": row.get_status_display(),
        "key": row.status,
        "is_live": row.status in PhaseRun.LIVE,
        "mode": row.get_mode_display() if row.target != PhaseRun.Target.BACK else "",
        "reason": row.reason,
        "people": list(_people(row)),
        "steps": [_step(one) for one in row.progress],
        "progress": _progress(row),
        "error": row.error,
        "proof": proof(row.proof),
        "incident": row.incident_id,
        "url": reverse("admin:rollback_phaserun_change", args=[row.pk]),
    }


def _progress(row: PhaseRun) -> str:
    if not row.progress:
        return ""
    done = sum(one.get("state") == "done" for one in row.progress)
    return _("%(done)s of %(all)s steps done") % {"done": done, "all": len(row.progress)}


def _people(row: PhaseRun) -> Iterator[str]:
    told: dict[str, Any] = {"name": row.operator_name, "at": shown.clock(row.asked_at)}
    yield _("Asked for by %(name)s, %(at)s.") % told
    if row.approved_at is not None:
        told = {"name": row.approver_name, "at": shown.clock(row.approved_at)}
        yield _("Approved by %(name)s, %(at)s.") % told
    if row.finished_at is not None:
        yield _("Ended %(at)s.") % {"at": shown.clock(row.finished_at)}


def _step(one: Mapping[str, Any]) -> dict[str, Any]:
    state = str(one.get("state", ""))
    at = parse_datetime(str(one["at"])) if one.get("at") else None
    return {
        "name": _step_word(str(one.get("name", ""))),
        "key": state,
        "state": _states().get(state, state),
        "when": shown.clock(at) if at is not None else "",
        "took": facts.seconds(one["seconds"]) if one.get("seconds") is not None else "",
        "words": one.get("words") or "",
    }


def _step_word(name: str) -> str:
    try:
        return phases.step_word(name)
    except ValueError:  # of a version of ours that had other steps
        return name


def _states() -> dict[str, str]:
    return {
        "waiting": _("waits"),
        "running": _("under way"),
        "done": _("done"),
        "failed": _("failed"),
    }


# ---------------------------------------------------------------- before


def kept_before(target: int, *, seen: Seen) -> dict[str, Any] | None:
    """For what asks again and again. None: it cannot be read now."""
    found = _kept(("before", target), seen, lambda: read_before(target))
    return None if found is None else before(target, found)


def _kept(what: Hashable, seen: Seen, read: Callable[[], T | None]) -> T | None:
    """Read no more often than every KEPT seconds, unless the school is no longer as it was seen then."""
    at, then, found = _known.get(what, (0.0, None, None))
    if found is None or then != seen or monotonic() - at > KEPT:
        found = read()
        _known[what] = (monotonic(), seen, found)
    answer: T | None = found
    return answer


def read_before(target: int) -> Mapping[str, Any] | None:
    try:
        with transaction.atomic():
            return phases.before(target=target)
    except Error as error:
        log.warning("console.phase_not_read", target=target, error=without_rows(error))
        return None


def kept_diagnosis(*, seen: Seen) -> Diagnosis | None:
    """What the doctor says; None: it cannot be said now."""
    return _kept("diagnosis", seen, _diagnosis)


def _diagnosis() -> Diagnosis | None:
    try:
        with transaction.atomic():
            return doctor.examine()
    except Error as error:
        log.warning("console.not_diagnosed", error=without_rows(error))
        return None


def before(target: int, found: Mapping[str, Any]) -> dict[str, Any]:
    """lines: sentences; rows: (table, how many)."""
    return {
        "title": target_words(target),
        "lines": list(_before_lines(target, found)),
        "alarms": list(_holders(target, found.get("holders") or [])),
        "rows": [
            (table, _("not known") if count is None else facts.number(count))
            for table, count in (found.get("rows") or {}).items()
        ]
        if moves_tables(target)
        else [],
    }


def moves_tables(target: int) -> bool:
    return target in (PhaseRun.Target.TABLES, PhaseRun.Target.BACK)


def _before_lines(target: int, found: Mapping[str, Any]) -> Iterator[str]:
    numbers = found.get("blast") or {}
    if numbers:
        yield engine.words(numbers)
    elif target == PhaseRun.Target.BACK:
        yield _("Concerns nobody at once: what is off stays off until somebody raises it.")
    else:
        yield _("Concerns nobody: what it takes away is off already.")
    if moves_tables(target):
        total = found.get("total") or 0
        # The values of a column lie in a table of their own, and go back into the one they belong to.
        tables = sum("." not in name for name in found.get("rows") or {})
        words = ngettext(
            "%(rows)s row in %(tables)s tables is moved as it is; none is deleted.",
            "%(rows)s rows in %(tables)s tables are moved as they are; none is deleted.",
            total,
        )
        yield words % {"rows": facts.number(total), "tables": tables}
    yield _forecast(found.get("forecast"))


def _forecast(forecast: Mapping[str, Any] | None) -> str:
    if not forecast or forecast.get("seconds") is None:
        return _("How long it takes is not known: no rehearsal has passed yet.")
    at = parse_datetime(str(forecast.get("rehearsed_at") or ""))
    told = {
        "seconds": facts.seconds(forecast["seconds"]),
        "number": forecast.get("rehearsal"),
        "at": shown.clock(at) if isinstance(at, datetime) else "–",
    }
    words = _("Takes about %(seconds)s, says rehearsal %(number)s of %(at)s.") % told
    if forecast.get("of_others"):
        words = _("%(forecast)s It was a rehearsal of other migrations.") % {"forecast": words}
    return words


def _holders(target: int, holders: list[Mapping[str, Any]]) -> Iterator[str]:
    if not moves_tables(target):
        return
    for one in holders:
        told = {
            "pid": one.get("pid"),
            "user": one.get("user") or "?",
            "application": one.get("application") or "?",
            "seconds": facts.seconds(one.get("seconds")),
            "tables": ", ".join(one.get("tables") or ()),
        }
        yield (
            _(
                "Now in use by process %(pid)s of %(user)s (%(application)s) for %(seconds)s: %(tables)s. "
                "It is waited for, two seconds at a time."
            )
            % told
        )


# ---------------------------------------------------------------- proof


def proof(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """verdict: in a sentence; figures: (what, value); tables: of each its rows and digest before and
    afterwards, and whether they are equal.
    """
    figures = {
        name: one for name, one in found.items() if isinstance(one, FIGURES) and name != "equal"
    }
    ordered = sorted(figures, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    compared = found.get("compared") or {}
    tables = [_table(name, compared[name]) for name in sorted(compared)]
    if not tables and not ordered:
        return None
    return {
        "verdict": _verdict(found, tables),
        "is_equal": found.get("equal"),
        "figures": [(_figure(name), facts.value(figures[name])) for name in ordered],
        "tables": tables,
    }


def _figure(name: str) -> str:
    known = {
        "blocked": _("longest time that others waited at once, in seconds"),
        "seconds": _("seconds of the transaction"),
        "tries": _("tries to have all tables at once"),
        "orphans": _("rows set aside"),
        "backup": _("backup"),
        "verified": _("verified afterwards"),
        "verification": _("verification"),
    }
    return known.get(name) or name.replace("_", " ")


def _verdict(found: Mapping[str, Any], tables: Sequence[Mapping[str, Any]]) -> str:
    if not tables:
        return ""
    if not found.get("equal"):
        words = _("Not as before: %(tables)s. Look at these before anything else is done.")
        return words % {"tables": ", ".join(found.get("different") or ())}
    if any(one["went"] for one in tables):
        return _("As before, but for rows whose other half was deleted on the ground floor.")
    words = ngettext(
        "%(count)s table: every row is as it was before.",
        "%(count)s tables: every row is as it was before.",
        len(tables),
    )
    return words % {"count": len(tables)}


def _table(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """before, after: rows and, where it was taken, the digest."""
    before, after = one.get("before") or [], one.get("after") or []
    digest = one.get("digest") or after
    return {
        "name": name,
        "before": facts.value(before[0] if before else None),
        "after": facts.value(after[0] if after else None),
        "equal": before == after and bool(before),
        "went": bool(one.get("deleted") or one.get("nulled")) and before != after,
        "digest": str(digest[1]) if len(digest) > 1 else "–",
        "orphans": one.get("orphans") or 0,
    }
