"""The quick list and the slow reasons say the same, and both keep the invariants. Pure."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.domain.clock import DAY_SECONDS, Period, day_of, instant, monday_of
from scheduling.domain.closures import Closures, Part
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.policy import NAMES, UNSAID, Policy, merged
from scheduling.domain.reasons import Horizon, Why, days, why_not
from scheduling.domain.slots import Facts, Span, Taken, free_slots, windows
from tests.scheduling.schools import CHANGES

MINUTE = 60


@st.composite
def periods(draw: st.DrawFn) -> Period:
    """In minutes from the first day's midnight in UTC."""
    start = draw(st.integers(-DAY_SECONDS // 60, 4 * DAY_SECONDS // 60))
    return start * MINUTE, (start + draw(st.sampled_from([60, 45, 1, 150]))) * MINUTE


@st.composite
def lessons(draw: st.DrawFn) -> Taken:
    start, end = draw(periods())
    before, after = draw(st.sampled_from([(0, 0), (10, 0), (5, 30)]))
    seats = draw(st.sampled_from([1, 1, 3]))
    return Taken(
        period=(start, end),
        busy=(start - before * MINUTE, end + after * MINUTE),
        seats=seats,
        open_seats=draw(st.integers(0, 2)) if seats > 1 else 0,
    )


def _apart(found: list[Taken]) -> list[Taken]:
    """As the database keeps them: no two of a teacher overlap, buffers counted."""
    kept: list[Taken] = []
    for one in sorted(found, key=lambda one: one.busy):
        if not kept or kept[-1].busy[1] <= one.busy[0]:
            kept.append(one)
    return kept


windows_of_a_day = st.tuples(
    st.sampled_from([0, 60, 120, 150, 540, 600, 1320, 1410]),
    st.sampled_from([600, 300, 185, 60, 1440]),
).map(lambda pair: (pair[0] * MINUTE, (pair[0] + pair[1]) * MINUTE))


@st.composite
def rules(draw: st.DrawFn, today: int) -> Rule:
    starts, ends = draw(windows_of_a_day)
    return Rule(
        weekday=draw(st.integers(0, 6)),
        starts=starts,
        ends=ends,
        first_day=today - draw(st.sampled_from([400, 20, 1])),
        last_day=today + draw(st.sampled_from([400, 5, 1])),
        every_weeks=draw(st.sampled_from([1, 1, 2, 3])),
    )


@st.composite
def exceptions(draw: st.DrawFn, today: int) -> DayHours:
    starts, ends = draw(windows_of_a_day | st.just((0, 0)))
    return DayHours(
        day=today + draw(st.integers(-2, 5)),
        replaces=draw(st.booleans()) or starts == ends,
        starts=starts,
        ends=ends,
    )


policies = st.builds(
    Policy,
    lesson_minutes=st.sampled_from([30, 45, 60]),
    step_minutes=st.sampled_from([0, 10, 15, 50]),
    buffer_before=st.sampled_from([0, 5, 30]),
    buffer_after=st.sampled_from([0, 10, 60]),
    most_a_day=st.sampled_from([0, 0, 1, 3]),
    most_a_week=st.sampled_from([0, 0, 3, 6]),
)


@st.composite
def closures(draw: st.DrawFn, on: int) -> Closures:
    days = st.integers(-1, 5).map(lambda offset: date.fromordinal(on + offset))
    clocks = st.lists(st.integers(0, DAY_SECONDS), min_size=2, max_size=2, unique=True)
    parts = draw(st.lists(st.tuples(days, clocks), max_size=2))
    return Closures(
        closed=dict.fromkeys(draw(st.sets(days, max_size=2)), "Closed"),
        parts=[Part(day, "Half", *sorted(clock)) for day, clock in parts],
        works_like=draw(st.dictionaries(days, st.integers(0, 6), max_size=2)),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Facts, Policy, Span, int]:
    """Epoch seconds; the last is now, which is before the minimum notice's end."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    on = draw(st.sampled_from(CHANGES[zone])).toordinal() - draw(st.integers(0, 2))
    base = instant(ZoneInfo("UTC"), on, 0)

    def shifted(period: Period) -> Period:
        return base + period[0], base + period[1]

    facts = Facts(
        zone=ZoneInfo(zone),
        rules=draw(st.lists(rules(on), min_size=2, max_size=9)),
        exceptions=draw(st.lists(exceptions(on), max_size=4)),
        closures=draw(closures(on)),
        time_off=[shifted(one) for one in draw(st.lists(periods(), max_size=2))],
        teaching=[
            one._replace(period=shifted(one.period), busy=shifted(one.busy))
            for one in _apart(draw(st.lists(lessons(), max_size=12)))
        ],
        learning=[shifted(one) for one in draw(st.lists(periods(), max_size=4))],
    )
    since = base + draw(st.integers(-DAY_SECONDS, DAY_SECONDS))
    earliest = since + draw(st.sampled_from([-5, 0, 3 * 3600, 86_401]))
    span = Span(since=since, until=since + draw(st.integers(1, 5 * DAY_SECONDS)), earliest=earliest)
    return facts, draw(policies), span, earliest - draw(st.integers(0, 7200))


@settings(max_examples=400, deadline=None)
@given(question=questions())
def test_free_is_what_nothing_speaks_against(question: tuple[Facts, Policy, Span, int]) -> None:
    """Every point of the grid and every group, both ways."""
    facts, policy, span, now = question
    horizon = Horizon(now=now, earliest=span.earliest, ends=span.until)
    free = free_slots(facts, policy, span)
    groups = {one.period for one in facts.teaching if one.open_seats}
    for slot in free:
        assert why_not(facts, policy, horizon, slot) is None
    for slot in {*_grid(facts, policy, span), *groups}:
        if span.since <= slot[0] < span.until:
            assert (slot in free) == (why_not(facts, policy, horizon, slot) is None), slot


def _grid(facts: Facts, policy: Policy, span: Span) -> list[Period]:
    return [
        (begin, begin + policy.length)
        for start, end in windows(facts, since=span.since, until=span.until)
        for begin in range(start, end - policy.length + 1, policy.step)
    ]


@settings(max_examples=200, deadline=None)
@given(question=questions())
def test_each_day_holds_all_of_the_grid_free_or_with_its_reason(
    question: tuple[Facts, Policy, Span, int],
) -> None:
    facts, policy, span, now = question
    horizon = Horizon(now=now, earliest=span.earliest, ends=span.until)
    first, last = (
        date.fromordinal(day_of(facts.zone, second)) for second in (span.since, span.until)
    )
    found = days(facts, policy, horizon, first=first, last=last)
    assert [one.day for one in found] == [
        date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)
    ]
    assert all((one.why is None) == bool(one.free) for one in found)
    free = {slot for one in found for slot in one.free}
    missing = {one.period for day in found for one in day.missing}
    assert not free & missing
    assert set(free_slots(facts, policy, span)) <= free
    inside = [slot for slot in _grid(facts, policy, span) if span.since <= slot[0] < span.until]
    assert set(inside) <= free | missing
    assert all(
        one.why == why_not(facts, policy, horizon, one.period)
        for day in found
        for one in day.missing
    )


@settings(max_examples=400, deadline=None)
@given(question=questions())
def test_invariants(question: tuple[Facts, Policy, Span, int]) -> None:
    facts, policy, span, _now = question
    free = free_slots(facts, policy, span)
    opened = windows(facts, since=span.since, until=span.until)
    groups = {one.period for one in facts.teaching if one.open_seats}
    assert free == sorted(set(free))
    for start, end in free:
        assert max(span.since, span.earliest) <= start < span.until
        assert not _meet((start, end), [*facts.time_off, *facts.learning])
        assert not _on_a_closed_date(facts, start, end)
        if (start, end) in groups:
            continue
        assert end - start == policy.length
        inside = [window for window in opened if window[0] <= start and end <= window[1]]
        assert len(inside) == 1, "in one window"
        assert (start - inside[0][0]) % policy.step == 0, "on its grid"
        widened = (start - policy.buffer_before * 60, end + policy.buffer_after * 60)
        assert not _meet(widened, [one.busy for one in facts.teaching]), "both buffers kept"
        assert not _is_over_a_limit(facts, policy, start)


def _meet(period: Period, others: list[Period]) -> bool:
    return any(period[0] < end and start < period[1] for start, end in others)


def _on_a_closed_date(facts: Facts, start: int, end: int) -> bool:
    return any(_date_begun(facts, at) in facts.closures.closed for at in (start, end - 1))


def _date_begun(facts: Facts, at: int) -> date:
    """Of St. John's in 2010: a last hour that came again after midnight is the new date's."""
    hour_before = range(at - 3600, at + 1, MINUTE)
    return date.fromordinal(max(day_of(facts.zone, minute) for minute in hour_before))


def _is_over_a_limit(facts: Facts, policy: Policy, start: int) -> bool:
    there = [day_of(facts.zone, at) for at, _ in {one.period for one in facts.teaching}]
    day = day_of(facts.zone, start)
    week = [one for one in there if monday_of(one) == monday_of(day)]
    return bool(
        (policy.most_a_day and there.count(day) >= policy.most_a_day)
        or (policy.most_a_week and len(week) >= policy.most_a_week)
    )


@settings(max_examples=200, deadline=None)
@given(question=questions(), cut=st.integers(1, 5 * DAY_SECONDS))
def test_the_list_does_not_depend_on_where_it_begins(
    question: tuple[Facts, Policy, Span, int], cut: int
) -> None:
    """Else one slot would be asked about with another grid than the list was made with."""
    facts, policy, span, _now = question
    middle = min(span.since + cut, span.until)
    halves = [(span.since, middle), (middle, span.until)]
    parts = [
        free_slots(facts, policy, Span(since=first, until=last, earliest=span.earliest))
        for first, last in halves
    ]
    every = free_slots(facts, policy, span)
    assert [*parts[0], *parts[1]] == every
    for start, end in every[:20]:
        alone = Span(since=start, until=start + 1, earliest=span.earliest)
        assert free_slots(facts, policy, alone) == [(start, end)]


NIGHT = (22 * 3600, 34 * 3600)  # until 10:00 of the next day


def test_nights_that_overlap_have_each_their_own_grid() -> None:
    """As one window their grid would begin in the first night, which nobody asks about for ever."""
    zone, monday = ZoneInfo("UTC"), date(2026, 1, 12).toordinal()
    rules = [Rule(weekday=day, starts=9 * 3600, ends=23 * 3600) for day in range(7)]
    nights = [
        DayHours(day=monday + day, replaces=False, starts=NIGHT[0], ends=NIGHT[1])
        for day in range(7)
    ]
    facts, policy = Facts(zone=zone, rules=rules, exceptions=nights), Policy(lesson_minutes=50)
    begin = instant(zone, monday, 0)
    week = free_slots(facts, policy, Span(since=begin, until=begin + 7 * DAY_SECONDS, earliest=0))
    assert week
    for start, end in week:
        alone = Span(since=start, until=start + 1, earliest=0)
        assert free_slots(facts, policy, alone) == [(start, end)]


def test_a_night_over_the_day_that_samoa_left_out_is_cut_by_the_one_before() -> None:
    """29 December, 22:00, to the 30th, 06:00, which was the 31st; its grid begins at 23:00."""
    zone, day = ZoneInfo("Pacific/Apia"), date(2011, 12, 29).toordinal()
    nights = [
        DayHours(day=day - 1, replaces=True, starts=23 * 3600, ends=47 * 3600),
        DayHours(day=day, replaces=True, starts=22 * 3600, ends=30 * 3600),
    ]
    facts, policy = Facts(zone=zone, exceptions=nights), Policy(lesson_minutes=50)
    since, until = instant(zone, day, 0), instant(zone, day + 3, 0)
    found = free_slots(facts, policy, Span(since=since, until=until, earliest=0))
    after_midnight = [slot for slot in found if slot[0] >= instant(zone, day + 2, 0)]
    assert after_midnight
    for start, end in found:
        alone = Span(since=start, until=start + 1, earliest=0)
        assert free_slots(facts, policy, alone) == [(start, end)]


# ------------------------------------------------------------------ why


def _why(slot: Period, policy: Policy, **facts: object) -> Why | None:
    """On a Monday with hours from 9 to 12, a lesson of an hour; hours of that day."""
    zone, monday = ZoneInfo("UTC"), date(2026, 1, 12).toordinal()
    begin = instant(zone, monday, 0)
    rule = Rule(weekday=0, starts=9 * 3600, ends=12 * 3600)
    known = Facts(zone=zone, rules=[rule], **facts)  # type: ignore[arg-type]
    horizon = Horizon(now=begin + 9 * 3600, earliest=begin + 10 * 3600, ends=begin + DAY_SECONDS)
    return why_not(known, policy, horizon, (begin + slot[0] * 3600, begin + slot[1] * 3600))


MONDAY_BEGINS = instant(ZoneInfo("UTC"), date(2026, 1, 12).toordinal(), 0)


def _hours(first: float, last: float) -> Period:
    return MONDAY_BEGINS + int(first * 3600), MONDAY_BEGINS + int(last * 3600)


@pytest.mark.parametrize(
    ("hour", "policy", "facts", "why"),
    [
        (10, {}, {}, None),
        (9, {}, {}, Why.NOTICE),
        (12, {}, {}, Why.NO_HOURS),
        (10, {}, {"closures": Closures(closed={date(2026, 1, 12): ""})}, Why.CLOSED),
        (10, {}, {"time_off": [_hours(10.5, 10.6)]}, Why.TIME_OFF),
        (10, {}, {"learning": [_hours(10.5, 12)]}, Why.OWN_LESSON),
        (10, {}, {"teaching": [Taken(_hours(10.5, 12), _hours(10.5, 12))]}, Why.LESSON),
        (10, {}, {"teaching": [Taken(_hours(11, 12), _hours(10.9, 12))]}, Why.BUFFER),
        (
            10,
            {"buffer_after": 1},
            {"teaching": [Taken(_hours(11, 12), _hours(11, 12))]},
            Why.BUFFER,
        ),
        (
            10,
            {},
            # The lesson before the buffer, whichever is listed first.
            {
                "teaching": [
                    Taken(_hours(11, 12), _hours(10.9, 12)),
                    Taken(_hours(9, 10.5), _hours(9, 10.5)),
                ]
            },
            Why.LESSON,
        ),
        (10, {}, {"teaching": [Taken(_hours(10, 11), _hours(10, 11), 3, 0)]}, Why.FULL),
        (10, {}, {"teaching": [Taken(_hours(10, 11), _hours(10, 11), 3, 1)]}, None),
        (
            10,
            {},
            {
                "teaching": [Taken(_hours(10, 11), _hours(10, 11), 3, 0)],
                "learning": [_hours(10, 11)],
            },
            Why.OWN_LESSON,
        ),
        (
            10,
            {"most_a_day": 1},
            {"teaching": [Taken(_hours(20, 21), _hours(20, 21))]},
            Why.DAY_LIMIT,
        ),
        (
            10,
            {"most_a_week": 1},
            {"teaching": [Taken(_hours(50, 51), _hours(50, 51))]},
            Why.WEEK_LIMIT,
        ),
    ],
)
def test_the_first_reason_that_counts(
    hour: int, policy: dict[str, int], facts: dict[str, object], why: Why | None
) -> None:
    asked = Policy(lesson_minutes=60, **policy)
    assert _why((hour, hour + 1), asked, **facts) == why


# ------------------------------------------------------------------ policies


rows = st.lists(st.tuples(*[st.sampled_from([UNSAID, 0, 1, 30, 90]) for _ in NAMES]), max_size=4)


@given(rows)
def test_the_nearest_that_says_a_line_wins_it(farthest_first: list[tuple[int, ...]]) -> None:
    base = Policy(lesson_minutes=45)
    found = merged(base, farthest_first)
    for number, name in enumerate(NAMES):
        said = [row[number] for row in reversed(farthest_first) if row[number] != UNSAID]
        assert getattr(found, name) == (said[0] if said else getattr(base, name))
