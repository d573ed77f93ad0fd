"""The nearest free times, against a brute force that walks the wall clock minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.domain.clock import NoSuchTime, comes_twice, instant
from enrollment.domain.nearby import SAME_DAY, Period, Wish, free_nearby, is_free
from enrollment.domain.weeks import gaps, monday_of

# Whole, half and quarter hours, both hemispheres, a change of 30 minutes, one at midnight.
ZONES = (
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Havana",
)
CHANGES = (date(2031, 3, 30), date(2031, 10, 26), date(2031, 4, 6), date(2031, 3, 9))
HOUR = timedelta(hours=1)
# A machine that is busy with other tests is no finding.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

days = st.sampled_from(CHANGES).flatmap(
    lambda day: st.integers(-2, 2).map(lambda by: day + timedelta(days=by))
)
wishes = st.builds(
    Wish,
    on=days,
    at=st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    zone=st.sampled_from(ZONES),
    length=st.integers(5, 240).map(lambda minutes: timedelta(minutes=minutes)),
)


@st.composite
def wish_and_busy(draw: Any) -> tuple[Wish, list[Period]]:
    """Lessons around the wish, many of the same day, in no order, some over each other."""
    wish = draw(wishes)
    wished = int(wish.starts_at().timestamp())
    spans = st.tuples(st.integers(-16 * 60, 9 * 24 * 60), st.integers(1, 600))
    near = st.tuples(st.integers(-600, 600), st.integers(1, 180))
    found = draw(st.lists(st.one_of(near, spans), max_size=25))
    return wish, [(wished + at * 60, wished + (at + long) * 60) for at, long in found]


def wall(start: datetime, wish: Wish) -> datetime:
    return start.astimezone(ZoneInfo(wish.zone)).replace(tzinfo=None)


@unhurried
@given(wish_and_busy())
def test_nothing_offered_overlaps_and_nothing_twice(asked: tuple[Wish, list[Period]]) -> None:
    wish, busy = asked
    offered = free_nearby(wish, busy=busy)
    assert all(is_free(busy, starts_at=start, length=wish.length) for start in offered)
    assert len(set(offered)) == len(offered)
    assert wish.starts_at() not in offered


@unhurried
@given(wish_and_busy())
def test_the_nearest_of_the_day_come_first_and_none_is_left_out(
    asked: tuple[Wish, list[Period]],
) -> None:
    wish, busy = asked
    wished = wish.starts_at()
    offered = [
        start for start in free_nearby(wish, busy=busy) if wall(start, wish).date() == wish.on
    ]
    assert offered == brute_force(wish, busy)[:SAME_DAY]
    assert offered == sorted(offered, key=lambda start: abs(start - wished))


def brute_force(wish: Wish, busy: list[Period]) -> list[datetime]:
    minutes = [time(minute // 60, minute % 60) for minute in range(24 * 60)]
    closes = 21 * 60 - wish.length.total_seconds() / 60
    found = set()
    for at in minutes:
        minute, wished = at.hour * 60 + at.minute, wish.at.hour * 60 + wish.at.minute
        on_grid = (minute - wished) % 15 == 0
        in_hours = min(7 * 60, wished) <= minute <= max(closes, wished)
        try:
            start = instant(on=wish.on, at=at, zone=wish.zone)
        except NoSuchTime:
            continue
        if on_grid and in_hours and is_free(busy, starts_at=start, length=wish.length):
            found.add(start)
    wished_at = wish.starts_at()
    return sorted(found - {wished_at}, key=lambda start: (abs(start - wished_at), start))


@unhurried
@given(wish_and_busy())
def test_other_days_show_the_same_time_on_the_clock(asked: tuple[Wish, list[Period]]) -> None:
    wish, busy = asked
    offered = [wall(start, wish) for start in free_nearby(wish, busy=busy)]
    others = [start for start in offered if start.date() != wish.on]
    assert others == sorted(others)
    assert all(start.time() == wish.at for start in others)
    assert all(1 <= (start.date() - wish.on).days <= 7 for start in others)


@unhurried
@given(wish_and_busy(), st.integers(-600, 600))
def test_nothing_is_offered_that_is_over(asked: tuple[Wish, list[Period]], minutes: int) -> None:
    wish, busy = asked
    now = wish.starts_at() + timedelta(minutes=minutes)
    assert all(start >= now for start in free_nearby(wish, busy=busy, earliest=now))


def offered(wish: Wish, *busy: Period) -> list[str]:
    return [f"{wall(start, wish):%d %H:%M}" for start in free_nearby(wish, busy=busy)]


def test_around_one_lesson_in_the_way() -> None:
    wish = Wish(on=date(2031, 3, 10), at=time(16), zone="Europe/Berlin", length=HOUR)
    start = int(wish.starts_at().timestamp())
    assert offered(wish, (start, start + 3600)) == [
        "10 15:00",
        "10 17:00",
        "10 14:45",
        "10 17:15",
        "11 16:00",
        "12 16:00",
        "13 16:00",
        "17 16:00",
    ]


def test_a_time_that_the_clocks_leave_out() -> None:
    """02:30 does not exist: 03:30 is what the clock shows then, and the day before has no such gap."""
    wish = Wish(on=date(2031, 3, 30), at=time(2, 30), zone="Europe/Berlin", length=HOUR)
    assert offered(wish)[:4] == ["30 03:15", "30 03:45", "30 03:00", "30 04:00"]
    assert "31 02:30" in offered(wish)
    eve = Wish(on=date(2031, 3, 29), at=time(2, 30), zone="Europe/Berlin", length=HOUR)
    assert "30 02:30" not in offered(eve)


def test_a_week_later_is_offered_on_the_other_side_of_a_change() -> None:
    wish = Wish(on=date(2031, 3, 24), at=time(16), zone="Europe/Berlin", length=HOUR)
    last = free_nearby(wish, busy=[])[-1]
    assert last == datetime(2031, 3, 31, 14, tzinfo=UTC)
    assert wish.starts_at() == datetime(2031, 3, 24, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("on", "at", "twice"),
    [
        (date(2031, 10, 26), time(2, 30), True),
        (date(2031, 10, 26), time(3, 30), False),
        (date(2031, 3, 30), time(2, 30), False),
    ],
)
def test_the_hour_that_comes_twice(on: date, at: time, twice: bool) -> None:
    assert comes_twice(on=on, at=at, zone="Europe/Berlin") is twice


moments = st.integers(0, 24 * 60).map(
    lambda minute: datetime(2031, 3, 10, tzinfo=UTC) + timedelta(minutes=minute)
)
periods = st.lists(st.tuples(moments, moments).map(sorted).map(tuple), max_size=8)


@unhurried
@given(periods, moments, moments)
def test_gaps_and_lessons_together_fill_the_day(
    busy: list[Any], one: datetime, other: datetime
) -> None:
    opens, closes = sorted((one, other))
    shortest = timedelta(minutes=1)
    found = list(gaps(busy, opens=opens, closes=closes, shortest=shortest))
    minute = opens
    while minute < closes:
        taken = any(start <= minute < end for start, end in busy)
        free = any(start <= minute < end for start, end in found)
        assert taken is not free
        minute += shortest


def test_short_gaps_are_left_out() -> None:
    day = datetime(2031, 3, 10, tzinfo=UTC)
    busy = [(day + HOUR, day + 2 * HOUR), (day + 2 * HOUR + HOUR / 6, day + 4 * HOUR)]
    found = gaps(busy, opens=day, closes=day + 4 * HOUR, shortest=HOUR / 4)
    assert list(found) == [(day, day + HOUR)]


def test_a_week_begins_on_monday() -> None:
    assert {monday_of(date(2031, 3, 10) + timedelta(days=by)) for by in range(7)} == {
        date(2031, 3, 10)
    }
