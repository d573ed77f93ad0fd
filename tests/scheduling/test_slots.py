"""Free slots, against a brute force that walks the teacher's clock minute by minute."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.clock import DAY_SECONDS, Period, instant
from scheduling.domain.closures import Closures
from scheduling.domain.hours import Rule, first_overlap, overlap
from scheduling.domain.policy import Policy
from scheduling.domain.slots import Facts, Span, free_slots, nearest

# Whole, half and quarter hours, both hemispheres, changes of 30 minutes, at midnight, and none.
ZONES = (
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/Havana",
    "Africa/Cairo",
    "Pacific/Auckland",
)


def epoch(*parts: int, zone: str = "UTC") -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp())  # type: ignore[arg-type, misc]


def slots(
    *rules: Rule,
    zone: str = "Europe/Berlin",
    day: date,
    days: int = 1,
    minutes: int = 60,
    busy: list[Period] | None = None,
    closed: frozenset[date] = frozenset(),
    now: int = 0,
) -> list[Period]:
    midnight = instant(ZoneInfo(zone), day.toordinal(), 0)
    end = instant(ZoneInfo(zone), day.toordinal() + days, 0)
    facts = Facts(
        zone=ZoneInfo(zone),
        rules=rules,
        learning=busy or [],
        closures=Closures(closed=dict.fromkeys(closed, "Closed")),
    )
    span = Span(since=midnight, until=end, earliest=now)
    return free_slots(facts, Policy(lesson_minutes=minutes), span)


def local(periods: list[Period], zone: str = "Europe/Berlin") -> list[str]:
    return [f"{datetime.fromtimestamp(start, ZoneInfo(zone)):%H:%M%z}" for start, _end in periods]


def hours(weekday: int, starts: float, ends: float, **validity: int) -> Rule:
    return Rule(weekday=weekday, starts=int(starts * 3600), ends=int(ends * 3600), **validity)


MONDAY = date(2026, 1, 12)
SPRING = date(2026, 3, 29)  # Berlin: 02:00 becomes 03:00, a Sunday
AUTUMN = date(2026, 10, 25)  # Berlin: 03:00 becomes 02:00, a Sunday


def test_grid_begins_at_the_window_and_the_rest_is_left_out() -> None:
    found = slots(hours(0, 9.25, 12), day=MONDAY, minutes=60)
    assert local(found) == ["09:15+0100", "10:15+0100"]


def test_a_lesson_takes_every_slot_it_touches_and_moves_no_grid() -> None:
    begin = epoch(2026, 1, 12, 10, 30, zone="Europe/Berlin")
    found = slots(hours(0, 9, 13), day=MONDAY, busy=[(begin, begin + 3600)])
    assert local(found) == ["09:00+0100", "12:00+0100"]


def test_a_lesson_that_only_meets_a_slot_is_no_obstacle() -> None:
    ten = epoch(2026, 1, 12, 10, zone="Europe/Berlin")
    found = slots(hours(0, 9, 12), day=MONDAY, busy=[(ten, ten + 3600)])
    assert local(found) == ["09:00+0100", "11:00+0100"]


def test_busy_times_that_lie_in_one_another() -> None:
    nine = epoch(2026, 1, 12, 9, zone="Europe/Berlin")
    long, short = (nine, nine + 3 * 3600), (nine + 60, nine + 120)
    assert local(slots(hours(0, 9, 13), day=MONDAY, busy=[short, long])) == ["12:00+0100"]


def test_a_slot_that_has_begun_is_gone() -> None:
    now = epoch(2026, 1, 12, 10, zone="Europe/Berlin")
    assert local(slots(hours(0, 9, 12), day=MONDAY, now=now)) == ["10:00+0100", "11:00+0100"]
    assert local(slots(hours(0, 9, 12), day=MONDAY, now=now + 1)) == ["11:00+0100"]


def test_midnight_ends_the_day_and_touching_windows_keep_their_grids() -> None:
    found = slots(hours(0, 22.5, 24), hours(1, 0, 1), day=MONDAY, days=2)
    assert local(found) == ["22:30+0100", "00:00+0100"]


def test_a_closed_day_and_validity_are_the_teachers_dates() -> None:
    rule = hours(0, 9, 10)
    assert slots(rule, day=MONDAY, days=14, closed=frozenset({MONDAY})) == slots(
        rule, day=MONDAY + timedelta(days=7)
    )
    last = hours(0, 9, 10, last_day=MONDAY.toordinal())
    first = hours(0, 9, 10, first_day=MONDAY.toordinal() + 1)
    assert slots(last, day=MONDAY, days=14) == slots(rule, day=MONDAY)
    assert slots(first, day=MONDAY, days=14) == slots(rule, day=MONDAY + timedelta(days=7))


def test_spring_a_window_in_the_gap_moves_forward_and_the_day_has_23_hours() -> None:
    assert local(slots(hours(6, 2, 3), day=SPRING)) == []
    assert local(slots(hours(6, 2.5, 4), day=SPRING, minutes=30)) == ["03:30+0200"]
    assert len(slots(hours(6, 0, 24), day=SPRING)) == 23


def test_autumn_the_first_of_the_repeated_hour_and_the_day_has_25_hours() -> None:
    assert local(slots(hours(6, 2, 3), day=AUTUMN)) == ["02:00+0200", "02:00+0100"]
    assert local(slots(hours(6, 2, 2.5), day=AUTUMN, minutes=30)) == ["02:00+0200"]
    assert local(slots(hours(6, 2.5, 3), day=AUTUMN, minutes=30)) == [
        "02:30+0200",
        "02:00+0100",
        "02:30+0100",
    ]
    assert len(slots(hours(6, 0, 24), day=AUTUMN)) == 25


def test_windows_pushed_together_by_the_gap_offer_nothing_twice() -> None:
    found = slots(hours(6, 2, 2.75), hours(6, 3, 4), day=SPRING, minutes=15)
    assert found == sorted(set(found))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Havana", date(2026, 3, 8), 23),  # 00:00 becomes 01:00
        ("Asia/Kathmandu", date(2026, 4, 5), 24),
    ],
)
def test_days_of_odd_length(zone: str, day: date, length: float) -> None:
    whole = hours(day.weekday(), 0, 24)
    assert len(slots(whole, zone=zone, day=day, minutes=30)) == length * 2


def test_samoa_skipped_a_day() -> None:
    friday = date(2011, 12, 30)
    found = slots(
        hours(4, 10, 11), hours(5, 10, 11), zone="Pacific/Apia", day=friday - timedelta(1), days=4
    )
    assert found == sorted(set(found))
    assert len(found) == 1
    pushed = slots(hours(4, 10, 11), zone="Pacific/Apia", day=friday + timedelta(1))
    assert pushed == found


def test_nearest_in_order_of_time() -> None:
    offered = [(start, start + 1) for start in (0, 10, 20, 30, 40)]
    assert nearest(offered, wanted=21, count=3) == [(10, 11), (20, 21), (30, 31)]
    assert nearest([], wanted=21, count=3) == []


# ------------------------------------------------------------------ properties

days = st.integers(date(2026, 1, 1).toordinal(), date(2027, 12, 31).toordinal())


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Rule]:
    """Windows that do not overlap, as the database keeps them; on the quarter of an hour."""
    found: list[Rule] = []
    for _ in range(draw(st.integers(1, 5))):
        starts = draw(st.integers(0, 95))
        ends = draw(st.integers(starts + 1, 96))
        rule = Rule(weekday=draw(st.integers(0, 6)), starts=starts * 900, ends=ends * 900)
        if first_overlap(rule, enumerate(found)) is None:
            found.append(rule)
    return found


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and a day on or near one of its changes of the clock, if it has any."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(days)
    here = ZoneInfo(zone)
    for ahead in range(day, day + 220):
        if instant(here, ahead + 1, 0) - instant(here, ahead, 0) != DAY_SECONDS:
            return zone, ahead - draw(st.integers(0, 2))
    return zone, day


busy_sets = st.lists(
    st.tuples(st.integers(-300, 4_500), st.integers(1, 240)).map(
        lambda pair: (pair[0] * 60, (pair[0] + pair[1]) * 60)
    ),
    max_size=12,
)


def walked(rules: list[Rule], zone: ZoneInfo, first: int, last: int) -> dict[int, tuple[date, int]]:
    """Every open minute → (local date, epoch of its window's first minute), walking real time.

    Written the other way round than the code: from instants to wall clocks, never back.
    """
    opened: dict[int, tuple[date, int]] = {}
    for rule in rules:
        for day in range(first, last + 1):
            if (day - 1) % 7 != rule.weekday:
                continue
            begin, end = passed(zone, day, rule.starts), passed(zone, day, rule.ends)
            for minute in range(begin, end, 60):
                opened[minute] = (date.fromordinal(day), begin)
    return opened


def passed(zone: ZoneInfo, day: int, seconds: int) -> int:
    """When a clock on the wall that is put forward and back first shows a time, or jumps over it.

    RFC 5545 § 3.3.5 for a time in the gap: as far behind the jump as it was meant to be behind it.
    """
    wanted = datetime.fromordinal(day) + timedelta(seconds=seconds)
    at = int(wanted.replace(tzinfo=UTC).timestamp()) - 16 * 3600
    before = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    while True:
        shown = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
        if shown == wanted:
            return at
        if before < wanted < shown:
            jumped = before + timedelta(minutes=1)
            return at + int((wanted - jumped).total_seconds())
        before, at = shown, at + 60


@settings(max_examples=120, deadline=None)
@given(
    rules=rule_sets(), where=changes(), busy=busy_sets, minutes=st.sampled_from([15, 30, 45, 60])
)
def test_against_a_clock_that_is_watched_minute_by_minute(
    rules: list[Rule], where: tuple[str, int], busy: list[Period], minutes: int
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    since = int(datetime.fromordinal(day).replace(tzinfo=UTC).timestamp())
    until, step = since + 3 * DAY_SECONDS, minutes * 60
    busy = [(since + start, since + end) for start, end in busy]
    found = free_slots(
        Facts(zone=zone, rules=rules, learning=busy),
        Policy(lesson_minutes=minutes),
        Span(since=since, until=until, earliest=0),
    )
    opened = walked(rules, zone, day - 2, day + 4)
    taken = {minute for start, end in busy for minute in range(start, end, 60)}
    for start, end in found:
        assert since <= start < until
        assert end - start == step
        assert all(minute in opened for minute in range(start, end, 60)), "outside the hours"
        assert not taken & set(range(start, end, 60)), "touches a lesson"
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(found))
    if not any_pushed(opened):
        assert [start for start, _end in found] == by_hand(opened, taken, step, since, until)


def any_pushed(opened: dict[int, tuple[date, int]]) -> bool:
    """Whether the gap pushed one window into another: then two windows' minutes interleave."""
    windows = sorted({begin for _day, begin in opened.values()})
    ends = {begin: max(at for at, (_, own) in opened.items() if own == begin) for begin in windows}
    return any(ends[one] >= other for one, other in itertools.pairwise(windows)) or len(
        {(day, begin) for day, begin in opened.values()}
    ) != len(windows)


def by_hand(
    opened: dict[int, tuple[date, int]], taken: set[int], step: int, since: int, until: int
) -> list[int]:
    return [
        minute
        for minute, (_day, begin) in sorted(opened.items())
        if since <= minute < until
        and (minute - begin) % step == 0
        and all(
            opened.get(inside, (None, None))[1] == begin and inside not in taken
            for inside in range(minute, minute + step, 60)
        )
    ]


@settings(max_examples=100, deadline=None)
@given(rules=rule_sets(), where=changes(), cut=st.integers(1, 5 * DAY_SECONDS))
def test_one_slot_is_offered_exactly_when_the_list_has_it(
    rules: list[Rule], where: tuple[str, int], cut: int
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    since = instant(zone, day, 0)

    def ask(first: int, last: int) -> list[Period]:
        return free_slots(
            Facts(zone=zone, rules=rules),
            Policy(lesson_minutes=45),
            Span(since=first, until=last, earliest=0),
        )

    every = ask(since, since + 6 * DAY_SECONDS)
    for slot in every:
        assert ask(slot[0], slot[0] + 1) == [slot]
    assert ask(since, since + cut) + ask(since + cut, since + 6 * DAY_SECONDS) == every


@given(zone=st.sampled_from(ZONES), day=days, quarter=st.integers(0, 96))
def test_an_instant_shows_its_wall_clock_unless_it_lies_in_a_gap(
    zone: str, day: int, quarter: int
) -> None:
    at = instant(ZoneInfo(zone), day, quarter * 900)
    shown = datetime.fromtimestamp(at, ZoneInfo(zone))
    wanted = datetime.fromordinal(day) + timedelta(seconds=quarter * 900)
    moved = shown.replace(tzinfo=None) - wanted
    assert shown.fold == 0
    assert moved in (timedelta(0), timedelta(minutes=30), timedelta(hours=1))


HOUR = 3600
any_rule = st.builds(
    lambda weekday, starts, lasts, first, stays, every: Rule(
        weekday=weekday,
        starts=starts * HOUR,
        ends=(starts + lasts) * HOUR,
        first_day=first,
        last_day=first + stays,
        every_weeks=every,
    ),
    st.integers(0, 6),
    st.integers(0, 23),
    st.integers(1, 24),
    st.integers(1, 30),
    st.sampled_from([0, 3, 10, 40, 200]),
    st.integers(1, 4),
)


@settings(max_examples=500)
@given(any_rule, any_rule)
def test_overlap_is_a_shared_hour_of_some_day(one: Rule, other: Rule) -> None:
    """Counted day by day: past midnight, past the end of the week, and every n weeks."""

    def covered(rule: Rule) -> set[int]:
        """Day 1 was a Monday, so the day's weekday and week are plain arithmetic."""
        return {
            (day * DAY_SECONDS + second) // HOUR
            for day in range(rule.first_day, rule.last_day + 1)
            if (day - 1) % 7 == rule.weekday
            and ((day - 1) // 7 - (rule.first_day - 1) // 7) % rule.every_weeks == 0
            for second in range(rule.starts, rule.ends, HOUR)
        }

    assert overlap(one, other) == bool(covered(one) & covered(other))
    assert overlap(one, other) == overlap(other, one)
