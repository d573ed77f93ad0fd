"""Faults put into a school under load, and how long it takes until it has helped itself.

Goals: seven minutes for what is judged by a share of errors or slow pages, of which five are the
specification's own waiting; one minute for what a person decides.
"""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from rollback import incidents, runner
from rollback.models import Flag, Incident
from rollback.runner import Actor
from tests.bench.figures import Row, at_most
from tests.drill import drill
from tests.drill.drill import Drill, Outcome
from tests.drill.load import Load

ACTOR = Actor(name="benchmark")
PEOPLE, PAUSE = 12, 0.8
# Long enough that the windows hold a healthy minute before it breaks.
CALM = 75.0
BY_ITSELF, BY_HAND = 420.0, 60.0
FAULTS = {"a fifth of the calendar's pages fail": "errors 0.2", "the calendar is slow": "slow 2.3"}


def rows(database_url: str, folder: Path) -> Iterator[Row]:
    with (
        drill.school(database_url=database_url, folder=folder) as school,
        school.load(sessions=drill.sessions(PEOPLE), pause=PAUSE) as load,
    ):
        _all_on()
        for words, fault in FAULTS.items():
            time.sleep(CALM)
            outcome = school.run(fault=fault, load=load, within=2 * BY_ITSELF)
            yield from _told(words, outcome, BY_ITSELF)
            _resolve(outcome.incident)
            _all_on()
        yield from _told("everything is taken back by hand", _by_hand(school, load), BY_HAND)


def _by_hand(school: Drill, load: Load) -> Outcome:
    def take_back() -> None:
        runner.roll_back(incident="By hand", actor=ACTOR, reason="benchmark")

    return school.run(fault="", load=load, within=2 * BY_HAND, begin=take_back)


def _told(words: str, outcome: Outcome, goal: float) -> Iterator[Row]:
    yield at_most(
        f"{words}: until verified",
        outcome.verified,
        goal,
        ours=f"{outcome.verified:.0f} s",
        goal_words=f"{goal:.0f} s",
        beside=f"incident after {outcome.opened:.0f} s, off everywhere after {outcome.contained:.0f} s",
    )
    yield at_most(
        f"{words}: failed pages once it was off",
        outcome.errors_after,
        0,
        ours=str(outcome.errors_after),
        goal_words="0",
    )


def _resolve(incident: Incident) -> None:
    incidents.resolve(incident=incident.pk, actor=ACTOR, reason="benchmark")


def _all_on() -> None:
    for flag in Flag.objects.all():
        if flag.is_killed:
            runner.restore(flag=flag.name, actor=ACTOR, reason="benchmark", percent=Decimal(100))
        else:
            runner.set_share(flag=flag.name, percent=Decimal(100), actor=ACTOR, reason="benchmark")
