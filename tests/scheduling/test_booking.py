"""Booking, moving and cancelling: who may, until when, and what everybody is told."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from enrollment.models import Course, Enrollment, Lesson, LessonChange, Message, Student, Teacher
from enrollment.models import User as Person
from scheduling.domain.reasons import Why
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations.booking import (
    EnrollmentNotLive,
    NotPlanned,
    NotThisTeacher,
    NotYours,
    SlotTaken,
    TooLate,
    WeeksTaken,
    book_lesson,
    book_series,
    cancel_lesson,
    move_lesson,
)
from scheduling.queries.alternatives import nearest_alternatives
from scheduling.queries.availability import free_slots, moment
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("monday_hours", "no_closed_days")]
# The first Monday's three times: 16:00, 16:45 and 17:30 in Berlin.
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=45)
WEEK = timedelta(weeks=1)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(
        student=student, course=course, teacher=teacher, status="confirmed"
    )


@pytest.fixture
def lesson(enrollment: Enrollment, teacher: Teacher, student: Student) -> Lesson:
    return book_lesson(
        enrollment=enrollment, teacher=teacher, starts_at=FIRST, by=student.user, now=NOW
    )


def other_enrollment(course: Course, email: str = "ben@school.example") -> Enrollment:
    return Enrollment.objects.create(student=make_student(email), course=course, status="confirmed")


def history(lesson: Lesson) -> list[tuple[str, Any]]:
    return [(change.what, change.by) for change in lesson.changes.all()]


def free(teacher: Teacher, course: Course, student: Student) -> list[datetime]:
    return [
        moment(start)
        for start, _end in free_slots(teacher=teacher, course=course, student=student, now=NOW)
    ]


# Booking


def test_a_student_books(
    lesson: Lesson, enrollment: Enrollment, student: Student, teacher: Teacher, course: Course
) -> None:
    assert (lesson.status, lesson.enrollment, lesson.starts_at) == ("planned", enrollment, FIRST)
    assert history(lesson) == [("booked", student.user)]
    assert FIRST not in free(teacher, course, student)


def test_the_teacher_books_an_own_time(enrollment: Enrollment, teacher: Teacher) -> None:
    made = book_lesson(
        enrollment=enrollment, teacher=teacher, starts_at=FIRST, by=teacher.user, now=NOW
    )
    assert history(made) == [("booked", teacher.user)]


def test_what_is_not_offered_is_not_booked(
    enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    with pytest.raises(SlotTaken):
        book_lesson(
            enrollment=enrollment,
            teacher=teacher,
            starts_at=FIRST + timedelta(minutes=15),
            by=student.user,
            now=NOW,
        )
    assert not Lesson.objects.exists()
    assert not Message.objects.exists()


def test_the_office_books_outside_of_what_is_offered_and_never_twice(
    enrollment: Enrollment, course: Course, teacher: Teacher, staff: Person
) -> None:
    asked: dict[str, Any] = {
        "teacher": teacher,
        "starts_at": FIRST + timedelta(hours=9),
        "by": staff,
        "now": NOW,
    }
    made = book_lesson(enrollment=enrollment, **asked)
    assert history(made) == [("booked", staff)]
    with pytest.raises(SlotTaken):
        book_lesson(enrollment=other_enrollment(course), **asked)
    # The office belongs to no thread, and tells by itself.
    assert not Message.objects.exists()


def test_strangers_book_move_and_cancel_nothing(lesson: Lesson, teacher: Teacher) -> None:
    for stranger in (make_student("eve@x.example").user, make_teacher("tom@x.example").user):
        enrollment = lesson.enrollment
        assert enrollment
        with pytest.raises(NotYours):
            book_lesson(
                enrollment=enrollment, teacher=teacher, starts_at=SECOND, by=stranger, now=NOW
            )
        with pytest.raises(NotYours):
            move_lesson(lesson=lesson, teacher=teacher, starts_at=SECOND, by=stranger, now=NOW)
        with pytest.raises(NotYours):
            cancel_lesson(lesson=lesson, by=stranger, now=NOW)
    assert Lesson.objects.get() == lesson


def test_a_staff_account_without_the_permission_is_a_stranger(lesson: Lesson) -> None:
    nobody = Person.objects.create_user("desk@school.example", "correct horse", is_staff=True)
    with pytest.raises(NotYours):
        cancel_lesson(lesson=lesson, by=nobody, now=NOW)


def test_no_teacher_of_another_course(enrollment: Enrollment, student: Student) -> None:
    other = make_teacher("tom@school.example")
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts=time(16), ends=time(18))
    with pytest.raises(NotThisTeacher):
        book_lesson(enrollment=enrollment, teacher=other, starts_at=FIRST, by=student.user, now=NOW)


@pytest.mark.parametrize("status", ["completed", "declined", "cancelled"])
def test_an_enrollment_that_is_over_gets_no_lesson(
    enrollment: Enrollment, teacher: Teacher, student: Student, status: str
) -> None:
    Enrollment.objects.update(status=status)
    with pytest.raises(EnrollmentNotLive):
        book_lesson(
            enrollment=enrollment, teacher=teacher, starts_at=FIRST, by=student.user, now=NOW
        )
    assert not Lesson.objects.exists()


# Moving


def test_a_student_moves(
    lesson: Lesson, student: Student, teacher: Teacher, course: Course
) -> None:
    moved = move_lesson(
        lesson=lesson, teacher=teacher, starts_at=SECOND, by=student.user, now=NOW, reason="Dentist"
    )
    assert moved == lesson
    assert (moved.starts_at, moved.status) == (SECOND, "planned")
    assert (str(moved.local_on), moved.local_start) == ("2026-01-19", time(16, 45))
    change = LessonChange.objects.get(what="moved")
    assert change.period_before.lower == FIRST
    assert (change.teacher_before, change.by, change.reason) == (teacher, student.user, "Dentist")
    assert free(teacher, course, student)[0] == FIRST


def test_half_over_its_own_place(lesson: Lesson, student: Student, teacher: Teacher) -> None:
    """A lesson is not in its own way."""
    BookingPolicy.objects.create(step_minutes=15)
    moved = move_lesson(
        lesson=lesson,
        teacher=teacher,
        starts_at=FIRST + timedelta(minutes=15),
        by=student.user,
        now=NOW,
    )
    assert moved.starts_at == FIRST + timedelta(minutes=15)


def test_to_where_it_is(lesson: Lesson, student: Student, teacher: Teacher) -> None:
    messages = Message.objects.count()
    move_lesson(lesson=lesson, teacher=teacher, starts_at=FIRST, by=student.user, now=NOW)
    assert history(lesson) == [("booked", student.user)]
    assert Message.objects.count() == messages


def test_to_another_teacher_of_the_course(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher
) -> None:
    other = make_teacher("tom@school.example", zone="Europe/London")
    course.teachers.add(other)
    AvailabilityRule.objects.create(teacher=other, weekday=1, starts=time(9), ends=time(12))
    tuesday = datetime(2026, 1, 20, 9, 45, tzinfo=UTC)
    moved = move_lesson(lesson=lesson, teacher=other, starts_at=tuesday, by=student.user, now=NOW)
    assert (moved.teacher, moved.zone, moved.local_start) == (other, "Europe/London", time(9, 45))
    assert LessonChange.objects.get(what="moved").teacher_before == teacher
    # The one who gave it may do nothing with it any more.
    with pytest.raises(NotYours):
        cancel_lesson(lesson=moved, by=teacher.user, now=NOW)


def test_a_teacher_moves_to_an_own_time_only(
    lesson: Lesson, teacher: Teacher, course: Course
) -> None:
    move_lesson(lesson=lesson, teacher=teacher, starts_at=SECOND, by=teacher.user, now=NOW)
    other = make_teacher("tom@school.example")
    course.teachers.add(other)
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts=time(16), ends=time(18))
    with pytest.raises(NotThisTeacher):
        move_lesson(lesson=lesson, teacher=other, starts_at=FIRST, by=teacher.user, now=NOW)


def test_the_new_place_has_its_own_terms(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher
) -> None:
    BookingPolicy.objects.create(lesson_minutes=30, buffer_before=5, buffer_after=10)
    course.seats = 3
    course.save()
    later = FIRST + timedelta(minutes=60)
    moved = move_lesson(lesson=lesson, teacher=teacher, starts_at=later, by=student.user, now=NOW)
    assert moved.ends_at - moved.starts_at == timedelta(minutes=30)
    assert (moved.seats, moved.buffer_before, moved.buffer_after) == (3, 5, 10)


def test_the_office_keeps_the_length(lesson: Lesson, teacher: Teacher, staff: Person) -> None:
    BookingPolicy.objects.create(lesson_minutes=30, buffer_after=10)
    moved = move_lesson(
        lesson=lesson, teacher=teacher, starts_at=SECOND, by=staff, now=NOW, reason="Room is taken"
    )
    assert moved.ends_at - moved.starts_at == timedelta(minutes=45)
    assert moved.buffer_after == 10
    assert history(moved)[-1] == ("moved", staff)


def test_an_expired_hold_is_not_in_the_way(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher
) -> None:
    other = make_student("ben@school.example")
    hold = Lesson.objects.create(
        course=course,
        teacher=teacher,
        student=other,
        period=(SECOND, SECOND + timedelta(minutes=45)),
        local_on=SECOND.date(),
        local_start=time(16, 45),
        zone=teacher.zone,
        status="held",
        expires_at=NOW,
        buffer_before=0,
    )
    moved = move_lesson(lesson=lesson, teacher=teacher, starts_at=SECOND, by=student.user, now=NOW)
    assert moved.starts_at == SECOND
    assert not Lesson.objects.filter(pk=hold.pk).exists()


def test_a_live_hold_is(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher, staff: Person
) -> None:
    Lesson.objects.create(
        course=course,
        teacher=teacher,
        student=make_student("ben@school.example"),
        period=(SECOND, SECOND + timedelta(minutes=45)),
        local_on=SECOND.date(),
        local_start=time(16, 45),
        zone=teacher.zone,
        status="held",
        expires_at=NOW + timedelta(seconds=1),
    )
    for who in (student.user, staff):
        with pytest.raises(SlotTaken):
            move_lesson(lesson=lesson, teacher=teacher, starts_at=SECOND, by=who, now=NOW)
    lesson.refresh_from_db()
    assert lesson.starts_at == FIRST
    assert [what for what, _by in history(lesson)] == ["booked"]


# Until when


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_the_policy_says_until_when(
    lesson: Lesson, student: Student, teacher: Teacher, who: str
) -> None:
    BookingPolicy.objects.create(move_notice_hours=48, cancel_notice_hours=2)
    by = student.user if who == "student" else teacher.user
    last = FIRST - timedelta(hours=48)
    asked: dict[str, Any] = {"lesson": lesson, "teacher": teacher, "starts_at": SECOND, "by": by}
    with pytest.raises(TooLate) as late:
        move_lesson(**asked, now=last + timedelta(seconds=1))
    assert late.value.deadline == last
    with pytest.raises(TooLate) as late:
        cancel_lesson(lesson=lesson, by=by, now=FIRST - timedelta(hours=2) + timedelta(seconds=1))
    assert late.value.deadline == FIRST - timedelta(hours=2)
    assert move_lesson(**asked, now=last).starts_at == SECOND
    assert (
        cancel_lesson(lesson=lesson, by=by, now=SECOND - timedelta(hours=2)).status == "cancelled"
    )


def test_no_notice_still_ends_with_the_start(lesson: Lesson, student: Student) -> None:
    BookingPolicy.objects.create(cancel_notice_hours=0)
    with pytest.raises(TooLate):
        cancel_lesson(lesson=lesson, by=student.user, now=FIRST)


def test_the_office_is_never_too_late(lesson: Lesson, teacher: Teacher, staff: Person) -> None:
    now = FIRST + timedelta(minutes=5)
    moved = move_lesson(
        lesson=lesson, teacher=teacher, starts_at=FIRST + timedelta(days=1), by=staff, now=now
    )
    assert cancel_lesson(lesson=moved, by=staff, now=now).status == "cancelled"


# Cancelling


def test_a_cancelled_time_is_free_again(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher
) -> None:
    cancelled = cancel_lesson(lesson=lesson, by=student.user, now=NOW, reason="Ill")
    assert cancelled.status == "cancelled"
    change = LessonChange.objects.get(what="cancelled")
    assert (change.by, change.reason) == (student.user, "Ill")
    assert free(teacher, course, student)[0] == FIRST
    # Pressed twice.
    cancel_lesson(lesson=lesson, by=student.user, now=NOW)
    assert LessonChange.objects.filter(what="cancelled").count() == 1


@pytest.mark.parametrize("status", ["done", "cancelled"])
def test_only_what_is_planned_is_moved(
    lesson: Lesson, student: Student, teacher: Teacher, staff: Person, status: str
) -> None:
    Lesson.objects.update(status=status)
    for who in (student.user, staff):
        with pytest.raises(NotPlanned):
            move_lesson(lesson=lesson, teacher=teacher, starts_at=SECOND, by=who, now=NOW)


def test_a_lesson_that_was_given_is_not_cancelled(lesson: Lesson, staff: Person) -> None:
    Lesson.objects.update(status="done")
    with pytest.raises(NotPlanned):
        cancel_lesson(lesson=lesson, by=staff, now=NOW)


# What the other side reads


def test_the_teacher_reads_what_a_student_did(
    lesson: Lesson, student: Student, teacher: Teacher
) -> None:
    move_lesson(
        lesson=lesson, teacher=teacher, starts_at=SECOND, by=student.user, now=NOW, reason="Dentist"
    )
    cancel_lesson(lesson=lesson, by=student.user, now=NOW)
    booked, moved, cancelled = Message.objects.order_by("pk")
    assert {one.sender for one in (booked, moved, cancelled)} == {student.user}
    assert booked.body == (
        "A lesson was booked:\nMonday 19 January 2026, 16:00–16:45 (Europe/Berlin) with Marta Rossi"
    )
    assert moved.body.splitlines() == [
        "A lesson was moved.",
        "Before: Monday 19 January 2026, 16:00–16:45 (Europe/Berlin) with Marta Rossi",
        "Now: Monday 19 January 2026, 16:45–17:30 (Europe/Berlin) with Marta Rossi",
        "Reason: Dentist",
    ]
    assert cancelled.body.startswith("A lesson was cancelled:\nMonday 19 January 2026, 16:45")
    # The usual mail is on its way.
    readers = moved.enrollment.readers.filter(notice_next_at__isnull=False)
    assert [reader.user for reader in readers] == [teacher.user]


def test_the_student_reads_what_the_teacher_did(
    lesson: Lesson, student: Student, teacher: Teacher
) -> None:
    cancel_lesson(lesson=lesson, by=teacher.user, now=NOW)
    last = Message.objects.latest("pk")
    assert last.sender == teacher.user
    assert last.enrollment.readers.get(user=student.user).notice_next_at


def test_a_closed_thread_stops_nobody(lesson: Lesson, student: Student) -> None:
    Message.objects.all().delete()
    Enrollment.objects.update(status="completed", ended_at=NOW - timedelta(days=60))
    assert cancel_lesson(lesson=lesson, by=student.user, now=NOW).status == "cancelled"
    assert not Message.objects.exists()


# Series


def mondays(count: int) -> list[datetime]:
    return [FIRST + number * WEEK for number in range(count)]


def test_a_series(enrollment: Enrollment, teacher: Teacher, student: Student) -> None:
    done = book_series(
        enrollment=enrollment,
        teacher=teacher,
        starts=mondays(3)[::-1],
        skip=False,
        by=student.user,
        now=NOW,
    )
    assert [one.starts_at for one in done.booked] == mondays(3)
    assert done.skipped == []
    assert LessonChange.objects.filter(what="booked", by=student.user).count() == 3
    # One message for all of it.
    assert Message.objects.get().body.count("\n") == 3


@pytest.mark.parametrize("skip", [True, False])
def test_weeks_that_are_not_free(
    enrollment: Enrollment, course: Course, teacher: Teacher, student: Student, skip: bool
) -> None:
    other = other_enrollment(course)
    book_lesson(
        enrollment=other,
        teacher=teacher,
        starts_at=FIRST + WEEK,
        by=other.student.user,
        now=NOW,
    )
    asked: dict[str, Any] = {
        "enrollment": enrollment,
        "teacher": teacher,
        # The fifth Monday is 16 February: beyond the 28 days.
        "starts": mondays(5),
        "by": student.user,
        "now": NOW,
    }
    if not skip:
        with pytest.raises(WeeksTaken) as taken:
            book_series(**asked, skip=False)
        left = taken.value.weeks
        assert not Lesson.objects.filter(student=student).exists()
    else:
        done = book_series(**asked, skip=True)
        left = done.skipped
        assert [one.starts_at for one in done.booked] == [FIRST, FIRST + 2 * WEEK, FIRST + 3 * WEEK]
    assert [(one.starts_at, one.why) for one in left] == [
        (FIRST + WEEK, Why.LESSON),
        (FIRST + 4 * WEEK, Why.HORIZON),
    ]


def test_limits_count_the_series_itself(
    enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    BookingPolicy.objects.create(most_a_day=2)
    third = SECOND + timedelta(minutes=45)
    done = book_series(
        enrollment=enrollment,
        teacher=teacher,
        starts=[FIRST, SECOND, third, FIRST + WEEK],
        skip=True,
        by=student.user,
        now=NOW,
    )
    assert [one.starts_at for one in done.booked] == [FIRST, SECOND, FIRST + WEEK]
    assert [(one.starts_at, one.why) for one in done.skipped] == [(third, Why.DAY_LIMIT)]


def test_the_office_books_a_series_beyond_the_horizon(
    enrollment: Enrollment, teacher: Teacher, staff: Person
) -> None:
    done = book_series(
        enrollment=enrollment, teacher=teacher, starts=mondays(9), skip=False, by=staff, now=NOW
    )
    assert len(done.booked) == 9


# Groups


def test_a_group_is_joined_left_and_full(course: Course, teacher: Teacher) -> None:
    course.seats = 2
    course.save()
    enrollments = [other_enrollment(course, f"s{n}@school.example") for n in range(3)]
    asked: dict[str, Any] = {"teacher": teacher, "starts_at": FIRST, "now": NOW}
    made = [book_lesson(enrollment=one, **asked, by=one.student.user) for one in enrollments[:2]]
    with pytest.raises(SlotTaken):
        book_lesson(enrollment=enrollments[2], **asked, by=enrollments[2].student.user)
    cancel_lesson(lesson=made[0], by=made[0].student.user, now=NOW)
    book_lesson(enrollment=enrollments[2], **asked, by=enrollments[2].student.user)
    # Whoever is in it cannot join it once more, the office neither.
    with pytest.raises(SlotTaken):
        book_lesson(enrollment=enrollments[2], **asked, by=enrollments[2].student.user)


def test_moving_into_a_group(course: Course, teacher: Teacher, staff: Person) -> None:
    course.seats = 2
    course.save()
    one, two, three = (other_enrollment(course, f"s{n}@school.example") for n in range(3))
    asked: dict[str, Any] = {"teacher": teacher, "now": NOW}
    book_lesson(enrollment=one, starts_at=FIRST, by=one.student.user, **asked)
    second = book_lesson(enrollment=two, starts_at=SECOND, by=two.student.user, **asked)
    third = book_lesson(enrollment=three, starts_at=SECOND, by=three.student.user, **asked)
    moved = move_lesson(lesson=second, starts_at=FIRST, by=two.student.user, **asked)
    assert (moved.starts_at, moved.seats) == (FIRST, 2)
    for who in (three.student.user, staff):
        with pytest.raises(SlotTaken):
            move_lesson(lesson=third, starts_at=FIRST, by=who, **asked)


def test_a_group_keeps_its_length_when_the_policy_changes(course: Course, teacher: Teacher) -> None:
    """It is offered as it was agreed, so it can be joined as it was agreed."""
    course.seats = 2
    course.save()
    one, two = (other_enrollment(course, f"s{n}@school.example") for n in range(2))
    asked: dict[str, Any] = {"teacher": teacher, "starts_at": FIRST, "now": NOW}
    book_lesson(enrollment=one, by=one.student.user, **asked)
    BookingPolicy.objects.create(lesson_minutes=30)
    joined = book_lesson(enrollment=two, by=two.student.user, **asked)
    assert joined.ends_at - joined.starts_at == timedelta(minutes=45)


def test_a_series_of_group_lessons(course: Course, teacher: Teacher) -> None:
    course.seats = 2
    course.save()
    enrollments = [other_enrollment(course, f"s{n}@school.example") for n in range(3)]
    asked: dict[str, Any] = {"teacher": teacher, "starts": mondays(3), "now": NOW}
    for one in enrollments[:2]:
        done = book_series(enrollment=one, skip=False, by=one.student.user, **asked)
        assert len(done.booked) == 3
    with pytest.raises(WeeksTaken) as taken:
        book_series(enrollment=enrollments[2], skip=False, by=enrollments[2].student.user, **asked)
    assert {week.why for week in taken.value.weeks} == {Why.FULL}


# Alternatives


def test_the_five_nearest(
    lesson: Lesson, student: Student, course: Course, teacher: Teacher
) -> None:
    found = nearest_alternatives(
        teacher=teacher, course=course, student=student, wanted=SECOND + WEEK, now=NOW
    )
    third = timedelta(minutes=90)
    assert [moment(start) for start, _end in found] == [
        SECOND,
        FIRST + third,
        FIRST + WEEK,
        FIRST + WEEK + third,
        FIRST + 2 * WEEK,
    ]
