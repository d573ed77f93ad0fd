"""What closures do to the slots: parts of days, swapped days, for whom; off, and with the tables away."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from enrollment.models import Course, Teacher
from holidays.models import Holiday, Region, TeacherRegion
from scheduling import sockets
from scheduling.domain.reasons import Why
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import availability, free_slots, moment
from scheduling.queries.many import free_days, who_is_free
from tests.conftest import Switches, make_teacher
from tests.scheduling.conftest import NOW

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 1, 19)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def hours(teacher: Teacher) -> AvailabilityRule:
    """Mondays 9 to 18 in Berlin: twelve lessons of 45 minutes."""
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(9), ends=time(18)
    )


def on(
    day: date, teacher: Teacher, course: Course, *, now: datetime = NOW, zone: ZoneInfo = BERLIN
) -> list[str]:
    """The times of one date on the teacher's clock, by every way of asking."""
    asked: dict[str, Any] = {"course": course, "now": now}
    found = free_slots(teacher=teacher, **asked)
    assert who_is_free(teachers=[teacher], **asked)[teacher.pk] == found
    starts = [moment(start).astimezone(zone) for start, _end in found]
    days = free_days(teachers=[teacher], zone=zone, **asked)[teacher.pk]
    assert days == sorted({start.date() for start in starts})
    return [f"{start:%H:%M}" for start in starts if start.date() == day]


def close(**fields: Any) -> Holiday:
    days = {"first_on": MONDAY, "last_on": MONDAY}
    return Holiday.objects.create(**{"name": "Snow", **days, **fields})


ALL_DAY = [f"{at // 60:02}:{at % 60:02}" for at in range(9 * 60, 18 * 60, 45)]


@pytest.mark.usefixtures("hours")
class TestPartsOfDays:
    @pytest.mark.parametrize(
        ("starts", "ends", "left"),
        [
            (time(12), None, ["09:00", "09:45", "10:30", "11:15"]),
            (None, time(12), ["12:00", *ALL_DAY[5:]]),
            (time(11, 50), time(12, 10), [*ALL_DAY[:3], *ALL_DAY[5:]]),
            (time(18), None, ALL_DAY),
            (None, time(9), ALL_DAY),
            (None, None, []),
        ],
    )
    def test_the_rest_stays_free(
        self,
        teacher: Teacher,
        course: Course,
        starts: time | None,
        ends: time | None,
        left: list[str],
    ) -> None:
        close(starts=starts, ends=ends)
        left = [at for at in left if at in ALL_DAY or at == "12:00"]
        expected = [at for at in ALL_DAY if at in left]
        assert on(MONDAY, teacher, course) == expected
        assert on(MONDAY + timedelta(days=7), teacher, course) == ALL_DAY

    def test_the_reason_names_it(self, teacher: Teacher, course: Course) -> None:
        close(name="Concert", starts=time(12))
        known = availability(teacher=teacher, course=course, now=NOW)
        noon = datetime(2026, 1, 19, 12, 0, tzinfo=BERLIN)
        assert known.why_not(noon) == Why.CLOSED
        (day,) = known.days(first=MONDAY, last=MONDAY)
        assert day.why is None
        assert {(one.why, one.note) for one in day.missing} == {(Why.CLOSED, "Concert")}
        close(name="Rehearsal", ends=time(12))
        (day,) = availability(teacher=teacher, course=course, now=NOW).days(
            first=MONDAY, last=MONDAY
        )
        assert (day.why, day.note) == (Why.CLOSED, "Rehearsal")


@pytest.mark.parametrize(
    ("day", "closed", "left"),
    [
        # Forward from 02:00 to 03:00: closed until 02:30 is closed until 03:30.
        (date(2026, 3, 29), (None, time(2, 30)), ["04:00"]),
        # The hour from 02:00 comes twice. Closed until 02:30 is until its first one (RFC 5545).
        (date(2026, 10, 25), (None, time(2, 30)), ["03:00", "04:00"]),
        (date(2026, 10, 25), (time(2), None), ["00:00", "01:00"]),
    ],
)
def test_on_days_when_clocks_change(
    teacher: Teacher,
    course: Course,
    day: date,
    closed: tuple[time | None, time | None],
    left: list[str],
) -> None:
    Course.objects.update(lesson_minutes=60)
    course.refresh_from_db()
    AvailabilityRule.objects.create(teacher=teacher, weekday=6, starts=time(0), ends=time(5))
    Holiday.objects.create(name="X", first_on=day, last_on=day, starts=closed[0], ends=closed[1])
    now = datetime(day.year, day.month, day.day, tzinfo=BERLIN) - timedelta(days=2)
    assert on(day, teacher, course, now=now)[-len(left) :] == left
    known = availability(teacher=teacher, course=course, now=now)
    asked = {one.why for one in known.days(first=day, last=day)[0].missing}
    assert asked == {Why.CLOSED}


@pytest.mark.usefixtures("hours")
class TestSwappedDays:
    def test_a_saturday_has_the_hours_of_a_monday(self, teacher: Teacher, course: Course) -> None:
        saturday = MONDAY + timedelta(days=5)
        close(name="Swap", kind="working_day", as_weekday=0, first_on=saturday, last_on=saturday)
        assert on(saturday, teacher, course) == ALL_DAY
        assert on(MONDAY, teacher, course) == ALL_DAY

    def test_a_monday_that_works_like_a_tuesday_has_none(
        self, teacher: Teacher, course: Course
    ) -> None:
        close(name="Swap", kind="working_day", as_weekday=1)
        assert on(MONDAY, teacher, course) == []
        known = availability(teacher=teacher, course=course, now=NOW)
        assert known.days(first=MONDAY, last=MONDAY)[0].why == Why.NO_HOURS

    def test_closed_counts_more(self, teacher: Teacher, course: Course) -> None:
        saturday = MONDAY + timedelta(days=5)
        days = {"first_on": saturday, "last_on": saturday}
        close(name="Swap", kind="working_day", as_weekday=0, **days)
        close(name="Closed after all", starts=time(12), **days)
        assert on(saturday, teacher, course) == ALL_DAY[:4]

    def test_on_a_day_when_clocks_change(self, teacher: Teacher, course: Course) -> None:
        sunday = date(2026, 3, 29)
        AvailabilityRule.objects.update(starts=time(1), ends=time(4))
        close(name="Swap", kind="working_day", as_weekday=0, first_on=sunday, last_on=sunday)
        now = datetime(2026, 3, 27, tzinfo=BERLIN)
        # Two hours, of three on the clock.
        assert on(sunday, teacher, course, now=now) == ["01:00", "01:45"]


@pytest.mark.usefixtures("hours")
class TestForWhom:
    def test_a_teachers_region_and_the_country_around_it(
        self, teacher: Teacher, course: Course
    ) -> None:
        germany, bavaria, berlin, spain = (
            Region.objects.create(country=country, subdivision=subdivision)
            for country, subdivision in (("DE", ""), ("DE", "BY"), ("DE", "BE"), ("ES", ""))
        )
        for region in (germany, bavaria, berlin, spain):
            day = MONDAY + timedelta(days=7 * region.pk)
            close(name=str(region), scope="region", region=region, first_on=day, last_on=day)

        def closed() -> set[str]:
            now = NOW + timedelta(days=7 * germany.pk)
            free = {
                str(region)
                for region in (germany, bavaria, berlin, spain)
                if on(MONDAY + timedelta(days=7 * region.pk), teacher, course, now=now)
            }
            return {"DE", "DE-BY", "DE-BE", "ES"} - free

        assert closed() == set()
        Region.objects.filter(pk=berlin.pk).update(is_school=True)
        assert closed() == {"DE", "DE-BE"}
        lives = TeacherRegion.objects.create(teacher=teacher, region=bavaria)
        assert closed() == {"DE", "DE-BY"}
        lives.region = spain
        lives.save()
        assert closed() == {"ES"}

    def test_certain_teachers_and_courses(self, teacher: Teacher, course: Course) -> None:
        other = make_teacher("other@school.example")
        AvailabilityRule.objects.create(teacher=other, weekday=0, starts=time(9), ends=time(18))
        choir = Course.objects.create(title="Choir", slug="choir", lesson_minutes=45)
        close(name="Training", scope="teachers", ends=time(17)).teachers.add(other)
        close(name="Concert", scope="courses", starts=time(12)).courses.add(choir)
        assert on(MONDAY, teacher, course) == ALL_DAY
        assert on(MONDAY, other, course) == ["17:15"]
        assert on(MONDAY, teacher, choir) == ALL_DAY[:4]
        assert on(MONDAY, other, choir) == []
        named = sockets.named_closures(
            teachers=[teacher.pk], courses=[choir.pk], first=MONDAY, last=MONDAY
        )
        assert [(one.name, one.starts, one.ends) for one in named] == [("Concert", 43_200, 86_400)]


@pytest.mark.usefixtures("hours")
def test_what_was_entered_closes_while_holidays_are_off(
    teacher: Teacher, course: Course, switches: Switches
) -> None:
    saturday = MONDAY + timedelta(days=5)
    close(starts=time(12))
    close(name="Swap", kind="working_day", as_weekday=0, first_on=saturday, last_on=saturday)
    switches.kill("ENABLE_HOLIDAY_MANAGEMENT")
    assert on(MONDAY, teacher, course) == ALL_DAY[:4]
    assert on(saturday, teacher, course) == ALL_DAY


def test_whoever_is_deleted_takes_the_links_along(teacher: Teacher, course: Course) -> None:
    region = Region.objects.create(country="DE")
    TeacherRegion.objects.create(teacher=teacher, region=region)
    one = close(scope="teachers")
    one.teachers.add(teacher)
    one.courses.add(course)
    course.delete()
    teacher.delete()
    assert (one.teachers.count(), one.courses.count()) == (0, 0)
    assert not TeacherRegion.objects.exists()
    connection.check_constraints()
