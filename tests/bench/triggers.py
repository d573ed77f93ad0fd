"""How often the rules are wrong, and how soon right: by dice, at the traffic of schools small and large."""

import math
from collections.abc import Iterator

from tests.bench.figures import Row, at_most, percentile
from tests.rollback.simulated_traffic import Traffic, completion_alarms, detections, false_alarms

RATES = (0.05, 0.2, 1, 5, 10, 50)  # requests a second
DAYS = 600
TRIALS = 400
TEN_MINUTES = 60  # steps
ALARMS, SECONDS = 0.01, 350


def rows() -> Iterator[Row]:
    for rate in RATES:
        alarms = false_alarms(Traffic(rate, 0.01), days=DAYS, seed=1) / DAYS
        yield at_most(
            f"false rollbacks a day at 1 % errors, {rate:g} requests/s",
            alarms,
            ALARMS,
            ours=f"{alarms:.4f} in {DAYS} days",
            goal_words=f"{ALARMS:g}",
        )
    alarms = false_alarms(Traffic(1, 0.015), days=DAYS, seed=2) / DAYS
    yield Row(what="  at 1.5 % errors, 1 request/s", ours=f"{alarms:.4f} in {DAYS} days")
    for rate in (0.2, 1, 10):
        yield _found(rate, 0.2, goal=rate >= 1)
    yield _found(10, 0.04, goal=False)
    found = detections(Traffic(10, 0.01, 0.2, TEN_MINUTES, 24), trials=TRIALS, seed=5)
    fired = sum(after < math.inf for after in found)
    yield at_most(
        "a burst of four minutes, 20 % at 10 requests/s",
        fired,
        0,
        ours=f"{fired} of {TRIALS} fire",
        goal_words="0",
    )
    yield from _completion()


def _found(rate: float, share: float, *, goal: bool) -> Row:
    traffic = Traffic(rate, 0.01, share, TEN_MINUTES, 3 * TEN_MINUTES)
    after = detections(traffic, trials=TRIALS, seed=3)
    p50, p95 = percentile(after, 50), percentile(after, 95)
    what = f"a fault of {share:.0%} found, {rate:g} requests/s"
    ours = f"median {p50:g} s, p95 {p95:g} s"
    if not goal:
        return Row(what=what, ours=ours)
    return at_most(what, p95, SECONDS, ours=ours, goal_words=f"{SECONDS} s (p95)")


def _completion() -> Iterator[Row]:
    worst = max(completion_alarms(n=n, true=0.8) for n in range(20, 400))
    yield at_most(
        "completion < 70 %: false alarms a window at 80 %",
        worst,
        0.001,
        ours=f"{worst:.2%} (exact, the worst n)",
        goal_words="0.1 %",
    )
    power = completion_alarms(n=100, true=0.5)
    yield Row(
        what="  found at 50 % of 100",
        ours=f"{power:.1%}",
        goal="≥ 95 %",
        met=power >= 0.95,
        badly_missed=power < 0.475,
    )
