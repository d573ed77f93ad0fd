"""Faults put into a school under load, and how long it takes until it has helped itself.

Goals: seven minutes for what is judged by a share of errors or slow pages, of which five are the
specification's own waiting; one minute for what a person decides.
"""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from django.db import connection
from psycopg.conninfo import make_conninfo

from rollback import incidents, runner
from rollback.models import Flag
from rollback.runner import Actor
from tests.bench import schools
from tests.bench.figures import Row, at_most
from tests.drill import drill
from tests.drill.drill import Drill, Outcome
from tests.drill.load import Load

ACTOR = Actor(name="benchmark")
PEOPLE, PAUSE = 12, 0.8
# Long enough that the windows hold a healthy minute before it breaks.
CALM = 75.0
BY_ITSELF, BY_HAND = 420.0, 60.0
DATABASES = ("drill_errors", "drill_slow")
FAULTS = (
    ("a fifth of the calendar's pages fail", "errors 0.2"),
    ("the calendar takes two seconds longer", "slow 2"),
)


def rows(database_url: str, folder: Path) -> Iterator[Row]:
    """A school for each fault: for half an hour no machine touches what a machine has switched off."""
    for name, (words, fault) in zip(DATABASES, FAULTS, strict=True):
        where, address = folder / name, make_conninfo(database_url, dbname=name)
        where.mkdir()
        with schools.inside(name), drill.school(database_url=address, folder=where) as school:
            _all_on()
            with school.load(sessions=drill.sessions(PEOPLE), pause=PAUSE) as load:
                time.sleep(CALM)
                outcome = school.run(fault=fault, load=load, within=2 * BY_ITSELF)
                yield from _told(words, outcome, BY_ITSELF)
                incidents.resolve(incident=outcome.incident.pk, actor=ACTOR, reason="benchmark")
                _all_on()
                yield from _told("taken back by hand", _by_hand(school, load), BY_HAND)
            connection.close()


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


def _all_on() -> None:
    for flag in Flag.objects.all():
        if flag.is_killed:
            runner.restore(flag=flag.name, actor=ACTOR, reason="benchmark", percent=Decimal(100))
        else:
            runner.set_share(flag=flag.name, percent=Decimal(100), actor=ACTOR, reason="benchmark")
