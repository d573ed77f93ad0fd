"""The teacher's own week and coming lessons: what stands there, in how many queries, for whom."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from scheduling import sockets
from scheduling.models import AvailabilityRule, BookingPolicy, TimeOff
from scheduling.queries.week import Day, week_of_teacher
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import NOW, MakeLesson, everybody_closed
from tests.scheduling.teaching import LESSONS, WEEK, as_, at, exception

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "no_closed_days")]
# NOW is Wednesday, 14 January 2026, 12:00 in Berlin.
MONDAY = date(2026, 1, 19)
FOUR = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
LESSON = timedelta(minutes=45)


@pytest.fixture
def as_teacher(client: Client, teacher: Teacher) -> Client:
    return as_(client, teacher)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def days(teacher: Teacher, course: Course | None, monday: date = MONDAY) -> list[Day]:
    return list(week_of_teacher(teacher=teacher, course=course, monday=monday, now=NOW).days)


def clocks(times: Any) -> list[str]:
    return [f"{one:%H:%M}" for one in times]


def stretches(day: Day) -> list[str]:
    return [f"{one.starts:%H:%M}-{one.ends:%H:%M}" for one in day.hours]


def test_a_day_says_everything(
    as_teacher: Client,
    teacher: Teacher,
    course: Course,
    monday_hours: AvailabilityRule,
    make_lesson: MakeLesson,
    enrollment: Enrollment,
) -> None:
    BookingPolicy.objects.create(
        teacher=teacher, buffer_after=10, most_a_week=9, notice_minutes=720
    )
    make_lesson(FOUR, FOUR + LESSON, enrollment=enrollment, buffer_after=10)
    monday, tuesday = days(teacher, course)[:2]
    assert (stretches(monday), clocks(monday.free)) == (["16:00-18:15"], ["17:30"])
    assert [(one.words, clocks(one.starts)) for one in monday.reasons] == [
        ("a lesson", ["16:00"]),
        ("kept free beside a lesson", ["16:45"]),
    ]
    assert (tuesday.why, tuesday.free, tuesday.hours) == ("no hours", [], [])

    text = as_teacher.get(WEEK, {"on": "2026-01-22"}).content.decode()
    assert "19 January 2026 – 25 January 2026" in text
    for words in (
        "Ada Vogel",
        f"/messages/{enrollment.pk}/",
        "Why no others?",
        "10 minutes after it",
    ):
        assert words in text
    assert "outside your hours" not in text


def test_hours_over_midnight_stand_on_both_days(teacher: Teacher, course: Course) -> None:
    AvailabilityRule.objects.create(
        teacher=teacher, weekday=6, starts=at("22:00"), ends=at("02:00"), ends_next_day=True
    )
    week = days(teacher, course)
    assert (stretches(week[0]), stretches(week[6])) == (["00:00-02:00"], ["22:00-00:00"])
    # Each lesson stands where it begins: the last one reaches over.
    assert clocks(week[0].free) == ["00:15", "01:00"]
    assert clocks(week[6].free) == ["22:00", "22:45", "23:30"]


def test_closed_days_time_off_and_dates_that_differ(
    as_teacher: Client,
    teacher: Teacher,
    course: Course,
    monday_hours: AvailabilityRule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "_closures", everybody_closed({MONDAY: "Founders' day"}))
    exception(teacher, "2026-01-20", kind="add", starts=at("10:00"), ends=at("10:45"), note="Extra")
    TimeOff.objects.create(
        teacher=teacher,
        period=DateTimeTZRange(
            datetime(2026, 1, 21, 9, tzinfo=UTC), datetime(2026, 1, 23, 23, tzinfo=UTC)
        ),
        reason="At the sea",
    )
    monday, tuesday, wednesday, thursday, friday, saturday, _sunday = days(teacher, course)
    assert (monday.closed, monday.hours, monday.why) == (
        *("Founders' day", []),
        "closed: Founders' day",
    )
    assert (stretches(tuesday), clocks(tuesday.free)) == (["10:00-10:45"], ["10:00"])
    assert [one.note for one in tuesday.exceptions] == ["Extra"]
    assert [f"{one.starts:%H:%M}" for one in wednesday.time_off] == ["10:00"]
    assert [one.whole for day in (wednesday, thursday, friday) for one in day.time_off] == [
        *(False, True, True)
    ]
    assert not saturday.time_off
    text = as_teacher.get(WEEK, {"on": "2026-01-19"}).content.decode()
    for words in ("closed: Founders", "more hours on this date", "Extra", "time off 10:00–00:00"):
        assert words in text
    assert "At the sea" in text


def test_holds_and_groups(
    as_teacher: Client,
    teacher: Teacher,
    course: Course,
    monday_hours: AvailabilityRule,
    make_lesson: MakeLesson,
) -> None:
    make_lesson(FOUR, FOUR + LESSON, status="held", expires_at=NOW + timedelta(minutes=10))
    group = FOUR + LESSON
    for number in range(3):
        member = make_student(f"g{number}@school.example")
        make_lesson(group, group + LESSON, student=member, seats=4)
    monday = days(teacher, course)[0]
    assert [(one.held, len(one.rows)) for one in monday.lessons] == [(True, 1), (False, 3)]
    text = as_teacher.get(WEEK, {"on": "2026-01-19"}).content.decode()
    # Who is only enrolling is nobody's student yet.
    assert "Held until 12:10 for somebody who is enrolling" in text
    [group_rows] = [one.rows for one in monday.lessons if not one.held]
    assert len({row.student_id for row in group_rows}) == 3
    assert "Ada Vogel" in text
    assert len(as_teacher.get(LESSONS).context["lessons"]) == 1


def test_a_lesson_outside_the_hours_is_marked(
    as_teacher: Client, teacher: Teacher, course: Course, make_lesson: MakeLesson
) -> None:
    make_lesson(FOUR, FOUR + LESSON)
    assert days(teacher, course)[0].lessons[0].why == "no hours"
    for page in (WEEK + "?on=2026-01-19", LESSONS):
        text = as_teacher.get(page).content.decode()
        assert "outside your hours: no hours" in text
        assert "1 planned lesson is outside your hours" in text


def test_the_teachers_course_is_asked_for(
    as_teacher: Client, teacher: Teacher, course: Course, monday_hours: AvailabilityRule
) -> None:
    other = Course.objects.create(title="Choir", slug="choir", lesson_minutes=60)
    stranger = Course.objects.create(title="Drums", slug="drums")
    assert "Free for Violin" in as_teacher.get(WEEK).content.decode()
    other.teachers.add(teacher)
    first = as_teacher.get(WEEK, {"on": "2026-01-19"})
    assert first.context["week"].course == other
    asked = as_teacher.get(WEEK, {"on": "2026-01-19", "course": course.slug})
    assert asked.context["week"].course == course
    assert clocks(asked.context["week"].days[0].free) == ["16:00", "16:45", "17:30"]
    for nonsense in (stranger.slug, "x" * 999, "\x00", "1"):
        page = as_teacher.get(WEEK, {"course": nonsense, "on": "soon"})
        assert (page.status_code, page.context["week"].first_on) == (200, date(2026, 1, 12))


def test_a_teacher_without_a_course(
    client: Client, make_lesson: MakeLesson, monday_hours: AvailabilityRule, teacher: Teacher
) -> None:
    teacher.courses.clear()
    page = as_(client, teacher).get(WEEK, {"on": "2026-01-19"})
    assert "You teach no course yet" in page.content.decode()
    assert stretches(page.context["week"].days[0]) == ["16:00-18:15"]


@pytest.mark.parametrize("on", ["2025-01-20", "2027-01-10", "2026-03-29", "2026-10-25"])
def test_the_first_and_the_last_week_and_those_of_the_clocks(
    as_teacher: Client, monday_hours: AvailabilityRule, course: Course, on: str
) -> None:
    page = as_teacher.get(WEEK, {"on": on})
    assert stretches(page.context["week"].days[0]) == ["16:00-18:15"]
    assert (page.context["before"] is None) == (on < "2026")
    assert (page.context["after"] is None) == (on > "2027")


@pytest.mark.parametrize("on", ["2025-01-19", "2027-01-11", "9999-12-31", "0001-01-01"])
def test_weeks_beyond_are_this_week(as_teacher: Client, course: Course, on: str) -> None:
    assert as_teacher.get(WEEK, {"on": on}).context["week"].first_on == date(2026, 1, 12)


def test_lessons_beyond_a_year_are_not_judged(
    as_teacher: Client, make_lesson: MakeLesson, course: Course
) -> None:
    far = FOUR + timedelta(days=800)
    make_lesson(far, far + LESSON)
    page = as_teacher.get(LESSONS)
    assert (len(page.context["lessons"]), page.context["outside"]) == (1, [])


def test_the_number_of_queries_does_not_grow(
    client: Client, teacher: Teacher, course: Course
) -> None:
    for weekday in range(7):
        AvailabilityRule.objects.create(
            teacher=teacher, weekday=weekday, starts=at("08:00"), ends=at("20:00")
        )

    def counted(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        return len(queries)

    as_(client, teacher)
    paths = (WEEK + "?on=2026-01-19", LESSONS, "/schedule/my/hours/")
    _one_of_everything(teacher, course, 0)
    before = [counted(path) for path in paths]
    for number in range(1, 40):
        _one_of_everything(teacher, course, number)
    assert [counted(path) for path in paths] == before
    assert max(before) <= 12, before


def _one_of_everything(teacher: Teacher, course: Course, number: int) -> None:
    """A lesson, an hour in it that is off, and a date with more hours."""
    student = make_student(f"q{number}@school.example")
    start = FOUR + timedelta(hours=number % 8, days=number // 8)
    Lesson.objects.create(
        course=course,
        teacher=teacher,
        student=student,
        enrollment=Enrollment.objects.create(student=student, course=course, teacher=teacher),
        period=DateTimeTZRange(start, start + LESSON),
        local_on=start.date(),
        local_start=start.time(),
        zone="UTC",
    )
    TimeOff.objects.create(
        teacher=teacher, period=DateTimeTZRange(start, start + timedelta(hours=1))
    )
    exception(teacher, f"2026-03-{number % 28 + 1:02}", kind="add", **_hour(number))


def _hour(number: int) -> dict[str, Any]:
    hour = 20 + number // 28
    return {"starts": at(f"{hour}:00"), "ends": at(f"{hour}:45")}


def test_only_teachers_see_them_and_only_their_own(
    client: Client, student: Student, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    make_lesson(FOUR, FOUR + LESSON)
    for page in (WEEK, LESSONS):
        assert client.get(page).status_code == 302
    other = make_teacher("other@school.example")
    for page in (WEEK + "?on=2026-01-19", LESSONS):
        assert "Ada" not in as_(client, other).get(page).content.decode()
        assert "Ada" in as_(client, teacher).get(page).content.decode()
    client.force_login(student.user)
    for page in (WEEK, LESSONS):
        assert client.get(page).status_code == 403
