"""What a trigger sees and comes to, as values; and as JSON, from which it comes to the same again. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rollback.domain.metrics import Method, Metric, Slot, Slots, Verdict

STEP = 10  # seconds of the watch's slots
# Of a breach that is mild or rare, so much is looked back on: six times as long as it has to last.
HELD_TIMES = 6
MOST_WINDOW = 31 * 86_400
MOST_HELD = 86_400
SHARES = frozenset({Method.SUSTAINED, Method.P95, Method.BELOW, Method.ABOVE})


def gettext_noop(text: str) -> str:
    """Makes the text known to translators."""
    return text


@dataclass(frozen=True, slots=True)
class Rule:
    """metric, method: as they stand in the row, which may be nonsense. threshold: see `Trigger`."""

    name: str
    version: int
    metric: str
    method: str
    threshold: float
    window_seconds: int
    held_seconds: int = 0
    min_total: int = 0
    min_bad: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """slots: of those with the feature on; control: of those with it off. number: of a count.

    first_at: of a count, when the first of them was, where that is known. trouble: why there is none.
    since: nothing from before it is among them; None: only the rule says how far back it goes.
    """

    now: datetime
    slots: Slots = ()
    control: Slots = ()
    number: float | None = None
    first_at: datetime | None = None
    trouble: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Said:
    template: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.values


@dataclass(frozen=True, slots=True)
class Finding:
    """rate: what was seen: a share of bad ones (BELOW: of good ones), or the count. bound: what it
    surely is at least (BELOW: at most). is_not_the_feature: those without it fare no better.
    """

    verdict: Verdict
    words: str
    first_bad_at: datetime | None = None
    total: int = 0
    bad: int = 0
    rate: float | None = None
    bound: float | None = None
    is_not_the_feature: bool = False
    said: Said = Said("")


def look_back(*, window_seconds: int, held_seconds: int) -> int:
    """How many seconds before now `judge` looks at; older slots make no difference."""
    return window_seconds + HELD_TIMES * held_seconds


def malformed(rule: Rule) -> Said | None:
    """Why no evidence whatever could be judged by this rule."""
    if rule.metric not in {one.value for one in Metric}:
        return Said(gettext_noop("There is no metric “%(name)s”."), {"name": rule.metric})
    if rule.method not in {one.value for one in Method}:
        return Said(gettext_noop("There is no method “%(name)s”."), {"name": rule.method})
    if not math.isfinite(rule.threshold) or rule.threshold < 0:
        return Said(gettext_noop("The threshold is no number that can be compared with."))
    if rule.method in SHARES and rule.threshold > 1:
        return Said(gettext_noop("The threshold is a share, so it lies between 0 and 1."))
    if not STEP <= rule.window_seconds <= MOST_WINDOW or not 0 <= rule.held_seconds <= MOST_HELD:
        return Said(gettext_noop("The window, or how long it must last, is too short or too long."))
    return None


# --- kept -----------------------------------------------------------------------------------------


def as_json(rule: Rule, evidence: Evidence) -> dict[str, Any]:
    return {
        "rule": asdict(rule) | {"threshold": _number_out(rule.threshold)},
        "now": evidence.now.isoformat(),
        "slots": [_slot_out(slot) for slot in evidence.slots],
        "control": [_slot_out(slot) for slot in evidence.control],
        "number": _number_out(evidence.number),
        "first_at": evidence.first_at.isoformat() if evidence.first_at else None,
        "trouble": evidence.trouble,
        "since": evidence.since.isoformat() if evidence.since else None,
    }


def from_json(kept: Mapping[str, Any]) -> tuple[Rule, Evidence]:
    """:raises NotReadable: it is not what `as_json` wrote"""
    try:
        rule = dict(kept["rule"])
        return Rule(**rule | {"threshold": _number_in(rule["threshold"])}), Evidence(
            now=datetime.fromisoformat(kept["now"]),
            slots=[_slot_in(slot) for slot in kept["slots"]],
            control=[_slot_in(slot) for slot in kept["control"]],
            number=_number_in(kept["number"]),
            first_at=datetime.fromisoformat(kept["first_at"]) if kept["first_at"] else None,
            trouble=kept["trouble"],
            # What was kept before there was such a thing has none.
            since=datetime.fromisoformat(kept["since"]) if kept.get("since") else None,
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise NotReadable(str(error)) from error


class NotReadable(Exception):
    """Evidence that was kept is not whole."""


def _slot_out(slot: Slot) -> list[float]:
    """Half as long as with the time in words, which counts with hundreds of them."""
    at = slot.begins_at.timestamp()
    return [int(at) if at.is_integer() else at, slot.seconds, slot.total, slot.bad]


def _slot_in(kept: Sequence[Any]) -> Slot:
    at, seconds, total, bad = kept
    return Slot(datetime.fromtimestamp(at, UTC), int(seconds), int(total), int(bad))


def _number_out(number: float | None) -> float | str | None:
    """JSON has no word for what is no number."""
    return number if number is None or math.isfinite(number) else str(number)


def _number_in(kept: float | str | None) -> Any:
    return float(kept) if isinstance(kept, str) else kept
