"""What is measured, and how a trigger may judge it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Metric(StrEnum):
    """Shares are bad / total of slots; counts are numbers of rows."""

    REQUESTS = "requests"  # bad: 5xx
    API = "api"  # bad: 5xx
    CALENDAR_500_MS = "calendar over 500 ms"
    CALENDAR_2_S = "calendar over 2 s"
    # As the browsers say it, of which only some are asked: among the server's own they would vanish.
    BROWSER_500_MS = "browser loads over 500 ms"
    BROWSER_2_S = "browser loads over 2 s"
    QUERIES_100_MS = "queries over 100 ms"
    CONNECTIONS = "failed connections"
    COMPLETION = "completion"  # bad: not finished; of starts old enough to have finished
    ABANDONED = "abandoned"  # bad: left for half an hour
    COMPLAINTS = "complaints"  # distinct people
    CONFLICTS = "availability conflicts"  # open ones
    HOLIDAYS = "holiday inconsistencies"  # open ones
    PAYMENTS = "payment issues"  # distinct people
    LOCAL_TRIPS = "processes without database"  # share of those that live


class Method(StrEnum):
    """How a metric is judged; each is a function of `domain/triggers.py`.

    SUSTAINED: a share that is above the threshold for longer than `held`.
    P95: the 95th percentile above the limit that the metric's name has: more than 5 % of them slow.
    BELOW: a share of good ones below the threshold, by the upper bound. ABOVE: a share of bad ones
    above it, by the lower bound.
    COUNT: more than a number.
    """

    SUSTAINED = "sustained share"
    P95 = "95th percentile"
    BELOW = "share below"
    ABOVE = "share above"
    COUNT = "more than"


class Verdict(StrEnum):
    OK = "OK"
    BREACH = "BREACH"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Slot:
    """begins_at is aware; a slot that is missing had no traffic."""

    begins_at: datetime
    seconds: int
    total: int
    bad: int


Slots = Sequence[Slot]
