"""Which lessons the hours no longer bear. Pure."""

from datetime import date
from zoneinfo import ZoneInfo

from scheduling.domain.clock import Period, instant
from scheduling.domain.closures import Closures
from scheduling.domain.days import by_day
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.reasons import Why
from scheduling.domain.slots import Facts
from scheduling.domain.standing import outside

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 1, 19).toordinal()
HOUR = 3600


def between(start: float, end: float, day: int = MONDAY) -> Period:
    return instant(BERLIN, day, int(start * HOUR)), instant(BERLIN, day, int(end * HOUR))


def facts(**more: object) -> Facts:
    rules = [Rule(weekday=0, starts=9 * HOUR, ends=12 * HOUR)]
    rules.append(Rule(weekday=0, starts=12 * HOUR, ends=15 * HOUR))
    return Facts(**{"zone": BERLIN, "rules": rules} | more)  # type: ignore[arg-type]


def test_inside_and_outside() -> None:
    lessons = [between(9, 10), between(11.5, 12.5), between(14.5, 15.5), between(8, 9)]
    assert outside(facts(), lessons) == {
        between(8, 9): Why.NO_HOURS,
        between(14.5, 15.5): Why.NO_HOURS,
    }
    assert outside(facts(), []) == {}


def test_the_first_reason_counts() -> None:
    away = facts(
        closures=Closures(closed={date(2026, 1, 19): "X"}),
        time_off=[between(0, 24), between(9, 10, MONDAY + 7)],
    )
    assert outside(away, [between(9, 10), between(9, 10, MONDAY + 7)]) == {
        between(9, 10): Why.CLOSED,
        between(9, 10, MONDAY + 7): Why.TIME_OFF,
    }


def test_a_date_that_differs() -> None:
    other = facts(exceptions=[DayHours(day=MONDAY, replaces=True, starts=9 * HOUR, ends=10 * HOUR)])
    assert outside(other, [between(9, 10), between(10, 11)]) == {between(10, 11): Why.NO_HOURS}


def test_periods_are_cut_at_the_midnights_of_the_zone() -> None:
    long = between(22, 25), between(23, 24)
    found = by_day(long, zone=BERLIN, first=MONDAY, last=MONDAY + 1)
    assert found == {
        MONDAY: [between(22, 24), between(23, 24)],
        MONDAY + 1: [between(0, 1, MONDAY + 1)],
    }
    assert by_day(long, zone=BERLIN, first=MONDAY + 1, last=MONDAY + 1).keys() == {MONDAY + 1}


def test_the_day_of_25_hours() -> None:
    sunday = date(2026, 10, 25).toordinal()
    whole = instant(BERLIN, sunday, 0), instant(BERLIN, sunday + 1, 0)
    assert by_day([whole], zone=BERLIN, first=sunday, last=sunday) == {sunday: [whole]}
    assert whole[1] - whole[0] == 25 * HOUR
