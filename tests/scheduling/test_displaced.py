"""What scheduling and holidays find contradictory, and what is moved by itself."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment import detectors
from enrollment.models import (
    Conflict,
    Course,
    Enrollment,
    Lesson,
    LessonChange,
    Message,
    Student,
    Teacher,
    User,
)
from enrollment.operations.conflicts import Found, find_conflicts
from holidays.domain.days import runs
from holidays.models import Holiday
from scheduling import sockets
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TimeOff,
)
from tests.conftest import Switches, make_student, make_teacher
from tests.enrollment.calendars import read

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MONDAY = date(2026, 3, 9)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), BERLIN)


@pytest.fixture
def rule(teacher: Teacher, course: Course) -> AvailabilityRule:
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(18)
    )


Plan = Callable[..., Lesson]


@pytest.fixture
def plan(teacher: Teacher, course: Course, student: Student, rule: AvailabilityRule) -> Plan:
    def make(starts: datetime, **fields: Any) -> Lesson:
        pupil = fields.pop("student", student)
        enrollment, _made = Enrollment.objects.get_or_create(
            student=pupil, course=course, defaults={"teacher": teacher, "status": "confirmed"}
        )
        local = starts.astimezone(BERLIN)
        values = {
            "teacher": teacher,
            "course": course,
            "student": pupil,
            "enrollment": enrollment,
            "period": DateTimeTZRange(starts, starts + timedelta(minutes=45)),
            "local_on": local.date(),
            "local_start": local.time(),
            "zone": "Europe/Berlin",
        }
        return Lesson.objects.create(**values | fields)

    return make


@pytest.fixture
def moves(course: Course) -> BookingPolicy:
    return BookingPolicy.objects.create(course=course, automatic_moves=True)


def kinds(**fields: Any) -> list[str]:
    return sorted(Conflict.objects.filter(**fields).values_list("kind", flat=True))


def search() -> Found:
    return find_conflicts(now=NOW)


def words(kind: str) -> str:
    (said,) = words_of(kind)
    return said


def words_of(kind: str) -> list[str]:
    detector = detectors.get(kind)
    assert detector
    found = Conflict.objects.filter(kind=kind).order_by("pk")
    return [detector.words(conflict=one) for one in found]


# ------------------------------------------------------------ lessons
def test_outside_the_hours(plan: Plan, rule: AvailabilityRule) -> None:
    late = plan(at(MONDAY, 18))
    plan(at(MONDAY, 16))
    search()
    found = Conflict.objects.get()
    assert (found.kind, [one.pk for one in found.lessons.all()]) == ("outside_hours", [late.pk])
    assert words("outside_hours") == (
        "Mon 9 March 2026, 18:00: Ada Vogel with Marta Rossi, outside the teacher’s hours."
    )
    AvailabilityRule.objects.filter(pk=rule.pk).update(ends=time(19))
    assert search().gone == 1


def test_in_time_off(plan: Plan, teacher: Teacher) -> None:
    plan(at(MONDAY, 16))
    period = DateTimeTZRange(at(MONDAY, 0), at(MONDAY, 23))
    off = TimeOff.objects.create(teacher=teacher, period=period)
    search()
    assert kinds(status="open") == ["time_off"]
    assert "who has time off then" in words("time_off")
    off.delete()
    assert search().gone == 1


def test_on_a_holiday_of_the_teachers_calendar(
    plan: Plan, teacher: Teacher, course: Course
) -> None:
    plan(at(MONDAY, 16))
    away = make_teacher("tokyo@school.example", zone="Asia/Tokyo")
    AvailabilityRule.objects.create(teacher=away, weekday=0, starts=time(0), ends=time(2))
    # Sunday evening in Berlin, and Monday in Tokyo; and the other way round.
    on_monday = plan(
        at(MONDAY, 0) - timedelta(hours=7), teacher=away, student=make_student("b@x.example")
    )
    plan(at(MONDAY, 20), teacher=away, student=make_student("c@x.example"), status="cancelled")
    holiday = Holiday.objects.create(name="Fair", first_on=MONDAY, last_on=MONDAY)
    search()
    assert kinds(kind="holiday") == ["holiday", "holiday"]
    assert Conflict.objects.filter(lessons=on_monday, kind="holiday").exists()
    assert all("the school is closed (Fair)" in one for one in words_of("holiday"))
    holiday.delete()
    search()
    assert kinds(kind="holiday", status="open") == []


def test_who_never_said_hours_is_one_finding(plan: Plan, course: Course) -> None:
    by_hand = make_teacher("hand@school.example")
    for week in range(3):
        plan(at(MONDAY + timedelta(weeks=week), 10), teacher=by_hand)
    search()
    found = Conflict.objects.get()
    assert (found.kind, found.lessons.count(), found.teacher) == ("no_hours", 3, by_hand)
    assert "has said no hours, and 3 lessons are planned" in words("no_hours")


def test_an_account_that_is_off_and_a_course_that_is_not_theirs(
    plan: Plan, teacher: Teacher, course: Course, student: Student
) -> None:
    plan(at(MONDAY, 16))
    course.teachers.clear()
    search()
    assert kinds() == ["hours_without_course", "teacher_not_of_course"]
    course.teachers.add(teacher)
    teacher.user.is_active = False
    teacher.user.save()
    search()
    assert kinds(status="open") == ["teacher_inactive"]
    assert "is off" in words("teacher_inactive")
    # A substitute need not be of the course: the office has chosen them.
    other = make_teacher("sub@school.example")
    Lesson.objects.update(teacher=other)
    search()
    assert kinds(status="open") == ["no_hours"]


# ------------------------------------------------------------ rules
def test_hours_that_overlap_in_some_week(rule: AvailabilityRule, teacher: Teacher) -> None:
    other = AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(17), ends=time(19), every_weeks=2, valid_from=MONDAY
    )
    search()
    assert kinds() == ["hours_twice"]
    assert "overlap in some week" in words("hours_twice")
    other.delete()
    assert search().gone == 1


def test_hours_on_a_closed_day_or_in_time_off(rule: AvailabilityRule, teacher: Teacher) -> None:
    for days in range(2):
        AvailabilityException.objects.create(
            teacher=teacher, day_on=MONDAY + timedelta(days=days), starts=time(9), ends=time(10)
        )
    search()
    assert kinds() == []
    Holiday.objects.create(name="Fair", first_on=MONDAY, last_on=MONDAY)
    tuesday = MONDAY + timedelta(days=1)
    TimeOff.objects.create(teacher=teacher, period=DateTimeTZRange(at(tuesday, 0), at(tuesday, 20)))
    search()
    assert kinds() == ["hours_lost", "hours_lost"]
    said = words_of("hours_lost")
    assert "closed (Fair)" in said[0]
    assert "time off" in said[1]


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        ({"notice_minutes": 20 * 1440, "horizon_days": 19}, 1),
        ({"notice_minutes": 20 * 1440, "horizon_days": 20}, 0),
        ({"notice_minutes": 1440, "horizon_days": 1}, 0),
        ({"notice_minutes": 2880, "horizon_days": 1}, 1),
        ({"lesson_minutes": 150}, 1),
        ({"lesson_minutes": 120}, 0),
    ],
)
def test_a_policy_that_books_nothing(
    rule: AvailabilityRule, course: Course, policy: dict[str, int], count: int
) -> None:
    course.teachers.add(make_teacher("no.hours@school.example"))
    BookingPolicy.objects.create(**policy)
    search()
    assert kinds() == ["books_nothing"] * count
    if count:
        assert "can" in words("books_nothing")


def test_hours_that_join_are_long_enough(rule: AvailabilityRule, course: Course) -> None:
    AvailabilityException.objects.create(
        teacher=rule.teacher, day_on=MONDAY, kind="add", starts=time(17), ends=time(19)
    )
    BookingPolicy.objects.create(lesson_minutes=150)
    search()
    assert kinds() == []


def test_hours_of_a_teacher_without_a_course(rule: AvailabilityRule, course: Course) -> None:
    course.teachers.clear()
    search()
    assert kinds() == ["hours_without_course"]
    assert "nobody can book them" in words("hours_without_course")


# ------------------------------------------------------------ moved by itself
def test_where_the_policy_allows_it_the_nearest_time_of_the_week(
    plan: Plan,
    moves: BookingPolicy,
    teacher: Teacher,
    django_capture_on_commit_callbacks: Any,
) -> None:
    AvailabilityRule.objects.create(teacher=teacher, weekday=2, starts=time(9), ends=time(12))
    late = plan(at(MONDAY, 18))
    with django_capture_on_commit_callbacks(execute=True):
        assert search().settled == 1
    late.refresh_from_db()
    assert late.starts_at == at(MONDAY, 16, 45)
    change = LessonChange.objects.get()
    assert (change.by, change.what) == (None, "moved")
    assert change.period_before.lower == at(MONDAY, 18)
    assert change.reason == "Lesson outside the teacher’s hours"
    conflict = Conflict.objects.get()
    assert (conflict.status, conflict.automatic) == ("resolved", True)
    assert conflict.resolution.startswith("Moved by itself from Monday 9 March 2026, 18:00")
    assert "Monday 9 March 2026, 16:45" in Message.objects.get().body
    [told] = [one for one in mail.outbox if one.subject == "A lesson was moved"]
    assert told.to == [teacher.user.email]
    [event] = read(told.attachments[0].get_payload(decode=True)).events
    assert (event.decoded("DTSTART"), event["SEQUENCE"]) == (at(MONDAY, 16, 45), 1)
    assert search() == Found(opened=0, gone=0, settled=0)


def test_each_is_told_in_their_language_and_on_their_clock(
    plan: Plan,
    moves: BookingPolicy,
    teacher: Teacher,
    django_capture_on_commit_callbacks: Any,
) -> None:
    AvailabilityRule.objects.create(teacher=teacher, weekday=2, starts=time(9), ends=time(12))
    late = plan(at(MONDAY, 18))
    User.objects.filter(pk=late.student.user_id).update(language="de")
    User.objects.filter(pk=teacher.user_id).update(language="es")
    Student.objects.filter(pk=late.student_id).update(zone="America/New_York")
    with django_capture_on_commit_callbacks(execute=True):
        assert search().settled == 1
    body = Message.objects.get().body
    assert "Montag 9 März 2026, 11:45" in body or "Montag, 9. März 2026, 11:45" in body
    assert "(America/New_York)" in body
    [told] = [one for one in mail.outbox if one.to == [teacher.user.email]]
    assert told.subject != "A lesson was moved"
    assert "lunes" in str(told.body).lower()
    assert "16:45" in str(told.body)
    assert "The school has moved" not in str(told.body) + body


def test_without_the_policy_nothing_moves(plan: Plan) -> None:
    late = plan(at(MONDAY, 18))
    assert search() == Found(opened=1, gone=0, settled=0)
    late.refresh_from_db()
    assert late.starts_at == at(MONDAY, 18)


def test_a_nearer_policy_may_forbid_it(plan: Plan, moves: BookingPolicy, teacher: Teacher) -> None:
    BookingPolicy.objects.create(teacher=teacher, automatic_moves=False)
    plan(at(MONDAY, 18))
    assert search().settled == 0


def test_never_into_another_week(plan: Plan, moves: BookingPolicy, student: Student) -> None:
    for minute in (0, 45):
        plan(at(MONDAY, 16, minute), student=make_student(f"p{minute}@school.example"))
    plan(at(MONDAY, 18))
    assert search() == Found(opened=1, gone=0, settled=0)


def test_never_where_the_student_is_busy(
    plan: Plan, moves: BookingPolicy, student: Student, teacher: Teacher
) -> None:
    other = make_teacher("other@school.example")
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts=time(16), ends=time(18))
    other.courses.add(Course.objects.create(title="Piano", slug="piano"))
    plan(at(MONDAY, 16, 45), teacher=other)
    late = plan(at(MONDAY, 18))
    search()
    late.refresh_from_db()
    # 16:00 ends when the other begins; 16:45 and 17:15 would meet it.
    assert late.starts_at == at(MONDAY, 16)


def test_a_group_and_a_longer_lesson_wait_for_a_person(plan: Plan, moves: BookingPolicy) -> None:
    plan(at(MONDAY, 18), seats=3)
    longer = DateTimeTZRange(at(MONDAY, 19), at(MONDAY, 20))
    plan(at(MONDAY, 19), period=longer, student=make_student("b@school.example"))
    assert search() == Found(opened=2, gone=0, settled=0)


def test_a_holiday_moves_lessons_too(plan: Plan, moves: BookingPolicy, teacher: Teacher) -> None:
    AvailabilityRule.objects.create(teacher=teacher, weekday=2, starts=time(9), ends=time(10))
    lesson = plan(at(MONDAY, 16))
    Holiday.objects.create(name="Fair", first_on=MONDAY, last_on=MONDAY)
    assert search().settled == 1
    lesson.refresh_from_db()
    assert lesson.starts_at == at(MONDAY + timedelta(days=2), 9)


def test_nobody_is_moved_from_whom_the_feature_was_taken(
    plan: Plan, moves: BookingPolicy, student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on for others: the office decides about who has it no more."""
    monkeypatch.setattr(sockets, "_has_feature", lambda user: user != student.user)
    plan(at(MONDAY, 18))
    other = plan(at(MONDAY, 19), student=make_student("b@school.example"))
    assert search() == Found(opened=2, gone=0, settled=1)
    assert [one.lesson_id for one in LessonChange.objects.filter(what="moved")] == [other.pk]


@pytest.mark.parametrize("flag", ["ENABLE_TEACHER_SCHEDULING", ""])
def test_off_nothing_is_asked_nor_moved_and_what_was_found_stays(
    plan: Plan, switches: Switches, course: Course, flag: str
) -> None:
    late = plan(at(MONDAY, 18))
    plan(at(MONDAY, 16), student=make_student("b@school.example"))
    Holiday.objects.create(name="Fair", first_on=MONDAY, last_on=MONDAY)
    search()
    before = kinds(status="open")
    assert before == ["holiday", "holiday", "outside_hours"]
    switches.kill(*filter(None, [flag]))
    BookingPolicy.objects.create(course=course, automatic_moves=True)
    Holiday.objects.all().delete()
    AvailabilityRule.objects.all().delete()
    assert search() == Found(opened=0, gone=0, settled=0)
    assert kinds(status="open") == before
    late.refresh_from_db()
    assert late.starts_at == at(MONDAY, 18)
    # The office still reads what it is about.
    assert "outside the teacher’s hours" in words("outside_hours")


def test_holidays_alone_off(plan: Plan, switches: Switches) -> None:
    plan(at(MONDAY, 16))
    Holiday.objects.create(name="Fair", first_on=MONDAY, last_on=MONDAY)
    switches.kill("ENABLE_HOLIDAY_MANAGEMENT")
    search()
    assert kinds() == []


def test_days_that_follow_each_other_are_one_run() -> None:
    days = [MONDAY + timedelta(days=number) for number in (3, 0, 1, 7)]
    found = [((a - MONDAY).days, (b - MONDAY).days) for a, b in runs(days)]
    assert found == [(0, 1), (3, 3), (7, 7)]
    assert list(runs([])) == []
