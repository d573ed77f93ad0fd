"""The availability function on a real PostgreSQL: what counts as busy, how many queries, which index."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import hold_slot, taken_if_blocked
from scheduling import sockets
from scheduling.domain.reasons import Why
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations.offered import check_offered
from scheduling.queries import facts
from scheduling.queries.availability import availability, free_slots, moment
from scheduling.queries.progress import live_hold
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import NOW, MakeLesson, everybody_closed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday_hours", "no_closed_days")]

# The next Monday's slots: 15:00, 15:45, 16:30 UTC.
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
SLOTS = [FIRST, FIRST + timedelta(minutes=45), FIRST + timedelta(minutes=90)]
LESSON = timedelta(minutes=45)

Ask = Callable[..., list[datetime]]
Others = tuple[Teacher, Student]


@pytest.fixture
def ask(teacher: Teacher, course: Course) -> Ask:
    def starts(**asked: Any) -> list[datetime]:
        """days: from `now` on."""
        if days := asked.pop("days", None if "only" in asked else 7):
            asked["until"] = asked.get("now", NOW) + timedelta(days=days)
        arguments: dict[str, Any] = {"teacher": teacher, "course": course, "now": NOW}
        return [moment(start) for start, _end in free_slots(**(arguments | asked))]

    return starts


@pytest.fixture
def others(db: Any) -> Others:
    return make_teacher("other@school.example"), make_student("others@school.example")


def test_the_weeks_hours_become_slots(ask: Ask) -> None:
    assert ask() == SLOTS
    assert len(ask(days=28)) == 12


@pytest.mark.parametrize("status", ["planned", "done"])
def test_lessons_are_busy(ask: Ask, make_lesson: MakeLesson, status: str) -> None:
    make_lesson(SLOTS[1], SLOTS[2], status=status)
    assert ask() == [SLOTS[0], SLOTS[2]]


def test_a_cancelled_lesson_is_free_again(ask: Ask, make_lesson: MakeLesson) -> None:
    make_lesson(SLOTS[1], SLOTS[2], status="cancelled")
    assert ask() == SLOTS


def test_a_live_hold_is_busy_an_old_one_is_not(ask: Ask, make_lesson: MakeLesson) -> None:
    hold = {"status": "held"}
    make_lesson(SLOTS[0], SLOTS[1], **hold, expires_at=NOW + timedelta(seconds=1))
    late = make_student("late@school.example")
    make_lesson(SLOTS[2], SLOTS[2] + LESSON, **hold, student=late, expires_at=NOW)
    assert ask() == SLOTS[1:]


def test_ones_own_hold_for_this_course_is_offered_again(
    ask: Ask, make_lesson: MakeLesson, student: Student, course: Course
) -> None:
    hold = make_lesson(SLOTS[0], SLOTS[1], status="held", expires_at=NOW + timedelta(minutes=10))
    assert ask(student=student) == SLOTS
    assert ask(student=make_student("other@school.example")) == SLOTS[1:]
    hold.course = Course.objects.create(title="Another", slug="another")
    hold.save()
    assert ask(student=student) == SLOTS[1:]


def test_a_hold_that_is_named_to_the_office_is_not_offered_again(
    ask: Ask, student: Student, course: Course, teacher: Teacher
) -> None:
    """Nothing gives it back before it runs out, so it could not be held."""
    hold = hold_slot(student=student, course=course, teacher=teacher, starts_at=SLOTS[0], now=NOW)
    hold.enrollment = Enrollment.objects.create(student=student, course=course)
    hold.save()
    assert ask(student=student) == SLOTS[1:]
    asked: dict[str, Any] = {"student": student, "course": course, "teacher": teacher}
    assert live_hold(**asked, starts_at=SLOTS[0], now=NOW) is None


def test_what_the_student_has_elsewhere_is_not_offered(
    ask: Ask, make_lesson: MakeLesson, student: Student, others: Others
) -> None:
    make_lesson(SLOTS[0] + timedelta(minutes=44), SLOTS[1] + LESSON, teacher=others[0])
    assert ask() == SLOTS
    assert ask(student=student) == [SLOTS[2]]


def test_a_lesson_that_reaches_into_the_last_slot_counts(ask: Ask, make_lesson: MakeLesson) -> None:
    """The last slot starts within the horizon and ends after it; so does what is in its way."""
    late = SLOTS[2] + timedelta(minutes=44)
    make_lesson(late, late + timedelta(hours=1))
    just = {"now": SLOTS[2] - timedelta(days=7) + timedelta(minutes=1), "days": 7}
    assert ask(**just) == SLOTS[:2]


def test_one_slot_is_asked_about_like_the_list(ask: Ask, make_lesson: MakeLesson) -> None:
    make_lesson(SLOTS[1], SLOTS[2])
    assert [slot for slot in SLOTS if ask(only=slot)] == [SLOTS[0], SLOTS[2]]
    for other in (
        SLOTS[0] + timedelta(minutes=1),
        SLOTS[0] + timedelta(microseconds=1),
        SLOTS[0] - timedelta(days=7),
        SLOTS[0] + timedelta(days=28),
        NOW - timedelta(days=2),
    ):
        assert ask(only=other) == [], other


def test_the_present_moment_is_rounded_up(ask: Ask) -> None:
    assert ask(now=SLOTS[0], days=1) == SLOTS
    assert ask(now=SLOTS[0] + timedelta(microseconds=1), days=1) == SLOTS[1:]


def test_validity_and_closed_days(
    ask: Ask, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def closed(**question: Any) -> Any:
        asked.append(question)
        return everybody_closed({date(2026, 1, 26): "Closed"})(**question)

    monkeypatch.setattr(sockets, "_closures", closed)
    AvailabilityRule.objects.update(valid_from=date(2026, 1, 26), valid_until=date(2026, 2, 2))
    assert {start.date() for start in ask(days=28)} == {date(2026, 2, 2)}
    first, *_ = asked
    assert (first["teachers"], first["course"]) == ((teacher.pk,), Course.objects.get().pk)
    assert first["first"] <= NOW.date() < date(2026, 2, 11) <= first["last"]


def test_a_teacher_in_another_zone(course: Course) -> None:
    far = make_teacher("far@school.example", zone="Asia/Kathmandu")
    AvailabilityRule.objects.create(teacher=far, weekday=6, starts=time(23, 15), ends=time(0))
    found = free_slots(teacher=far, course=course, now=NOW, until=NOW + timedelta(days=7))
    assert [moment(start) for start, _ in found] == [datetime(2026, 1, 18, 17, 30, tzinfo=UTC)]


def test_one_query(ask: Ask, student: Student, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        ask(student=student)


# ------------------------------------------------------------------ against SQL's own arithmetic

ORACLE = """
WITH day AS (
  SELECT generate_series(%(first)s::date, %(last)s::date, interval '1 day')::date AS on_date
), opened AS (
  SELECT (on_date + starts) AT TIME ZONE %(zone)s AS begins,
         (on_date + CASE ends WHEN '00:00' THEN interval '24 hours' ELSE ends::interval END)
           AT TIME ZONE %(zone)s AS over
    FROM day JOIN scheduling_availabilityrule
      ON teacher_id = %(teacher)s AND weekday = extract(isodow FROM on_date) - 1
     AND on_date <@ daterange(valid_from, valid_until, '[]')
), slot AS (
  SELECT tstzrange(start, start + %(length)s::interval) AS period
    FROM opened, generate_series(begins, over - %(length)s::interval, %(length)s::interval) start
   WHERE start >= %(now)s AND start < %(until)s
)
SELECT lower(period) FROM slot
 WHERE NOT EXISTS (
   SELECT 1 FROM enrollment_lesson l
    WHERE (l.teacher_id = %(teacher)s OR l.student_id = %(student)s)
      AND l.period && slot.period AND l.status <> 'cancelled'
      AND NOT (l.status = 'held' AND l.expires_at <= %(now)s)
      AND NOT (l.status = 'held' AND l.student_id = %(student)s AND l.course_id = %(course)s))
 ORDER BY 1
"""

made_lessons = st.lists(
    st.tuples(
        st.integers(0, 27),
        st.integers(8 * 12, 20 * 12),
        st.integers(1, 36),
        st.sampled_from(["planned", "done", "cancelled", "held", "expired"]),
        st.sampled_from(["teacher", "student", "both"]),
    ),
    max_size=25,
)
windows = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(6, 14),
        st.integers(1, 8),
        st.none() | st.integers(0, 20),
        st.none() | st.integers(20, 28),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda window: window[0],
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    made=made_lessons,
    open_hours=windows,
    minutes=st.sampled_from([20, 45, 60]),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
)
def test_against_sql(
    teacher: Teacher,
    course: Course,
    student: Student,
    make_lesson: MakeLesson,
    others: Others,
    made: list[tuple[int, int, int, str, str]],
    open_hours: list[tuple[int, int, int, int | None, int | None]],
    minutes: int,
    zone: str,
) -> None:
    """January and February have no change of the clock in these zones: there SQL may judge."""
    with transaction.atomic():
        teacher.zone, course.lesson_minutes = zone, minutes
        course.save()
        _fill(teacher, others, make_lesson, made, open_hours)
        found = free_slots(
            teacher=teacher,
            course=course,
            now=NOW,
            student=student,
            until=NOW + timedelta(days=28),
        )
        expected = _ask_sql(teacher, course, student)
        transaction.set_rollback(True)
    assert [moment(start) for start, _end in found] == expected


def _fill(
    teacher: Teacher,
    others: Others,
    make_lesson: MakeLesson,
    made: list[tuple[int, int, int, str, str]],
    open_hours: list[tuple[int, int, int, int | None, int | None]],
) -> None:
    AvailabilityRule.objects.filter(teacher=teacher).delete()
    today = NOW.date()
    for weekday, starts, lasts, first, last in open_hours:
        AvailabilityRule.objects.create(
            teacher=teacher,
            weekday=weekday,
            starts=time(starts),
            ends=time(starts + lasts),
            valid_from=None if first is None else today + timedelta(days=first),
            valid_until=None if last is None else today + timedelta(days=last),
        )
    for day, minute, length, status, whose in made:
        start = NOW.replace(hour=0) + timedelta(days=day, minutes=5 * minute)
        people: dict[str, Any] = {}
        if whose == "teacher":
            people["student"] = others[1]
        if whose == "student":
            people["teacher"] = others[0]
        if status in ("held", "expired"):
            late = timedelta(minutes=5 if status == "held" else -5)
            people |= {"status": "held", "expires_at": NOW + late}
        else:
            people["status"] = status
        try:
            with transaction.atomic():
                make_lesson(start, start + timedelta(minutes=5 * length), **people)
        except IntegrityError:
            continue  # The guard against double bookings: then that lesson is not there.


def _ask_sql(teacher: Teacher, course: Course, student: Student) -> list[datetime]:
    asked: dict[str, Any] = {
        "first": NOW.date() - timedelta(days=2),
        "last": NOW.date() + timedelta(days=31),
        "zone": teacher.zone,
        "teacher": teacher.pk,
        "student": student.pk,
        "course": course.pk,
        "length": timedelta(minutes=course.lesson_minutes),
        "now": NOW,
        "until": NOW + timedelta(days=28),
    }
    with connection.cursor() as cursor:
        cursor.execute(ORACLE, asked)
        return [start.astimezone(UTC) for (start,) in cursor.fetchall()]


# ------------------------------------------------------------------ the plan


@pytest.mark.usefixtures("many_lessons")
def test_the_plan_uses_both_columns_of_the_exclusion_indexes(
    teacher: Teacher, course: Course, student: Student
) -> None:
    """Without the casts only the teacher is looked up, and all of a teacher's years are read."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN {facts.OF_ONE}",
            {
                "teacher": teacher.pk,
                "student": student.pk,
                "course": course.pk,
                "since": NOW,
                "until": NOW + timedelta(days=28),
                "now": NOW,
                "apart_from": 0,
                "horizon": 28,
            },
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for index, column in (
        ("lesson_teacher_once", "teacher_id"),
        ("lesson_student_once", "student_id"),
    ):
        after = plan.split(index)[1].split("Index Cond:")[1].split("\n")[0]
        assert column in after, plan
        assert "&&" in after, plan


def test_the_statement_is_prepared(ask: Ask) -> None:
    for _ in range(3):
        ask()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%scheduling_availabilityrule%lower(period)%"],
        )
        assert cursor.fetchone()[0] >= 1


def test_the_list_and_the_guard_agree(
    ask: Ask, teacher: Teacher, course: Course, student: Student
) -> None:
    """Nothing is offered that cannot be held, and what is held is offered to nobody else."""
    for start in ask(student=student):
        hold: Lesson = hold_slot(
            student=student, course=course, teacher=teacher, starts_at=start, now=NOW
        )
        assert hold.starts_at == start
        assert start not in ask()


def test_queries_do_not_grow_with_lessons(ask: Ask, make_lesson: MakeLesson) -> None:
    with CaptureQueriesContext(connection) as before:
        ask()
    for week in range(3):
        make_lesson(SLOTS[0] + timedelta(weeks=week), SLOTS[1] + timedelta(weeks=week))
    with CaptureQueriesContext(connection) as after:
        ask()
    assert len(before) == len(after) == 1


# ------------------------------------------------------------------ what was wrong once


def test_a_far_horizon_costs_no_second_query(
    ask: Ask, course: Course, django_assert_num_queries: Any
) -> None:
    BookingPolicy.objects.create(course=course, horizon_days=60)
    BookingPolicy.objects.create(horizon_days=20)
    with django_assert_num_queries(1):
        assert len(ask(days=0)) == 8 * 3  # the Mondays of 60 days


def test_far_dates_and_half_seconds_are_no_errors(
    ask: Ask, teacher: Teacher, course: Course
) -> None:
    far = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    past = datetime(1, 1, 1, tzinfo=UTC)
    for at in (far, past):
        assert ask(only=at) == []
        assert ask(days=0, since=at, until=at) == []
    assert ask(days=0, since=NOW + timedelta(days=200)) == []
    assert len(ask(days=0, since=past, until=far)) == 12
    known = availability(teacher=teacher, course=course, now=NOW)
    assert known.why_not(far) == Why.HORIZON
    assert known.why_not(past) == Why.PAST
    assert known.why_not(SLOTS[0]) is None
    assert known.why_not(SLOTS[0] - timedelta(microseconds=1)) == Why.NO_HOURS


def test_nothing_is_said_of_days_that_were_not_asked_for(teacher: Teacher, course: Course) -> None:
    known = availability(teacher=teacher, course=course, now=NOW, until=NOW + timedelta(days=7))
    today = NOW.date()
    assert len(known.days(first=today, last=today + timedelta(days=7))) == 8
    # What is over is over, known or not.
    assert known.days(first=today - timedelta(days=40), last=today)
    with pytest.raises(ValueError, match="all the days"):
        known.days(first=today, last=today + timedelta(days=14))
    with pytest.raises(ValueError, match="all the days"):
        known.why_not(SLOTS[0] + timedelta(days=14))


def test_a_group_is_joined_as_it_was_agreed(
    ask: Ask, teacher: Teacher, course: Course, student: Student, make_lesson: MakeLesson
) -> None:
    """It was an hour for three; the course has changed since."""
    hour = timedelta(hours=1)
    for number in range(2):
        other = make_student(f"{number}@school.example")
        make_lesson(SLOTS[0], SLOTS[0] + hour, student=other, seats=3)
    with taken_if_blocked():
        asked: dict[str, Any] = {
            "teacher": teacher,
            "course": course,
            "student": student,
            "starts_at": SLOTS[0],
            "now": NOW,
        }
        hold = hold_slot(**asked, terms=check_offered(**asked))
    assert (hold.ends_at - hold.starts_at, hold.seats) == (hour, 3)
    assert SLOTS[0] not in ask()


# ------------------------------------------------------------------ no table is read as a whole


CROWD = """
WITH person AS (
  INSERT INTO enrollment_user (email, password, first_name, last_name, is_active, is_staff,
                               is_superuser, date_joined)
  SELECT 'crowd' || n || '@x.example', '!', '', '', true, false, false, now()
    FROM generate_series(1, 2000) n RETURNING id
), teacher AS (
  INSERT INTO enrollment_teacher (user_id, display_name, bio, zone)
  SELECT id, 'T', '', 'UTC' FROM person RETURNING id
), exception AS (
  INSERT INTO scheduling_availabilityexception (teacher_id, day_on, kind, note)
  SELECT id, date '2026-01-01' + 7 * n, 'replace', '' FROM teacher, generate_series(1, 5) n
), off AS (
  INSERT INTO scheduling_timeoff (teacher_id, period, reason)
  SELECT id, tstzrange(timestamptz '2026-01-01' + n * interval '9 days',
                       timestamptz '2026-01-02' + n * interval '9 days'), ''
    FROM teacher, generate_series(1, 5) n
), rule AS (
  INSERT INTO scheduling_availabilityrule (teacher_id, weekday, starts, ends)
  SELECT id, n, '09:00', '17:00' FROM teacher, generate_series(0, 4) n
)
INSERT INTO scheduling_bookingpolicy (teacher_id, horizon_days) SELECT id, 30 FROM teacher
"""


def test_no_table_is_read_as_a_whole(teacher: Teacher, course: Course, student: Student) -> None:
    """Among 2,000 teachers, the rows of one are found by an index, in each table."""
    tables = ("availabilityrule", "availabilityexception", "timeoff", "bookingpolicy")
    with connection.cursor() as cursor:
        cursor.execute(CROWD)
        for table in tables:
            cursor.execute(f"ANALYZE scheduling_{table}")
        cursor.execute(
            f"EXPLAIN {facts.OF_ONE}",
            {
                "teacher": teacher.pk,
                "student": student.pk,
                "course": course.pk,
                "since": NOW,
                "until": None,
                "now": NOW,
                "horizon": 28,
                "apart_from": 0,
            },
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for table in tables:
        assert f"scheduling_{table}" in plan
        assert f"Seq Scan on scheduling_{table}" not in plan, plan


def test_the_connection_prepares_and_compiles_nothing() -> None:
    """JIT alone costs the statement a factor of 30 to 140."""
    options = connection.settings_dict["OPTIONS"]
    assert options["server_side_binding"] is True
    assert options["prepare_threshold"] == 1
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
        cursor.execute("SHOW max_parallel_workers_per_gather")
        assert cursor.fetchone() == ("0",)
