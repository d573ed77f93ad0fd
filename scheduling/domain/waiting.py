"""Waiting for a time or a place that is taken. Pure.

docs/reference/states.md is drawn from the table by `manage.py draw_states`; a test compares it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from enrollment.domain.drawing import Chart
from scheduling.domain.reasons import Why

OFFER = timedelta(hours=12)
# Less is no offer: nobody reads their mail that quickly. The time stays free for everybody.
SHORTEST_OFFER = timedelta(minutes=30)
MOST_ENTRIES = 5
# How long an entry that is over is kept, so that its student can see what became of it.
KEPT = timedelta(days=90)

# What a cancellation may change. All the other reasons stay, whoever cancels.
MAY_BECOME_FREE = frozenset(
    {Why.LESSON, Why.FULL, Why.BUFFER, Why.DAY_LIMIT, Why.WEEK_LIMIT},
)


class WaitlistStatus(StrEnum):
    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    EXPIRED = "expired"
    LEFT = "left"


WAITLIST_STEPS: Mapping[str, frozenset[str]] = {
    WaitlistStatus.WAITING: frozenset(
        {
            WaitlistStatus.OFFERED,
            WaitlistStatus.TAKEN,
            WaitlistStatus.EXPIRED,
            WaitlistStatus.LEFT,
        }
    ),
    WaitlistStatus.OFFERED: frozenset(
        {WaitlistStatus.TAKEN, WaitlistStatus.EXPIRED, WaitlistStatus.LEFT}
    ),
    WaitlistStatus.TAKEN: frozenset(),
    WaitlistStatus.EXPIRED: frozenset(),
    WaitlistStatus.LEFT: frozenset(),
}

# At most one for a student and what they wait for.
LIVE_ENTRY = (WaitlistStatus.WAITING, WaitlistStatus.OFFERED)

CHART = Chart(
    title="Waitlist entry",
    text="""\
What becomes free is offered to the first who waits: a time as a hold, a place as a reservation, both
with an end. Taken is also who got it without an offer; expired is also a time that began. Who waits
again after that begins anew, as the last in line.
""",
    steps=WAITLIST_STEPS,
    starts=(WaitlistStatus.WAITING,),
)


def offer_ends(*, now: datetime, latest: datetime | None) -> datetime | None:
    """latest: when what is offered cannot be taken any more; None: that never happens.

    None: so little time is left that it is not offered to one alone.
    """
    until = now + OFFER if latest is None else min(now + OFFER, latest)
    return until if until - now >= SHORTEST_OFFER else None
