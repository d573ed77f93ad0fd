"""Whatever people, the office and crashes do, in any order: bookings that never lie.

Real PostgreSQL, real commits; a crash ends the database session of whoever is just booking. The laws:
nothing overlaps, no acknowledged booking is lost, nothing can be booked that was not offered, and
nothing is offered that cannot be booked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from enrollment.domain.clock import NoSuchTime
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, User
from enrollment.operations.enroll import EnrollmentRefused
from enrollment.operations.lessons import SlotTaken, delete_expired_holds
from enrollment.operations.office import plan_by_hand
from scheduling.models import AvailabilityException, AvailabilityRule, BookingPolicy, TimeOff
from scheduling.operations import booking, flow
from scheduling.operations.flow import hold_free_slot
from scheduling.queries.availability import availability, moment
from tests.conftest import make_student, make_teacher

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_closed_days"),
]

# The Friday before the clocks of Berlin go forward; 12:00 there.
BEGIN = datetime(2026, 3, 27, 11, 0, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York")
DAYS = 10

people = st.integers(0, 2)
two = st.integers(0, 1)
weekdays = st.integers(0, 6)
hours = st.integers(0, 23)
minutes = st.sampled_from([0, 15, 30])
days = st.integers(0, DAYS)
picks = st.integers(0, 10_000)


@dataclass
class Known:
    """What somebody was told they have. period: None once they were told that it is cancelled."""

    teacher: int
    student: int
    period: DateTimeTZRange | None


@dataclass
class Books:
    """Acknowledged, by the lesson's key."""

    lessons: dict[int, Known] = field(default_factory=dict)

    def acknowledged(self, lesson: Lesson) -> None:
        self.lessons[lesson.pk] = Known(lesson.teacher_id, lesson.student_id, lesson.period)

    def cancelled(self, lesson: Lesson) -> None:
        self.lessons[lesson.pk].period = None


class BookingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        empty_the_school()
        self.now = BEGIN
        self.office = User.objects.create_superuser("office@school.example", "correct horse")
        self.teachers = [make_teacher(f"t{n}@school.example", zone) for n, zone in enumerate(ZONES)]
        self.students = [make_student(f"s{n}@school.example", ZONES[n % 2]) for n in range(3)]
        self.courses = [
            Course.objects.create(title="Alone", slug="alone", lesson_minutes=45, capacity=3),
            Course.objects.create(
                title="Group", slug="group", lesson_minutes=60, capacity=3, seats=2
            ),
        ]
        for course in self.courses:
            course.teachers.set(self.teachers)
        for teacher in self.teachers:
            AvailabilityRule.objects.create(
                teacher=teacher, weekday=0, starts=time(9), ends=time(12)
            )
        self.books = Books()

    # ------------------------------------------------------------------ students and teachers

    @rule(student=people, course=two, teacher=two, pick=picks)
    def hold(self, student: int, course: int, teacher: int, pick: int) -> None:
        who = self.students[student]
        if self._enrollment(who, self.courses[course]):
            return
        start = self._pick_offered(student, course, teacher, pick)
        if start is None:
            return
        # Nobody else is here: what is offered can be held.
        hold_free_slot(
            student=who,
            course=self.courses[course],
            teacher=self.teachers[teacher],
            starts_at=start,
            now=self.now,
        )

    @rule(student=people, course=two, teacher=two, pick=picks)
    def enroll(self, student: int, course: int, teacher: int, pick: int) -> None:
        start = self._pick_offered(student, course, teacher, pick)
        if start is None:
            return
        try:
            made = flow.finish(
                student=self.students[student],
                course=self.courses[course],
                teacher=self.teachers[teacher],
                starts_at=start,
                wished_times="",
                note="",
                now=self.now,
            )
        except EnrollmentRefused:
            assert self._enrollment(self.students[student], self.courses[course])
        else:
            self.books.acknowledged(made.lessons.get())

    @rule(student=people, course=two, teacher=two, pick=picks)
    def book(self, student: int, course: int, teacher: int, pick: int) -> None:
        enrollment = self._enrollment(self.students[student], self.courses[course])
        start = self._pick_offered(student, course, teacher, pick)
        if enrollment is None or start is None:
            return
        self.books.acknowledged(self._book(enrollment, teacher, start))

    @rule(student=people, course=two, teacher=two, day=days, hour=hours, minute=minutes)
    def ask_for_any_time(
        self, student: int, course: int, teacher: int, day: int, hour: int, minute: int
    ) -> None:
        """Offered or not: the answer agrees with the list."""
        enrollment = self._enrollment(self.students[student], self.courses[course])
        if enrollment is None:
            return
        start = self.now.replace(hour=hour, minute=minute) + timedelta(days=day)
        is_offered = start in self._offered(student, course, teacher)
        try:
            lesson = self._book(enrollment, teacher, start)
        except SlotTaken:
            assert not is_offered
        else:
            assert is_offered
            self.books.acknowledged(lesson)

    @rule(pick=picks, teacher=two, slot=picks, by_teacher=st.booleans())
    def move(self, pick: int, teacher: int, slot: int, by_teacher: bool) -> None:
        lesson = self._pick_lesson(pick)
        if lesson is None:
            return
        by = (lesson.teacher if by_teacher else lesson.student).user
        offered = self._offered_instead(lesson, teacher)
        if not offered:
            return
        start = offered[slot % len(offered)]
        try:
            moved = booking.move_lesson(
                lesson=lesson, teacher=self.teachers[teacher], starts_at=start, by=by, now=self.now
            )
        except booking.TooLate as late:
            in_time = self.now <= late.deadline and self.now < lesson.starts_at
            assert not in_time
        except booking.NotThisTeacher:
            assert by_teacher
            assert lesson.teacher != self.teachers[teacher]
        else:
            self.books.acknowledged(moved)
            assert moved.starts_at == start

    @rule(pick=picks, by=st.sampled_from(["student", "teacher", "office"]))
    def cancel(self, pick: int, by: str) -> None:
        lesson = self._pick_lesson(pick)
        if lesson is None:
            return
        who = self.office if by == "office" else getattr(lesson, by).user
        try:
            booking.cancel_lesson(lesson=lesson, by=who, now=self.now)
        except booking.TooLate:
            assert by != "office"
        else:
            self.books.cancelled(lesson)

    @rule(student=people, course=two, teacher=two, pick=picks, every=two)
    def series(self, student: int, course: int, teacher: int, pick: int, every: int) -> None:
        enrollment = self._enrollment(self.students[student], self.courses[course])
        start = self._pick_offered(student, course, teacher, pick)
        if enrollment is None or start is None:
            return
        made = booking.book_series(
            enrollment=enrollment,
            teacher=self.teachers[teacher],
            starts=[start + timedelta(weeks=n * (every + 1)) for n in range(3)],
            skip=True,
            by=enrollment.student.user,
            now=self.now,
        )
        assert start in [lesson.starts_at for lesson in made.booked]
        for lesson in made.booked:
            self.books.acknowledged(lesson)

    # ------------------------------------------------------------------ the office, and time

    @rule(pick=picks, teacher=two, day=days, hour=hours, minute=minutes)
    def plan_by_hand(self, pick: int, teacher: int, day: int, hour: int, minute: int) -> None:
        """Under no policy, and under the same guard."""
        enrollments = list(Enrollment.objects.order_by("pk"))
        if not enrollments:
            return
        try:
            lesson = plan_by_hand(
                enrollment=enrollments[pick % len(enrollments)],
                teacher=self.teachers[teacher],
                on=(self.now + timedelta(days=day)).date(),
                at=time(hour, minute),
                now=self.now,
                by=self.office,
            )
        except (SlotTaken, NoSuchTime):
            return
        self.books.acknowledged(lesson)

    @rule(later=st.sampled_from([1, 9, 11, 90, 60 * 14, 60 * 40]), cleaned=st.booleans())
    def time_passes(self, later: int, cleaned: bool) -> None:
        self.now += timedelta(minutes=later)
        if cleaned:
            delete_expired_holds(now=self.now)

    @rule(teacher=two, weekday=weekdays, hour=hours, night=st.booleans(), weeks=st.integers(1, 2))
    def new_hours(self, teacher: int, weekday: int, hour: int, night: bool, weeks: int) -> None:
        AvailabilityRule.objects.filter(teacher=self.teachers[teacher], weekday=weekday).delete()
        AvailabilityRule.objects.create(
            teacher=self.teachers[teacher],
            weekday=weekday,
            starts=time(22 if night else min(hour, 19)),
            ends=time(1) if night else time(min(hour, 19) + 3),
            ends_next_day=night,
            every_weeks=weeks,
            valid_from=date(2026, 3, 2),
        )

    @rule(teacher=two, day=days, kind=st.sampled_from(["closed", "other", "more"]))
    def exception(self, teacher: int, day: int, kind: str) -> None:
        on = BEGIN.date() + timedelta(days=day)
        rows = AvailabilityException.objects.filter(teacher=self.teachers[teacher], day_on=on)
        rows.delete()
        hours = {} if kind == "closed" else {"starts": time(14), "ends": time(17, 30)}
        AvailabilityException.objects.create(
            teacher=self.teachers[teacher],
            day_on=on,
            kind="add" if kind == "more" else "replace",
            **hours,
        )

    @rule(teacher=two, day=days, hour=hours, back=st.booleans())
    def time_off(self, teacher: int, day: int, hour: int, back: bool) -> None:
        if back:
            TimeOff.objects.filter(teacher=self.teachers[teacher]).delete()
            return
        start = BEGIN.replace(hour=hour) + timedelta(days=day)
        TimeOff.objects.create(
            teacher=self.teachers[teacher],
            period=DateTimeTZRange(start, start + timedelta(hours=5)),
        )

    @rule(
        teacher=st.sampled_from([None, 0, 1]),
        course=st.sampled_from([None, 0, 1]),
        values=st.fixed_dictionaries(
            {},
            optional={
                "step_minutes": st.sampled_from([15, 30]),
                "lesson_minutes": st.sampled_from([30, 60]),
                "buffer_before": st.sampled_from([0, 5]),
                "buffer_after": st.sampled_from([0, 10]),
                "notice_minutes": st.sampled_from([0, 120, 1440]),
                "horizon_days": st.sampled_from([3, 10, 40]),
                "most_a_day": st.sampled_from([1, 2]),
                "most_a_week": st.sampled_from([2, 3]),
                "move_notice_hours": st.sampled_from([0, 48]),
                "cancel_notice_hours": st.sampled_from([0, 48]),
            },
        ),
    )
    def policy(self, teacher: int | None, course: int | None, values: dict[str, int]) -> None:
        whose = {
            "teacher": None if teacher is None else self.teachers[teacher],
            "course": None if course is None else self.courses[course],
        }
        BookingPolicy.objects.filter(**whose).delete()
        BookingPolicy.objects.create(**whose, **values)

    @rule(
        student=people,
        course=two,
        teacher=two,
        pick=picks,
        at=st.sampled_from(["INSERT", "UPDATE"]),
    )
    def crash(self, student: int, course: int, teacher: int, pick: int, at: str) -> None:
        """The session ends in the middle of a booking, or of a move. Nobody was told anything."""
        enrollment = self._enrollment(self.students[student], self.courses[course])
        start = self._pick_offered(student, course, teacher, pick)
        lesson = self._pick_lesson(pick)
        if enrollment is None or start is None or (at == "UPDATE" and lesson is None):
            return
        before = rows()
        if at == "INSERT":
            error = killed_after(at, lambda: self._book(enrollment, teacher, start))
        else:
            assert lesson is not None
            there = self._offered_instead(lesson, self.teachers.index(lesson.teacher))
            offered = [at for at in there if at != lesson.starts_at]
            if not offered or lesson.starts_at < self.now + timedelta(hours=48):
                return
            error = killed_after(at, lambda: self._move(lesson, offered[pick % len(offered)]))
        assert isinstance(error, psycopg.errors.AdminShutdown), error
        assert rows() == before

    # ------------------------------------------------------------------ the laws

    @invariant()
    def nothing_overlaps(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(OVERLAPS)
            assert cursor.fetchall() == []

    @invariant()
    def no_group_is_overfull(self) -> None:
        groups: dict[Any, list[int]] = {}
        for lesson in Lesson.objects.exclude(status="cancelled").filter(seats__gt=1):
            if lesson.expires_at is not None and lesson.expires_at <= self.now:
                continue
            key = (lesson.teacher_id, lesson.course_id, lesson.period)
            groups.setdefault(key, []).append(lesson.seats)
        assert all(len(seats) <= max(seats) for seats in groups.values())

    @invariant()
    def every_acknowledged_booking_is_there(self) -> None:
        found = {lesson.pk: lesson for lesson in Lesson.objects.exclude(status="held")}
        assert set(found) == set(self.books.lessons)
        for pk, known in self.books.lessons.items():
            lesson = found[pk]
            if known.period is None:
                assert lesson.status == "cancelled"
                continue
            assert lesson.status == "planned"
            told = (known.teacher, known.student, known.period)
            assert (lesson.teacher_id, lesson.student_id, lesson.period) == told

    @invariant()
    def every_lesson_tells_its_history(self) -> None:
        cancelled = Lesson.objects.filter(status="cancelled").values_list("pk", flat=True)
        told = LessonChange.objects.filter(what="cancelled").values_list("lesson_id", flat=True)
        assert sorted(cancelled) == sorted(told)

    @precondition(lambda self: Enrollment.objects.exists())
    @rule(pick=picks, teacher=two)
    def what_is_offered_is_what_can_be_booked(self, pick: int, teacher: int) -> None:
        """Every start of the quarter-hour grid of two days, tried for real and taken back."""
        enrollments = list(Enrollment.objects.order_by("pk"))
        enrollment = enrollments[pick % len(enrollments)]
        offered = set(
            self._offered(
                self.students.index(enrollment.student),
                self.courses.index(enrollment.course),
                teacher,
            )
        )
        near = sorted(offered)[pick % len(offered)] if offered else self.now
        start = near.replace(minute=0, second=0) - timedelta(hours=3)
        tried = [start + timedelta(minutes=15 * n) for n in range(24)]
        bookable = {at for at in tried if self._can_book(enrollment, teacher, at)}
        assert bookable == offered & set(tried)

    # ------------------------------------------------------------------ helpers

    def _can_book(self, enrollment: Enrollment, teacher: int, start: datetime) -> bool:
        with transaction.atomic():
            try:
                self._book(enrollment, teacher, start)
            except SlotTaken:
                return False
            transaction.set_rollback(True)
        return True

    def _book(self, enrollment: Enrollment, teacher: int, start: datetime) -> Lesson:
        return booking.book_lesson(
            enrollment=enrollment,
            teacher=self.teachers[teacher],
            starts_at=start,
            by=enrollment.student.user,
            now=self.now,
        )

    def _move(self, lesson: Lesson, start: datetime) -> Lesson:
        return booking.move_lesson(
            lesson=lesson,
            teacher=lesson.teacher,
            starts_at=start,
            by=lesson.student.user,
            now=self.now,
        )

    def _offered(self, student: int, course: int, teacher: int) -> list[datetime]:
        known = availability(
            teacher=self.teachers[teacher],
            course=self.courses[course],
            student=self.students[student],
            now=self.now,
        )
        return [moment(start) for start, _end in known.slots()]

    def _offered_instead(self, lesson: Lesson, teacher: int) -> list[datetime]:
        known = availability(
            teacher=self.teachers[teacher],
            course=lesson.course,
            student=lesson.student,
            now=self.now,
            apart_from=lesson,
        )
        return [moment(start) for start, _end in known.slots()]

    def _pick_offered(self, student: int, course: int, teacher: int, pick: int) -> datetime | None:
        offered = self._offered(student, course, teacher)
        return offered[pick % len(offered)] if offered else None

    def _pick_lesson(self, pick: int) -> Lesson | None:
        lessons = list(
            Lesson.objects.filter(status="planned")
            .select_related("course", "teacher__user", "student__user", "enrollment")
            .order_by("pk")
        )
        return lessons[pick % len(lessons)] if lessons else None

    def _enrollment(self, student: Student, course: Course) -> Enrollment | None:
        return Enrollment.objects.filter(student=student, course=course).first()


OVERLAPS = """
SELECT one.id, other.id
  FROM enrollment_lesson one JOIN enrollment_lesson other ON one.id < other.id
 WHERE one.status <> 'cancelled' AND other.status <> 'cancelled'
   AND ((one.student_id = other.student_id AND one.period && other.period)
     OR (one.teacher_id = other.teacher_id AND one.busy && other.busy
         AND NOT (one.seats > 1 AND other.seats > 1 AND one.period = other.period
                  AND one.course_id = other.course_id)))
"""


def rows() -> list[Any]:
    lessons = Lesson.objects.exclude(status="held").order_by("pk")
    return list(lessons.values_list("pk", "teacher", "period", "status"))


def killed_after(word: str, work: Callable[[], Any]) -> BaseException | None:
    """What `work` raised whose session ended right after it wrote to the lessons, before its commit."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with ending_the_session(word):
                work()
        except BaseException as error:  # told to the test's own thread
            raised.append(error)
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@contextmanager
def ending_the_session(word: str) -> Iterator[None]:
    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = run(sql, params, many, context)
        text = " ".join(sql.split()).replace('"', "")
        if text.startswith((f"{word} INTO enrollment_lesson ", f"{word} enrollment_lesson ")):
            connection.connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return result

    with connection.execute_wrapper(execute):
        yield


def empty_the_school() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE enrollment_user, enrollment_course CASCADE")


def test_bookings_never_lie() -> None:
    # Fixed, so that CI asks the same each time.
    run_state_machine_as_test(
        BookingMachine,
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            # The steps of a failure are told anyway; to make them fewer would take minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
