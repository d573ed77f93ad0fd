"""Rules that cannot be meant as they are. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import combinations

from scheduling.domain.clock import Period
from scheduling.domain.hours import Rule, overlap
from scheduling.domain.policy import Policy
from scheduling.domain.slots import Facts, windows

DAY_MINUTES = 24 * 60


class Nothing(StrEnum):
    """Why a policy lets nobody book anything."""

    NOTICE = "notice"  # the notice ends after the last bookable day
    LENGTH = "length"  # no window is as long as one lesson


def overlapping(rules: Sequence[tuple[int, Rule]]) -> Iterator[tuple[int, int]]:
    """The keys of each two rules that hold a shared second of some week."""
    for (key, rule), (other_key, other) in combinations(rules, 2):
        if overlap(rule, other):
            yield key, other_key


def notice_beyond_horizon(policy: Policy) -> bool:
    """The last bookable date ends less than `horizon_days + 1` days from now."""
    return policy.notice_minutes >= (policy.horizon_days + 1) * DAY_MINUTES


def no_window_long_enough(facts: Facts, policy: Policy, horizon: Period) -> bool:
    """Of the hours in the horizon; False where there are none at all, which is no contradiction."""
    spans = [rule.ends - rule.starts for rule in facts.rules]
    spans += [one.ends - one.starts for one in facts.exceptions]
    # Almost always enough, and much cheaper than the calendar.
    if any(span >= policy.length for span in spans):
        return False
    found = windows(facts, since=horizon[0], until=horizon[1])
    return bool(found) and all(end - start < policy.length for start, end in found)
