"""Facts of the IANA time zone database, written down by hand: wall clocks, and the instants they are.

A wall clock of a repeated hour is its first, one in a gap lies as far behind it as it was meant to
(RFC 5545 § 3.3.5). Each holds for the clock itself, and for hours that were saved in PostgreSQL,
asked for through the availability function.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from enrollment.models import Course
from scheduling.domain.clock import day_period, instant
from scheduling.models import AvailabilityException
from scheduling.queries.availability import free_slots, moment
from tests.conftest import make_teacher

# zone, date, wall clock, instant in UTC
INSTANTS = [
    # An hour is left out, and comes again.
    ("Europe/Berlin", "2026-03-29", "01:30", "2026-03-29 00:30"),
    ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29 01:30"),
    ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-10-25", "01:59", "2026-10-24 23:59"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 00:30"),
    ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25 02:00"),
    ("America/New_York", "2026-03-08", "02:30", "2026-03-08 07:30"),
    ("America/New_York", "2026-11-01", "01:30", "2026-11-01 05:30"),
    ("America/Vancouver", "2024-03-10", "02:30", "2024-03-10 10:30"),
    ("America/Vancouver", "2024-11-03", "01:30", "2024-11-03 08:30"),
    ("Pacific/Auckland", "2026-09-27", "02:30", "2026-09-26 14:30"),
    ("Pacific/Auckland", "2026-04-05", "02:30", "2026-04-04 13:30"),
    # Half an hour, and two hours.
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04 14:45"),
    ("Australia/Lord_Howe", "2026-04-05", "02:00", "2026-04-04 15:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03 15:45"),
    ("Antarctica/Troll", "2026-03-29", "02:00", "2026-03-29 02:00"),
    ("Antarctica/Troll", "2026-10-25", "02:30", "2026-10-25 00:30"),
    # Zones of half and quarter hours.
    ("Asia/Kolkata", "2026-07-01", "10:00", "2026-07-01 04:30"),
    ("Asia/Kathmandu", "2026-07-01", "10:00", "2026-07-01 04:15"),
    ("America/St_Johns", "2026-03-08", "02:30", "2026-03-08 06:00"),
    ("America/St_Johns", "2026-11-01", "01:30", "2026-11-01 04:00"),
    ("Australia/Adelaide", "2026-04-05", "02:30", "2026-04-04 16:00"),
    ("Pacific/Chatham", "2026-04-05", "03:00", "2026-04-04 13:15"),
    # At midnight: the date begins at 01:00, or has two hours from 00:00 on, or 23:00 comes again.
    ("America/Havana", "2024-03-10", "00:00", "2024-03-10 05:00"),
    ("America/Havana", "2024-03-10", "00:30", "2024-03-10 05:30"),
    ("America/Havana", "2024-11-03", "00:30", "2024-11-03 04:30"),
    ("Asia/Beirut", "2024-03-31", "00:30", "2024-03-30 22:30"),
    ("Asia/Beirut", "2024-10-26", "23:30", "2024-10-26 20:30"),
    ("Asia/Beirut", "2024-10-27", "00:00", "2024-10-26 22:00"),
    ("America/Asuncion", "2023-10-01", "00:30", "2023-10-01 04:30"),
    ("America/Asuncion", "2024-03-23", "23:30", "2024-03-24 02:30"),
    ("America/Asuncion", "2024-03-24", "00:00", "2024-03-24 04:00"),
    ("Africa/Cairo", "2025-04-25", "00:30", "2025-04-24 22:30"),
    ("Africa/Cairo", "2025-10-30", "23:30", "2025-10-30 20:30"),
    # Just after midnight: 00:01 became 23:01 of the day before.
    ("America/St_Johns", "2010-11-06", "23:30", "2010-11-07 02:00"),
    ("America/St_Johns", "2010-11-07", "00:00", "2010-11-07 02:30"),
    ("America/St_Johns", "2010-11-07", "00:30", "2010-11-07 04:00"),
    # The clock goes back for a month in spring.
    ("Africa/Casablanca", "2024-03-10", "02:30", "2024-03-10 01:30"),
    ("Africa/Casablanca", "2024-04-14", "02:30", "2024-04-14 02:30"),
    # A date that was left out is pushed into the next.
    ("Pacific/Apia", "2011-12-29", "23:00", "2011-12-30 09:00"),
    ("Pacific/Apia", "2011-12-30", "10:00", "2011-12-30 20:00"),
    ("Pacific/Apia", "2011-12-31", "10:00", "2011-12-30 20:00"),
]

# zone, date, from, to, real hours
WINDOWS = [
    ("Europe/Berlin", "2026-03-29", "02:00", "03:00", 0),
    ("Europe/Berlin", "2026-03-29", "01:00", "03:00", 1),
    ("Europe/Berlin", "2026-03-29", "01:30", "03:30", 1),
    ("Europe/Berlin", "2026-03-29", "02:30", "03:30", 0),
    ("Europe/Berlin", "2026-10-25", "02:00", "03:00", 2),
    ("Europe/Berlin", "2026-10-25", "01:00", "03:00", 3),
    ("Europe/Berlin", "2026-10-25", "02:00", "02:30", 0.5),
    ("Europe/Berlin", "2026-10-25", "02:30", "03:00", 1.5),
    ("Australia/Lord_Howe", "2026-04-05", "01:30", "02:00", 1),
    ("Australia/Lord_Howe", "2026-10-04", "02:00", "02:30", 0),
    ("Australia/Lord_Howe", "2026-10-04", "01:30", "02:30", 0.5),
    ("Antarctica/Troll", "2026-03-29", "01:00", "03:00", 0),
    ("Antarctica/Troll", "2026-10-25", "01:00", "03:00", 4),
    ("America/Havana", "2024-03-10", "00:00", "01:00", 0),
    ("America/Havana", "2024-11-03", "00:00", "01:00", 2),
    ("Asia/Beirut", "2024-10-26", "23:00", "00:00", 2),
    ("America/Asuncion", "2024-03-23", "22:00", "00:00", 3),
]

# zone, date, its real hours
DAYS = [
    ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25),
    ("Europe/Berlin", "2026-10-26", 24),
    ("Asia/Kolkata", "2026-10-25", 24),
    ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ("Australia/Lord_Howe", "2026-10-04", 23.5),
    ("Antarctica/Troll", "2026-03-29", 22),
    ("Antarctica/Troll", "2026-10-25", 26),
    ("America/Havana", "2024-03-10", 23),
    ("America/Havana", "2024-11-03", 25),
    ("Asia/Beirut", "2024-03-31", 23),
    ("Asia/Beirut", "2024-10-26", 25),
    ("Asia/Beirut", "2024-10-27", 24),
    ("America/Asuncion", "2024-03-23", 25),
    ("Africa/Cairo", "2025-04-25", 23),
    ("Pacific/Apia", "2011-12-30", 0),
    ("Pacific/Apia", "2011-12-31", 24),
]

Fact = tuple[str, str, str, str]


def _seconds(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "day", "clock", "expected"), INSTANTS)
def test_a_wall_clock_is_an_instant(zone: str, day: str, clock: str, expected: str) -> None:
    ordinal = date.fromisoformat(day).toordinal()
    assert moment(instant(ZoneInfo(zone), ordinal, _seconds(clock))) == _utc(expected)


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_a_day_has_its_hours(zone: str, day: str, hours: float) -> None:
    start, end = day_period(ZoneInfo(zone), date.fromisoformat(day).toordinal())
    assert (end - start) / 3600 == hours


@pytest.fixture
def lute(db: None) -> Course:
    return Course.objects.create(title="Lute", slug="lute", lesson_minutes=5)


def _starts(lute: Course, *, zone: str, day: str, starts: time, ends: time) -> list[datetime]:
    """Of lessons of five minutes, on a date that has these hours."""
    on = date.fromisoformat(day)
    teacher = make_teacher(zone=zone)
    AvailabilityException.objects.create(teacher=teacher, day_on=on, starts=starts, ends=ends)
    now = datetime.combine(on, time(0), UTC) - timedelta(days=3)
    found = free_slots(teacher=teacher, course=lute, now=now, until=now + timedelta(days=6))
    return [moment(start) for start, _end in found]


@pytest.mark.parametrize(("zone", "day", "clock", "expected"), INSTANTS)
def test_hours_begin_then(lute: Course, zone: str, day: str, clock: str, expected: str) -> None:
    # Until the end of the date: what begins in a gap would else end before it begins.
    starts = time.fromisoformat(clock)
    found = _starts(lute, zone=zone, day=day, starts=starts, ends=time(0))
    if (zone, day) == ("Pacific/Apia", "2011-12-30"):
        assert found == []  # The whole date was over before it began.
    else:
        assert found[0] == _utc(expected)


@pytest.mark.parametrize(("zone", "day", "starts", "ends", "hours"), WINDOWS)
def test_hours_last_so_long(
    lute: Course, zone: str, day: str, starts: str, ends: str, hours: float
) -> None:
    window = {"starts": time.fromisoformat(starts), "ends": time.fromisoformat(ends)}
    found = _starts(lute, zone=zone, day=day, **window)
    assert len(found) * 5 / 60 == hours


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_whole_days_are_as_long_as_they_are(
    lute: Course, zone: str, day: str, hours: float
) -> None:
    found = _starts(lute, zone=zone, day=day, starts=time(0), ends=time(0))
    assert len(found) * 5 / 60 == hours
