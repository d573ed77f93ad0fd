"""Whether a lesson stands inside its teacher's hours: against a brute force, and for many at once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Course, Lesson, Student, Teacher, User
from scheduling import sockets
from scheduling.domain.clock import day_of, instant
from scheduling.domain.closures import Closures
from scheduling.domain.hours import DayHours, Rule
from scheduling.domain.reasons import Why
from scheduling.domain.slots import Facts
from scheduling.domain.standing import why_outside
from scheduling.models import AvailabilityException, AvailabilityRule, TimeOff
from scheduling.queries.standing import lessons_outside
from tests.scheduling.conftest import everybody_closed

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
# A Monday.
MONDAY = date(2026, 3, 23)
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)


def at(day: date, hour: float, *, zone: ZoneInfo = BERLIN) -> int:
    return instant(zone, day.toordinal(), int(hour * HOUR))


def rule(weekday: int, starts: float, ends: float, **fields: int) -> Rule:
    return Rule(weekday=weekday, starts=int(starts * HOUR), ends=int(ends * HOUR), **fields)


@pytest.mark.parametrize(
    ("starts", "ends", "why"),
    [
        (16, 16.75, None),
        (17.25, 18, None),
        (17.5, 18.25, Why.NO_HOURS),
        (15.75, 16.5, Why.NO_HOURS),
        (10, 11, Why.NO_HOURS),
        # Hours that touch are one for a lesson, though two for the grid.
        (17.75, 18.5, Why.NO_HOURS),
    ],
)
def test_a_lesson_stands_wholly_in_the_hours(starts: float, ends: float, why: Why | None) -> None:
    facts = Facts(zone=BERLIN, rules=[rule(0, 16, 18)])
    assert why_outside(facts, (at(MONDAY, starts), at(MONDAY, ends))) == why


def test_hours_that_touch_are_one() -> None:
    facts = Facts(
        zone=BERLIN, rules=[rule(0, 16, 17), rule(0, 17, 18), rule(0, 22, 24), rule(1, 0, 2)]
    )
    assert why_outside(facts, (at(MONDAY, 16.5), at(MONDAY, 17.5))) is None
    assert why_outside(facts, (at(MONDAY, 23.5), at(MONDAY, 24.5))) is None


def test_the_first_reason_counts() -> None:
    period = at(MONDAY, 16), at(MONDAY, 17)
    facts = Facts(zone=BERLIN, rules=[rule(0, 16, 18)], time_off=[period])
    assert why_outside(facts, period) == Why.TIME_OFF
    closed = Facts(zone=BERLIN, closures=Closures(closed={MONDAY: "Easter"}), time_off=[period])
    assert why_outside(closed, period) == Why.CLOSED
    # Time off that only touches the lesson is none in it.
    before = Facts(zone=BERLIN, rules=[rule(0, 16, 18)], time_off=[(period[0] - HOUR, period[0])])
    assert why_outside(before, period) is None


def test_an_exception_takes_the_place_of_the_weekday() -> None:
    day = MONDAY.toordinal()
    shorter = DayHours(day=day, replaces=True, starts=16 * HOUR, ends=17 * HOUR)
    facts = Facts(zone=BERLIN, rules=[rule(0, 16, 18)], exceptions=[shorter])
    assert why_outside(facts, (at(MONDAY, 17), at(MONDAY, 17.75))) == Why.NO_HOURS
    week_later = MONDAY + timedelta(days=7)
    assert why_outside(facts, (at(week_later, 17), at(week_later, 17.75))) is None


def _by_minute(facts: Facts, period: tuple[int, int]) -> bool:
    """Whether each minute of the lesson is in some window and in nothing that closes it."""
    for second in range(period[0], period[1], 60):
        day = day_of(facts.zone, second)
        opened = any(
            instant(facts.zone, other, one.starts) <= second < instant(facts.zone, other, one.ends)
            for other in (day - 1, day)
            for one in facts.rules
            if (other - 1) % 7 == one.weekday and one.holds_on(other)
        )
        away = any(start <= second < end for start, end in facts.time_off)
        if not opened or away:
            return False
    return True


QUARTERS = st.integers(0, 95).map(lambda quarter: quarter / 4)


@given(
    windows=st.lists(
        st.tuples(st.integers(0, 6), QUARTERS, st.integers(1, 40)), min_size=1, max_size=6
    ),
    off=st.lists(st.tuples(st.integers(0, 6), QUARTERS, st.integers(1, 30)), max_size=2),
    lesson=st.tuples(st.integers(0, 6), QUARTERS, st.integers(1, 8)),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_as_minute_by_minute(
    windows: list[tuple[int, float, int]],
    off: list[tuple[int, float, int]],
    lesson: tuple[int, float, int],
    zone: str,
) -> None:
    """In the week before the clocks go forward in Europe, up to the Sunday itself."""
    there = ZoneInfo(zone)

    def period(one: tuple[int, float, int]) -> tuple[int, int]:
        start = at(MONDAY + timedelta(days=one[0]), one[1], zone=there)
        return start, start + one[2] * 900

    facts = Facts(
        zone=there,
        rules=[rule(day, start, start + quarters / 4) for day, start, quarters in windows],
        time_off=[period(one) for one in off],
    )
    asked = period(lesson)
    assert (why_outside(facts, asked) is None) == _by_minute(facts, asked)


# ------------------------------------------------------------ in the database
@pytest.fixture
def monday(teacher: Teacher, no_closed_days: None) -> AvailabilityRule:
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(18)
    )


def outside(**fields: object) -> list[tuple[int, Why]]:
    found = lessons_outside(since=NOW, until=NOW + timedelta(days=366), now=NOW, **fields)  # type: ignore[arg-type]
    return [(one.lesson_id, one.why) for one in found]


Make = Callable[..., Lesson]


def when(day: date, hour: int) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(hour), BERLIN)
    return start, start + timedelta(minutes=45)


def test_planned_lessons_to_come_only(monday: AvailabilityRule, make_lesson: Make) -> None:
    inside = make_lesson(*when(MONDAY, 16))
    late = make_lesson(*when(MONDAY, 18))
    make_lesson(*when(MONDAY, 20), status="cancelled")
    make_lesson(*when(MONDAY - timedelta(days=7), 20))
    assert outside() == [(late.pk, Why.NO_HOURS)]
    assert outside(lessons=[inside.pk]) == []
    assert outside(teachers=[monday.teacher_id + 1]) == []


def test_time_off_and_exceptions(
    monday: AvailabilityRule, make_lesson: Make, teacher: Teacher
) -> None:
    lesson = make_lesson(*when(MONDAY, 16))
    off = TimeOff.objects.create(teacher=teacher, period=DateTimeTZRange(*when(MONDAY, 16)))
    assert outside() == [(lesson.pk, Why.TIME_OFF)]
    off.delete()
    AvailabilityException.objects.create(teacher=teacher, day_on=MONDAY)
    assert outside() == [(lesson.pk, Why.NO_HOURS)]


def test_closed_dates_have_a_name(
    monday: AvailabilityRule, make_lesson: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_lesson(*when(MONDAY, 16))
    monkeypatch.setattr(sockets, "_closures", everybody_closed({MONDAY: "Easter"}))
    found = lessons_outside(since=NOW, until=NOW + timedelta(days=9), now=NOW)
    assert [(one.why, one.note) for one in found] == [(Why.CLOSED, "Easter")]


def test_a_group_counts_once_for_each_student(
    monday: AvailabilityRule, make_lesson: Make, django_user_model: type[User]
) -> None:
    one = make_lesson(*when(MONDAY, 19), seats=2)
    user = User.objects.create_user(email="other@school.example")
    other = make_lesson(
        *when(MONDAY, 19), seats=2, student=Student.objects.create(user=user, zone="UTC")
    )
    assert outside() == [(one.pk, Why.NO_HOURS), (other.pk, Why.NO_HOURS)]


def test_many_teachers_cost_no_more_queries_than_one(
    monday: AvailabilityRule, make_lesson: Make, course: Course, no_closed_days: None
) -> None:
    make_lesson(*when(MONDAY, 19))
    with CaptureQueriesContext(connection) as one:
        assert len(outside(closed=False)) == 1
    for number in range(25):
        user = User.objects.create_user(email=f"t{number}@school.example")
        teacher = Teacher.objects.create(user=user, display_name=f"T{number}", zone="Asia/Kolkata")
        AvailabilityRule.objects.create(teacher=teacher, weekday=2, starts=time(9), ends=time(10))
        pupil = Student.objects.create(
            user=User.objects.create_user(email=f"s{number}@school.example"), zone="UTC"
        )
        for week in range(20):
            make_lesson(*when(MONDAY + timedelta(weeks=week), 9), teacher=teacher, student=pupil)
    with CaptureQueriesContext(connection) as many:
        assert len(outside(closed=False)) == 501
    assert len(many) == len(one)
