"""The watch's measures on the console: verdict, value against threshold, the last hour as a curve.

What could not be judged is said to be that, and never to be healthy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from rollback import exposure
from rollback.console.readings import Minute, Readings, Watch
from rollback.domain.advice import NOBODY_WATCHES
from rollback.domain.curves import HEIGHT, WIDTH, curve
from rollback.domain.metrics import Method, Metric, Verdict
from rollback.domain.verdicts import facts_of
from rollback.models import Trigger

# Judged from rows, not from samples: there is no curve of them.
NO_CURVE = frozenset(
    {
        Metric.COMPLETION,
        Metric.ABANDONED,
        Metric.COMPLAINTS,
        Metric.CONFLICTS,
        Metric.HOLIDAYS,
        Metric.PAYMENTS,
        Metric.LOCAL_TRIPS,
    }
)
WORST_FIRST = (Verdict.BREACH, Verdict.OK, Verdict.UNKNOWN, "")


def is_watched(found: Readings) -> bool:
    beat = found.watch.beat if found.watch else None
    return beat is not None and found.now - beat.beat_at <= NOBODY_WATCHES


def verdict_of(watch: Watch, trigger: Trigger) -> str:
    """Empty: not judged."""
    return str(_said(watch, trigger).get("verdict", "")) if trigger.is_enabled else ""


def lacks_traffic(watch: Watch, trigger: Trigger) -> bool:
    """Unknown, for there was too little; without a total it is that nothing could be judged."""
    said, verdict = _said(watch, trigger), verdict_of(watch, trigger)
    return verdict == Verdict.UNKNOWN and isinstance(said.get("total"), int)


def cannot_be_judged(watch: Watch, trigger: Trigger) -> bool:
    """It should be, and nothing is said of it, or that the rule or the reading was at fault."""
    verdict = verdict_of(watch, trigger)
    is_unsaid = verdict in ("", Verdict.UNKNOWN) and not lacks_traffic(watch, trigger)
    return trigger.is_enabled and is_unsaid


def _said(watch: Watch, trigger: Trigger) -> Mapping[str, Any]:
    return facts_of(watch.beat.verdicts if watch.beat else {}).get(trigger.name, {})


def measures(found: Readings) -> list[dict[str, Any]] | None:
    watch = found.watch
    if watch is None:
        return None
    rows = [_row(found, watch, trigger) for trigger in watch.triggers]
    return sorted(rows, key=lambda row: WORST_FIRST.index(row["verdict"]))


def _row(found: Readings, watch: Watch, trigger: Trigger) -> dict[str, Any]:
    said, verdict = _said(watch, trigger), verdict_of(watch, trigger)
    return {
        "title": trigger.title,
        "feature": exposure.title(trigger.feature) if trigger.feature else "",
        "verdict": verdict,
        # Green is only what somebody has looked at just now.
        "look": verdict if verdict == Verdict.BREACH or is_watched(found) else "",
        "state": _state(found, watch, trigger),
        "words": _found(said) if verdict else "",
        "value": _value(trigger, said) if verdict else "",
        "threshold": _threshold(trigger),
        "action": _action(trigger),
        "curve": _curve(found, trigger),
    }


def _found(said: Mapping[str, Any]) -> str:
    """In the reader's language where the evaluator has left the sentence and its values apart."""
    try:
        return _(said["template"]) % said["values"] if said["template"] else str(said["words"])
    except (KeyError, TypeError, ValueError):  # a translation, or a row, that does not fit
        return str(said["words"])


def _state(found: Readings, watch: Watch, trigger: Trigger) -> str:
    if not trigger.is_enabled:
        return _("Not evaluated")
    words: Mapping[str, str] = {
        Verdict.OK.value: _("In order"),
        Verdict.BREACH.value: _("Out of bounds"),
        Verdict.UNKNOWN.value: _("Too little traffic to judge")
        if lacks_traffic(watch, trigger)
        else _("Cannot be judged"),
    }
    verdict = verdict_of(watch, trigger)
    if verdict not in words:
        return _("Not judged yet")
    return words[verdict] if is_watched(found) else _("Last judged: %s") % words[verdict]


def _action(trigger: Trigger) -> str:
    if trigger.is_shadow:
        return _("shadow: does nothing")
    return str(trigger.get_action_display())


def is_share(trigger: Trigger) -> bool:
    return trigger.method != Method.COUNT or trigger.metric == Metric.LOCAL_TRIPS


def _threshold(trigger: Trigger) -> str:
    limit = _number(trigger, trigger.threshold)
    if trigger.method == Method.BELOW:
        return _("at least %(limit)s") % {"limit": limit}
    return _("at most %(limit)s") % {"limit": limit}


def _number(trigger: Trigger, number: float) -> str:
    if is_share(trigger):
        return f"{100 * number:.3g}\N{NO-BREAK SPACE}%"
    return f"{number:g}"


def _value(trigger: Trigger, said: Mapping[str, Any]) -> str:
    rate = said.get("rate")
    if isinstance(rate, int | float):
        return _number(trigger, rate)
    total = said.get("total")
    if isinstance(total, int) and not is_share(trigger):
        return _number(trigger, total)
    return ""


def _curve(found: Readings, trigger: Trigger) -> dict[str, Any] | None:
    if trigger.metric in NO_CURVE or found.traffic is None:
        return None
    minutes = found.traffic.get((trigger.metric, trigger.feature), ())
    rates = [None if one is None or not one[0] else one[1] / one[0] for one in minutes]
    drawn = curve(rates, threshold=trigger.threshold)
    return {
        "pieces": drawn.pieces,
        "limit": drawn.limit,
        "width": WIDTH,
        "height": HEIGHT,
        "words": _in_words(minutes, [rate for rate in rates if rate is not None]),
    }


def _in_words(minutes: Sequence[Minute | None], rates: Sequence[float]) -> str:
    if not rates:
        return _("Last hour: no traffic.")
    told = {
        "total": sum(one[0] for one in minutes if one is not None),
        "least": f"{100 * min(rates):.3g}",
        "most": f"{100 * max(rates):.3g}",
        "last": f"{100 * rates[-1]:.3g}",
    }
    return (
        _("Last hour: %(total)s in all; by minute %(least)s to %(most)s %%, at last %(last)s %%.")
        % told
    )
