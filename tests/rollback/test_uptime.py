from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.domain import uptime
from rollback.domain.uptime import ALWAYS_THERE, Away, Change, Day, History, Stretch, day_of

ON = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)
MINUTE = timedelta(minutes=1)
minutes = st.integers(0, 99)


def at(minute: float) -> datetime:
    return MIDNIGHT + minute * MINUTE


def day(
    *,
    watched: list[Stretch],
    failed: list[Stretch] | None = None,
    away: Away = ALWAYS_THERE,
    ends_at: datetime = NEXT,
) -> Day:
    return day_of(
        on=ON,
        begins_at=MIDNIGHT,
        ends_at=ends_at,
        watched=watched,
        failed=failed or [],
        away=away,
    )


def each(*numbers: int) -> list[Stretch]:
    return [Stretch(at(number)) for number in numbers]


def test_a_day_without_samples_has_no_share() -> None:
    found = day(watched=[])
    assert (found.share, found.look) == (None, "none")


def test_a_failed_minute_is_down() -> None:
    found = day(watched=each(*range(200)), failed=each(7))
    assert (found.known_minutes, found.down_minutes, found.share) == (200, 1, 0.995)
    assert found.look == "short"


def test_what_was_taken_away_for_everybody_is_down_also_where_nobody_measured() -> None:
    away = Away(MIDNIGHT, [(at(60), at(90))])
    found = day(watched=each(*range(70)), away=away)
    assert (found.known_minutes, found.down_minutes) == (90, 30)
    assert found.look == "long"


def test_a_failed_minute_while_it_was_away_counts_once() -> None:
    away = Away(MIDNIGHT, [(at(10), at(12))])
    found = day(watched=each(*range(20)), failed=each(10, 11, 12), away=away)
    assert (found.known_minutes, found.down_minutes) == (20, 3)


def test_what_is_away_still_is_down_until_now_and_not_until_midnight() -> None:
    away = Away(MIDNIGHT, [(at(100), None)])
    assert day(watched=[], away=away, ends_at=at(130.5)).down_minutes == 30


def test_before_anybody_had_it_nothing_is_known() -> None:
    assert day(watched=each(*range(60)), away=Away(at(50))).known_minutes == 10
    assert day(watched=each(*range(60)), away=Away(None)).known_minutes == 0


def test_an_hour_of_which_no_more_is_known_is_sixty_minutes() -> None:
    hour = [Stretch(at(0), 3600), Stretch(at(60), 3600)]
    found = day(watched=hour, failed=hour[:1])
    assert (found.known_minutes, found.down_minutes) == (120, 60)


def test_an_hour_across_midnight_is_shared_out() -> None:
    """As in a zone that is half an hour off."""
    zone = ZoneInfo("Asia/Kolkata")
    limits = {
        on: (
            datetime(on.year, on.month, on.day, tzinfo=zone),
            datetime(on.year, on.month, on.day + 1, tzinfo=zone),
        )
        for on in (date(2026, 3, 10), date(2026, 3, 11))
    }
    hour = Stretch(datetime(2026, 3, 10, 18, tzinfo=UTC), 3600)
    found = uptime.by_day([hour], days=limits)
    assert [len(found[on]) for on in limits] == [1, 1]
    known = [
        day_of(on=on, begins_at=b, ends_at=e, watched=found[on], failed=[], away=ALWAYS_THERE)
        for on, (b, e) in limits.items()
    ]
    assert [one.known_minutes for one in known] == [30, 30]


def test_the_day_on_which_clocks_change_has_its_own_length() -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin, end = datetime(2026, 3, 29, tzinfo=zone), datetime(2026, 3, 30, tzinfo=zone)
    everything = [Stretch(begin - timedelta(hours=1), 3600 * 30)]
    found = day_of(
        on=begin.date(),
        begins_at=begin,
        ends_at=end,
        watched=everything,
        failed=[],
        away=ALWAYS_THERE,
    )
    assert found.known_minutes == 23 * 60


@pytest.mark.parametrize(
    ("total", "bad", "is_bad"), [(20, 1, False), (20, 2, True), (1, 1, True), (0, 0, False)]
)
def test_more_than_one_in_twenty(total: int, bad: int, is_bad: bool) -> None:
    assert uptime.is_bad(total=total, bad=bad) is is_bad


def test_the_share_of_many_days_is_of_their_minutes() -> None:
    days = [Day(on=ON, known_minutes=100, down_minutes=50), Day(on=ON, known_minutes=900)]
    assert uptime.share_of([*days, Day(on=ON)]) == 0.95
    assert uptime.share_of([]) is None


some = st.sets(minutes, max_size=12)


@given(watched=some, failed=some, gone=st.lists(minutes, max_size=6))
def test_counted_one_minute_after_the_other_it_is_the_same(
    watched: set[int], failed: set[int], gone: list[int]
) -> None:
    edges = sorted(set(gone))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    away = Away(MIDNIGHT, [(at(left), at(back)) for left, back in pairs])
    found = day(watched=each(*watched), failed=each(*failed), away=away)
    is_gone = {n for n in range(100) if any(left <= n < back for left, back in pairs)}
    known = [n for n in range(100) if n in watched or n in is_gone]
    down = [n for n in known if n in is_gone or n in failed]
    assert (found.known_minutes, found.down_minutes) == (len(known), len(down))
    assert found.share is None or 0 <= found.share <= 1


switches = st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=8)


@given(flags=st.lists(st.tuples(st.booleans(), switches), min_size=1, max_size=3))
def test_it_is_away_while_it_or_a_master_reaches_nobody(
    flags: list[tuple[bool, list[tuple[int, bool]]]],
) -> None:
    histories = [
        History(first, [Change(at(n), now) for n, now in sorted(changes, key=lambda one: one[0])])
        for first, changes in flags
    ]

    def is_there(moment: datetime) -> bool:
        states = []
        for history in histories:
            before = [change.reaches for change in history.changes if change.at <= moment]
            states.append(before[-1] if before else history.reached)
        return all(states)

    found = uptime.away(histories)
    had = False
    for number in range(32):
        moment = at(number)
        had = had or is_there(moment)
        is_gone = any(
            left <= moment and (back is None or moment < back) for left, back in found.periods
        )
        assert is_gone == (had and not is_there(moment))
        assert (found.since is not None and found.since <= moment) == had
