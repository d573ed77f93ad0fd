"""A series: when its lessons are, and what each week is asked with. Pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from scheduling.domain.clock import Period
from scheduling.domain.hours import Rule
from scheduling.domain.policy import Policy
from scheduling.domain.reasons import DayReasons, Horizon, Why
from scheduling.domain.series import ask, weekly
from scheduling.domain.slots import Facts, Taken
from scheduling.words import why_for_day, why_for_staff, why_for_student, why_for_week

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, WEEK = 3600, 7 * 24 * 3600
# Monday 19 January 2026, 16:00 in Berlin.
FIRST = int(datetime(2026, 1, 19, 15, tzinfo=UTC).timestamp())
HORIZON = Horizon(now=FIRST - WEEK, earliest=FIRST - WEEK, ends=FIRST + 20 * WEEK)
MONDAYS = Facts(zone=BERLIN, rules=[Rule(weekday=0, starts=16 * HOUR, ends=19 * HOUR)])


def clocks(starts: list[int]) -> list[str]:
    return [datetime.fromtimestamp(one, BERLIN).strftime("%d.%m. %H:%M") for one in starts]


def test_the_wall_clock_stays_when_the_clocks_change() -> None:
    first = datetime(2026, 3, 23, 15, tzinfo=UTC)
    assert clocks(weekly(first, zone=BERLIN, count=3)) == [
        "23.03. 16:00",
        "30.03. 16:00",
        "06.04. 16:00",
    ]


def test_every_second_week() -> None:
    first = datetime(2026, 10, 12, 14, tzinfo=UTC)
    assert clocks(weekly(first, zone=BERLIN, count=3, every=2)) == [
        "12.10. 16:00",
        "26.10. 16:00",
        "09.11. 16:00",
    ]


def test_a_week_in_which_the_time_is_left_out() -> None:
    """02:30 is 03:30 that night, as everywhere."""
    first = datetime(2026, 3, 22, 1, 30, tzinfo=UTC)
    assert clocks(weekly(first, zone=BERLIN, count=2)) == ["22.03. 02:30", "29.03. 03:30"]


def test_the_second_of_a_repeated_hour_stays_what_was_chosen() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert weekly(second, zone=BERLIN, count=2)[0] == int(second.timestamp())


def whys(facts: Facts, policy: Policy, starts: list[int]) -> list[Why | None]:
    return [one.why for one in ask(facts, policy, HORIZON, starts)]


def test_what_comes_before_counts_for_the_limits() -> None:
    policy = Policy(lesson_minutes=60, most_a_week=2)
    starts = [FIRST, FIRST + HOUR, FIRST + 2 * HOUR, FIRST + WEEK]
    assert whys(MONDAYS, policy, starts[::-1]) == [None, None, Why.WEEK_LIMIT, None]


def test_what_is_not_free_counts_for_nothing() -> None:
    policy = Policy(lesson_minutes=60, most_a_day=1)
    busy: Period = (FIRST, FIRST + HOUR)
    facts = Facts(zone=BERLIN, rules=MONDAYS.rules, learning=[busy])
    assert whys(facts, policy, [FIRST, FIRST + HOUR]) == [Why.OWN_LESSON, None]


def test_buffers_count_between_lessons_of_the_series() -> None:
    policy = Policy(lesson_minutes=60, buffer_after=10)
    assert whys(MONDAYS, policy, [FIRST, FIRST + HOUR]) == [None, Why.BUFFER]


def test_a_group_is_joined_as_it_was_agreed() -> None:
    """It is longer than the policy says now, and takes no lesson more from the day."""
    policy = Policy(lesson_minutes=60, most_a_day=1)
    agreed: Period = (FIRST + WEEK, FIRST + WEEK + 2 * HOUR)
    group = Taken(period=agreed, busy=agreed, seats=2, open_seats=1)
    facts = Facts(zone=BERLIN, rules=MONDAYS.rules, teaching=[group])
    first, second = ask(facts, policy, HORIZON, [FIRST, FIRST + WEEK])
    assert (first.why, second.why) == (None, None)
    assert (first.slot[1], second.slot) == (FIRST + HOUR, agreed)
    # And not twice.
    assert whys(facts, policy, [FIRST + WEEK, FIRST + WEEK + HOUR])[1] == Why.OWN_LESSON


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_words(why: Why) -> None:
    for words in (why_for_student, why_for_staff, why_for_day):
        assert words(why, "Snow").endswith(".")
        assert words(why).endswith(".")
    assert ("Snow" in why_for_student(why, "Snow")) == (why == Why.CLOSED)


def day(number: int, why: Why | None, note: str = "") -> DayReasons:
    return DayReasons(day=date(2026, 1, number), free=(), missing=(), why=why, note=note)


def test_a_week_says_what_explains_most() -> None:
    none, booked = Why.NO_HOURS, Why.LESSON
    assert why_for_week([day(1, none), day(2, booked), day(3, none)]) == "Fully booked."
    assert why_for_week([day(1, none), day(2, none)]) == "The teacher offers no lessons that day."
    said = why_for_week([day(1, booked), day(2, Why.CLOSED, "Snow"), day(3, booked)])
    assert said == "Fully booked. Closed: Snow."
