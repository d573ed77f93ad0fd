"""Who is called when: pure decisions, also where the clock is changed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rollback.domain import oncall
from rollback.domain.oncall import EVERYBODY, Shift

BERLIN = ZoneInfo("Europe/Berlin")
DAY = datetime(2030, 1, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def shift(user: int, starts: float, ends: float, level: int = 1) -> Shift:
    return Shift(user=user, level=level, starts_at=at(starts), ends_at=at(ends))


def test_a_shift_is_half_open_and_numbers_without_anybody_are_left_out() -> None:
    roster = [shift(1, 0, 8), shift(2, 8, 16), shift(3, 0, 24, level=3)]
    assert oncall.on_call(roster, now=at(0)) == {1: 1, 3: 3}
    assert oncall.on_call(roster, now=at(8)) == {1: 2, 3: 3}
    assert oncall.on_call(roster, now=at(16)) == {3: 3}
    assert oncall.on_call(roster, now=at(24)) == {}


def test_the_next_number_then_everybody_then_nobody() -> None:
    assert oncall.next_level([1, 3], after=0) == 1
    assert oncall.next_level([1, 3], after=1) == 3
    assert oncall.next_level([1, 3], after=3) == EVERYBODY
    assert oncall.next_level([], after=0) == EVERYBODY
    assert oncall.next_level([1, 3], after=EVERYBODY) is None


@pytest.mark.parametrize(
    ("severity", "is_acknowledged", "is_open", "expected"),
    [
        (1, False, True, True),
        (2, False, True, True),
        (3, False, True, False),
        (1, True, True, False),
        (1, False, False, False),
    ],
)
def test_what_calls(severity: int, is_acknowledged: bool, is_open: bool, expected: bool) -> None:
    said = oncall.calls(
        severity=severity, page_severity=2, is_acknowledged=is_acknowledged, is_open=is_open
    )
    assert said is expected


def test_a_hand_over_is_due_once_and_while_it_lasts() -> None:
    mine = shift(1, 8, 16)
    due = {
        hour: oncall.is_hand_over_due(shift=mine, told_at=None, now=at(hour))
        for hour in (7.9, 8, 15.9, 16)
    }
    assert due == {7.9: False, 8: True, 15.9: True, 16: False}
    assert not oncall.is_hand_over_due(shift=mine, told_at=at(8), now=at(9))


@pytest.mark.parametrize(
    ("now", "weekday", "hour", "expected"),
    [
        # Monday at ten in Berlin is nine in winter and eight in summer.
        (datetime(2030, 1, 7, 9, tzinfo=UTC), 0, 10, datetime(2030, 1, 7, 9, tzinfo=UTC)),
        (datetime(2030, 1, 7, 8, 59, tzinfo=UTC), 0, 10, datetime(2029, 12, 31, 9, tzinfo=UTC)),
        (datetime(2030, 7, 1, 8, tzinfo=UTC), 0, 10, datetime(2030, 7, 1, 8, tzinfo=UTC)),
        (datetime(2030, 7, 1, 7, 59, tzinfo=UTC), 0, 10, datetime(2030, 6, 24, 8, tzinfo=UTC)),
        # Two o'clock is jumped over: it is three, one o'clock in UTC.
        (datetime(2030, 3, 31, 1, tzinfo=UTC), 6, 2, datetime(2030, 3, 31, 1, tzinfo=UTC)),
        (datetime(2030, 3, 31, 0, 59, tzinfo=UTC), 6, 2, datetime(2030, 3, 24, 1, tzinfo=UTC)),
        # Two o'clock comes twice: the first one counts.
        (datetime(2030, 10, 27, 0, tzinfo=UTC), 6, 2, datetime(2030, 10, 27, 0, tzinfo=UTC)),
        (datetime(2030, 10, 27, 1, tzinfo=UTC), 6, 2, datetime(2030, 10, 27, 0, tzinfo=UTC)),
        # It is Tuesday in Berlin already.
        (datetime(2030, 1, 7, 23, 30, tzinfo=UTC), 1, 0, datetime(2030, 1, 7, 23, tzinfo=UTC)),
    ],
)
def test_when_the_test_was_to_be(
    now: datetime, weekday: int, hour: int, expected: datetime
) -> None:
    found = oncall.newest_test(now=now, zone=BERLIN, weekday=weekday, hour=hour)
    assert found == expected


@pytest.mark.parametrize("day", [date(2030, 3, 31), date(2030, 10, 27)])
def test_one_test_a_week_where_the_clock_is_changed(day: date) -> None:
    """Asked every ten minutes for two weeks around it, at the hour that is missing or comes twice."""
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=8)
    last, opened = now - timedelta(days=3), []
    for _step in range(6 * 24 * 14):
        if oncall.is_test_due(now=now, zone=BERLIN, weekday=6, hour=2, last=last):
            opened.append(now)
            last = now
        now += timedelta(minutes=10)
    assert len(opened) == 2
    assert day in {one.astimezone(BERLIN).date() for one in opened}


def test_a_test_that_was_missed_for_long_is_left_out() -> None:
    monday = datetime(2030, 1, 7, 9, tzinfo=UTC)
    facts: Any = {"zone": BERLIN, "weekday": 0, "hour": 10}
    assert oncall.is_test_due(now=monday + timedelta(hours=5), last=None, **facts)
    assert not oncall.is_test_due(now=monday + timedelta(hours=7), last=None, **facts)
    assert not oncall.is_test_due(now=monday + timedelta(hours=1), last=monday, **facts)


def test_gaps_of_overlapping_and_nested_shifts() -> None:
    roster = [shift(1, 2, 10), shift(2, 3, 5, level=2), shift(3, 12, 14), shift(4, 14, 30)]
    assert oncall.gaps(roster, start=at(0), end=at(24)) == [(at(0), at(2)), (at(10), at(12))]
    assert oncall.gaps(roster, start=at(3), end=at(9)) == []
    assert oncall.gaps([], start=at(0), end=at(1)) == [(at(0), at(1))]
    assert oncall.gaps([shift(1, 30, 40)], start=at(0), end=at(24)) == [(at(0), at(24))]


def test_a_day_in_pieces_has_no_hole() -> None:
    roster = [shift(1, -4, 6), shift(2, 8, 40)]
    found = oncall.pieces(roster, start=at(0), end=at(24))
    assert [(one.starts_at, one.shift and one.shift.user) for one in found] == [
        (at(0), 1),
        (at(6), None),
        (at(8), 2),
    ]
    assert found[-1].ends_at == at(24)


def test_days_have_23_and_25_hours() -> None:
    spring = oncall.days(first=date(2030, 3, 30), count=3, zone=BERLIN)
    assert [(b - a) / timedelta(hours=1) for _day, (a, b) in spring] == [24, 23, 24]
    autumn = oncall.days(first=date(2030, 10, 27), count=1, zone=BERLIN)
    assert [(b - a) / timedelta(hours=1) for _day, (a, b) in autumn] == [25]
