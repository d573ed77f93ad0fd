"""What a trigger comes to, from nothing but what it saw: so the same evidence, kept, comes to the same.

Pure. Nothing a rule or a slot may hold makes `judge` raise: what cannot be judged is UNKNOWN, never
healthy, and says why. Words are kept with the verdict and have to be the same when it is replayed,
so they are English here; `Said` holds what a page needs to say them in another language.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollback.domain.breaches import (
    LIKELY,
    SURE,
    Counts,
    at_least,
    at_most,
    breaches,
    fires,
    worst_since,
)
from rollback.domain.evidence import (
    HELD_TIMES,
    MOST_HELD,
    MOST_WINDOW,
    STEP,
    Evidence,
    Finding,
    NotReadable,
    Rule,
    Said,
    as_json,
    from_json,
    gettext_noop,
    look_back,
    malformed,
)
from rollback.domain.grids import Grid, grid_of, overlapping
from rollback.domain.metrics import Method, Slots, Verdict

__all__ = [
    "MOST_HELD",
    "MOST_WINDOW",
    "STEP",
    "WANT_OF_TRAFFIC",
    "Evidence",
    "Finding",
    "NotReadable",
    "Rule",
    "Said",
    "as_json",
    "from_json",
    "judge",
    "look_back",
    "malformed",
    "only_what_counts",
]

# Why a trigger cannot judge when there is nothing wrong with it, nor anything to be seen.
TOO_FEW = gettext_noop("%(total)s in the last %(span)s; to judge, %(least)s are needed.")
NONE_AT_ALL = gettext_noop("None in the last %(span)s, so there is nothing to judge.")
WANT_OF_TRAFFIC = frozenset({TOO_FEW, NONE_AT_ALL})

MOST_REACH = MOST_WINDOW + HELD_TIMES * MOST_HELD


def judge(rule: Rule, evidence: Evidence) -> Finding:
    why_not = _unjudgeable(rule, evidence)
    if why_not is not None:
        return _unknown(why_not)
    method = Method(rule.method)
    if method is Method.COUNT:
        return _count(rule, evidence)
    return _METHODS[method](rule, evidence)


def only_what_counts(rule: Rule, evidence: Evidence) -> Evidence:
    """Without what `judge` does not look at; it comes to the same."""
    reach = look_back(window_seconds=rule.window_seconds, held_seconds=rule.held_seconds)
    since = evidence.now - timedelta(seconds=min(reach, MOST_REACH) + STEP)
    return replace(
        evidence,
        slots=overlapping(evidence.slots, since, evidence.now),
        control=overlapping(evidence.control, since, evidence.now),
    )


def _unjudgeable(rule: Rule, evidence: Evidence) -> Said | None:
    if evidence.trouble:
        return Said(gettext_noop("Could not be judged: %(why)s"), {"why": evidence.trouble})
    return malformed(rule)


def _unknown(said: Said, **facts: Any) -> Finding:
    return Finding(Verdict.UNKNOWN, str(said), said=said, **facts)


def _finding(verdict: Verdict, said: Said, **facts: Any) -> Finding:
    return Finding(verdict, str(said), said=said, **facts)


def _too_few(rule: Rule, total: int, seconds: int, **facts: Any) -> Finding:
    values = {"total": str(total), "span": _span(seconds), "least": str(rule.min_total)}
    return _unknown(Said(TOO_FEW if total else NONE_AT_ALL, values), total=total, **facts)


# --- a share that stays above -------------------------------------------------------------------


def _sustained(rule: Rule, evidence: Evidence) -> Finding:
    grid = _grid(rule, evidence)
    if grid is None:
        said = Said(gettext_noop("The slots are longer than the window, so nothing can be judged."))
        return _unknown(said)
    counts, held = grid.counts, grid.limits.held
    opened = None
    for _, opened in breaches(counts, grid.limits, start=held):  # noqa: B007
        pass
    size = len(counts)
    if opened is not None and fires(counts, grid.limits, opened=opened, end=size):
        return _fired(rule, evidence, grid, opened)
    span = max(held, grid.limits.recent)
    total, bad = counts.between(size - span, size)
    facts = {"total": total, "bad": bad, "rate": bad / total if total else None}
    if total < max(rule.min_total, 1):
        facts.pop("total")
        return _too_few(rule, total, span * grid.step, **facts)
    if opened is not None:
        return _not_yet(rule, grid, opened)
    template = gettext_noop("%(bad)s of %(total)s (%(rate)s) in the last %(span)s.")
    said = Said(template, _numbers(total, bad) | {"span": _span(span * grid.step)})
    return _finding(Verdict.OK, said, **facts)


def _fired(rule: Rule, evidence: Evidence, grid: "Grid", opened: int) -> Finding:
    total, bad = grid.counts.between(opened, len(grid.counts))
    bound = at_least(bad, total, z=SURE)
    template = gettext_noop(
        "Above %(limit)s for %(span)s, since %(since)s: %(bad)s of %(total)s (%(rate)s), certainly "
        "at least %(bound)s."
    )
    said = Said(
        template,
        _numbers(total, bad)
        | {
            "limit": _percent(rule.threshold),
            "span": _span((len(grid.counts) - opened) * grid.step),
            "since": _clock(grid.at(opened)),
            "bound": _percent(bound),
        },
    )
    return _finding(
        Verdict.BREACH,
        said,
        first_bad_at=_first_bad(grid.cells, grid.counts, rule.threshold),
        total=total,
        bad=bad,
        rate=bad / total,
        bound=bound,
        is_not_the_feature=_both_bad(
            rule, (total, bad), _summed(evidence.control, grid.at(opened), evidence.now), z=SURE
        ),
    )


def _not_yet(rule: Rule, grid: "Grid", opened: int) -> Finding:
    total, bad = grid.counts.between(opened, len(grid.counts))
    bound = at_least(bad, total, z=SURE)
    template = gettext_noop(
        "Above %(limit)s since %(since)s: %(bad)s of %(total)s (%(rate)s); not yet for long enough, "
        "or with enough of them, to be certain."
    )
    values = {"limit": _percent(rule.threshold), "since": _clock(grid.at(opened))}
    said = Said(template, _numbers(total, bad) | values)
    return _unknown(said, total=total, bad=bad, rate=bad / total if total else None, bound=bound)


def _grid(rule: Rule, evidence: Evidence) -> Grid | None:
    reach = look_back(window_seconds=rule.window_seconds, held_seconds=rule.held_seconds)
    return grid_of(rule, evidence.slots, now=evidence.now, reach=reach)


# --- a share of one window ----------------------------------------------------------------------


def _above(rule: Rule, evidence: Evidence) -> Finding:
    return _share(rule, evidence, limit=rule.threshold, of_good=False)


def _below(rule: Rule, evidence: Evidence) -> Finding:
    return _share(rule, evidence, limit=1 - rule.threshold, of_good=True)


def _share(rule: Rule, evidence: Evidence, *, limit: float, of_good: bool) -> Finding:
    """limit: of the bad ones. The bound of the good ones is the other end of the same interval."""
    since = evidence.now - timedelta(seconds=rule.window_seconds)
    cells = overlapping(evidence.slots, since, evidence.now)
    total, bad = sum(cell.total for cell in cells), sum(cell.bad for cell in cells)
    if total < max(rule.min_total, 1):
        return _too_few(rule, total, rule.window_seconds, bad=bad)
    bound = at_least(bad, total, z=LIKELY)
    facts = {
        "total": total,
        "bad": bad,
        "rate": (total - bad if of_good else bad) / total,
        "bound": 1 - bound if of_good else bound,
    }
    is_certain = bound > limit and bad >= max(rule.min_bad, 1)
    said = _share_in_words(rule, facts, of_good=of_good, is_certain=is_certain)
    if not is_certain:
        return _finding(Verdict.UNKNOWN if bad > limit * total else Verdict.OK, said, **facts)
    counts = Counts.of([cell.total for cell in cells], [cell.bad for cell in cells])
    control = _summed(evidence.control, since, evidence.now)
    return _finding(
        Verdict.BREACH,
        said,
        first_bad_at=_first_bad(cells, counts, limit),
        is_not_the_feature=_both_bad(rule, (total, bad), control, z=LIKELY, limit=limit),
        **facts,
    )


def _share_in_words(
    rule: Rule, facts: Mapping[str, Any], *, of_good: bool, is_certain: bool
) -> Said:
    counted = facts["total"] - facts["bad"] if of_good else facts["bad"]
    values = _numbers(facts["total"], counted) | {
        "limit": _percent(rule.threshold),
        "bound": _percent(facts["bound"]),
        "span": _span(rule.window_seconds),
    }
    is_beyond = facts["rate"] < rule.threshold if of_good else facts["rate"] > rule.threshold
    if of_good and is_certain:
        template = gettext_noop(
            "Below %(limit)s in the last %(span)s: %(bad)s of %(total)s (%(rate)s), certainly at most "
            "%(bound)s."
        )
    elif is_certain:
        template = gettext_noop(
            "Above %(limit)s in the last %(span)s: %(bad)s of %(total)s (%(rate)s), certainly at least "
            "%(bound)s."
        )
    elif is_beyond:
        template = gettext_noop(
            "%(bad)s of %(total)s (%(rate)s) in the last %(span)s: beyond %(limit)s, but too few to be "
            "certain."
        )
    else:
        template = gettext_noop("%(bad)s of %(total)s (%(rate)s) in the last %(span)s.")
    return Said(template, values)


# --- a number -----------------------------------------------------------------------------------


def _count(rule: Rule, evidence: Evidence) -> Finding:
    number = evidence.number
    if number is None or not math.isfinite(number):
        return _unknown(Said(gettext_noop("There is no number to compare with.")))
    values = {"number": f"{number:g}", "limit": f"{rule.threshold:g}"}
    if number > rule.threshold:
        said = Said(gettext_noop("%(number)s, more than %(limit)s."), values)
        return _finding(Verdict.BREACH, said, rate=number, first_bad_at=evidence.first_at)
    return _finding(
        Verdict.OK, Said(gettext_noop("%(number)s, not more than %(limit)s."), values), rate=number
    )


_METHODS: Mapping[Method, Callable[[Rule, Evidence], Finding]] = {
    Method.SUSTAINED: _sustained,
    Method.P95: _above,
    Method.ABOVE: _above,
    Method.BELOW: _below,
}


# --- what they share ----------------------------------------------------------------------------


def _both_bad(
    rule: Rule, on: tuple[int, int], off: tuple[int, int], *, z: float, limit: float | None = None
) -> bool:
    """Those without the feature are certainly beyond the limit too, and not clearly better off."""
    total, bad = off
    limit = rule.threshold if limit is None else limit
    is_bad = at_least(bad, total, z=z) > limit and bad >= max(rule.min_bad, 1)
    return is_bad and at_least(on[1], on[0], z=z) <= at_most(bad, total, z=z)


def _summed(slots: Slots, since: datetime, until: datetime) -> tuple[int, int]:
    found = overlapping(slots, since, until)
    return sum(slot.total for slot in found), sum(slot.bad for slot in found)


def _first_bad(cells: Slots, counts: Counts, limit: float) -> datetime | None:
    start = worst_since(counts, limit)
    return next((cell.begins_at for cell in cells[start:] if cell.bad), None)


def _numbers(total: int, bad: int) -> dict[str, str]:
    rate = bad / total if total else 0.0
    return {"total": str(total), "bad": str(bad), "rate": _percent(rate)}


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _span(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length and not seconds % length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"
