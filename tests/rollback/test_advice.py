"""The one thing to do next: case by case, and which one comes first where several fit."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rollback.domain.advice import Advice, Breach, Case, Do, Feature, Live, Situation, advise
from rollback.domain.curves import HEIGHT, curve

MASTER, CALENDAR = "MASTER", "CALENDAR"
ON = (Feature(flag=MASTER, share=100), Feature(flag=CALENDAR, share=100))
KILLED = (ON[0], Feature(flag=CALENDAR, share=100, killed=True, latched=True, on=False))
WELL = Situation(features=ON)

OPEN = Case(number=12)
TAKEN_ON = replace(OPEN, acknowledged=True)
CONTAINED = replace(TAKEN_ON, contained=True)
FAILED = replace(CONTAINED, passed=False)
VERIFIED = replace(CONTAINED, passed=True, verified=True)
DECISION = Case(number=13, took=False, acknowledged=True)
BREACH = Breach(trigger="errors-calendar", flags=[CALENDAR])
ALERT = Breach(trigger="calendar-load")
DOWN = Live(number=3, down=True, paused=False, flags=[CALENDAR])
PAUSED = replace(DOWN, paused=True)
SILENT = timedelta(seconds=31)


@pytest.mark.parametrize(
    ("situation", "advice"),
    [
        (WELL, Advice(do=Do.NOTHING)),
        (replace(WELL, features=None), Advice(do=Do.LOOK_ELSEWHERE)),
        (
            replace(WELL, breaches=[BREACH]),
            Advice(do=Do.TAKE_BACK, trigger="errors-calendar", flags=(CALENDAR,)),
        ),
        # A plan takes it away already, or it is off already: then there is something else to do.
        (
            replace(WELL, breaches=[BREACH], plans=[DOWN]),
            Advice(do=Do.WAIT_FOR_PLAN, plan=3, flags=(CALENDAR,)),
        ),
        (
            replace(WELL, features=KILLED, breaches=[BREACH], cases=[TAKEN_ON]),
            Advice(do=Do.WAIT_FOR_PROCESSES, incident=12),
        ),
        # A plan upwards takes nothing away.
        (
            replace(WELL, breaches=[BREACH], plans=[replace(DOWN, down=False)]),
            Advice(do=Do.TAKE_BACK, trigger="errors-calendar", flags=(CALENDAR,)),
        ),
        (replace(WELL, breaches=[ALERT]), Advice(do=Do.LOOK, trigger="calendar-load")),
        (
            replace(WELL, cases=[OPEN], behind=2, features=KILLED),
            Advice(do=Do.END_PROCESSES, incident=12),
        ),
        # Processes that are late for another reason trouble nobody.
        (replace(WELL, behind=2), Advice(do=Do.NOTHING)),
        (replace(WELL, cases=[OPEN]), Advice(do=Do.ACKNOWLEDGE, incident=12)),
        (replace(WELL, cases=[TAKEN_ON]), Advice(do=Do.WAIT_FOR_PROCESSES, incident=12)),
        (replace(WELL, cases=[CONTAINED]), Advice(do=Do.WAIT_FOR_PROBES, incident=12)),
        (replace(WELL, cases=[FAILED]), Advice(do=Do.MEND, incident=12)),
        (replace(WELL, cases=[VERIFIED]), Advice(do=Do.RESOLVE, incident=12)),
        (replace(WELL, cases=[DECISION]), Advice(do=Do.DECIDE, incident=13)),
        # A person can do it now: before whatever is only waited for, after whatever people suffer from.
        (replace(WELL, letters=[7, 9]), Advice(do=Do.RELEASE, incident=7)),
        (replace(WELL, cases=[VERIFIED], letters=[12]), Advice(do=Do.RELEASE, incident=12)),
        (replace(WELL, plans=[DOWN], letters=[12]), Advice(do=Do.RELEASE, incident=12)),
        (replace(WELL, cases=[OPEN], letters=[12]), Advice(do=Do.ACKNOWLEDGE, incident=12)),
        (replace(WELL, cases=[FAILED], letters=[12]), Advice(do=Do.MEND, incident=12)),
        (replace(WELL, unwatched=SILENT), Advice(do=Do.START_THE_WATCH)),
        (replace(WELL, unwatched=None), Advice(do=Do.START_THE_WATCH)),
        (replace(WELL, unwatched=timedelta(seconds=30)), Advice(do=Do.NOTHING)),
        (replace(WELL, plans=[DOWN]), Advice(do=Do.WAIT_FOR_PLAN, plan=3, flags=(CALENDAR,))),
        (replace(WELL, plans=[PAUSED]), Advice(do=Do.GO_ON, plan=3, flags=(CALENDAR,))),
        # The incident that held it is resolved: it was forgotten.
        (
            replace(WELL, features=(ON[0], replace(KILLED[1], latched=False))),
            Advice(do=Do.BRING_BACK, flags=(CALENDAR,)),
        ),
    ],
)
def test_one_thing_at_a_time(situation: Situation, advice: Advice) -> None:
    assert advise(situation) == advice


@pytest.mark.parametrize(
    ("situation", "do"),
    [
        # Who suffers now comes before who has to know.
        (replace(WELL, breaches=[BREACH], cases=[OPEN]), Do.TAKE_BACK),
        (replace(WELL, breaches=[ALERT], cases=[OPEN]), Do.ACKNOWLEDGE),
        # What a silent watch found long ago is no reason to take anything away.
        (replace(WELL, breaches=[BREACH], unwatched=SILENT), Do.START_THE_WATCH),
        (replace(WELL, cases=[OPEN], unwatched=SILENT), Do.ACKNOWLEDGE),
        (replace(WELL, cases=[VERIFIED], unwatched=SILENT), Do.START_THE_WATCH),
        (replace(WELL, cases=[VERIFIED], plans=[PAUSED]), Do.GO_ON),
        (replace(WELL, cases=[VERIFIED], plans=[DOWN]), Do.WAIT_FOR_PLAN),
        (replace(WELL, cases=[VERIFIED, DECISION]), Do.DECIDE),
        (replace(WELL, cases=[FAILED, DECISION]), Do.MEND),
        (replace(WELL, cases=[VERIFIED], breaches=[ALERT]), Do.RESOLVE),
        (replace(WELL, features=None, cases=[OPEN], unwatched=None), Do.LOOK_ELSEWHERE),
    ],
)
def test_what_comes_first(situation: Situation, do: Do) -> None:
    assert advise(situation).do is do


def test_of_two_incidents_the_oldest_that_needs_somebody() -> None:
    newer = replace(OPEN, number=14)
    assert advise(replace(WELL, cases=[TAKEN_ON, newer])).incident == 14


def test_a_curve_has_gaps_where_nothing_was() -> None:
    drawn = curve([0.0, 1.0, None, 0.5], threshold=0.5)
    assert [len(piece.split()) for piece in drawn.pieces] == [2, 2]
    assert drawn.pieces[0] == "0.0,27.0 40.0,1.0"
    assert drawn.limit == HEIGHT / 2
    assert curve([], threshold=None).pieces == []


def test_a_curve_of_zeros_lies_at_the_bottom() -> None:
    assert curve([0.0, 0.0], threshold=0.02).pieces == ["0.0,27.0 120.0,27.0"]
    assert curve([0.0, 0.0], threshold=0.0).pieces == ["0.0,27.0 120.0,27.0"]
