"""Several lessons at once: each start is asked about as if those before it were booked. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from scheduling.domain.clock import WEEK, Period, instant
from scheduling.domain.policy import Policy
from scheduling.domain.reasons import Horizon, Why, explain, slot_from
from scheduling.domain.slots import Facts, Taken

FEWEST, MOST = 2, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """why: None, when this one can be booked together with those before it."""

    slot: Period
    why: Why | None = None
    note: str = ""


def weekly(first: datetime, *, zone: ZoneInfo, count: int, every: int = 1) -> list[int]:
    """The same time on the clock of `zone`, every so many weeks, as epoch seconds."""
    local = first.astimezone(zone)
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    day = local.toordinal()
    return [
        # The first as it was chosen: of a repeated hour it may be the second one.
        int(first.timestamp())
        if not number
        else instant(zone, day + number * every * WEEK, seconds)
        for number in range(count)
    ]


def ask(facts: Facts, policy: Policy, horizon: Horizon, starts: Iterable[int]) -> list[Asked]:
    """In order of time. What can be booked counts for the limits of what comes after it."""
    answers = []
    for start in sorted(set(starts)):
        slot = slot_from(facts, policy, start)
        missing = explain(facts, policy, horizon, slot)
        if missing:
            answers.append(Asked(slot=slot, why=missing.why, note=missing.note))
        else:
            answers.append(Asked(slot=slot))
            facts = _booked(facts, policy, slot)
    return answers


def _booked(facts: Facts, policy: Policy, slot: Period) -> Facts:
    """The student's from now on. A group that was joined is still one lesson of the teacher's."""
    others: Sequence[Taken] = [one for one in facts.teaching if one.period != slot]
    joined = next((one for one in facts.teaching if one.period == slot), None)
    before, after = policy.buffer_before * 60, policy.buffer_after * 60
    busy = joined.busy if joined else (slot[0] - before, slot[1] + after)
    mine = Taken(period=slot, busy=busy, seats=joined.seats if joined else 1)
    return replace(facts, teaching=[*others, mine], learning=[*facts.learning, slot])
