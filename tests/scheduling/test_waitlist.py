"""Who may wait for what, and how waiting ends."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import (
    AlreadyEnrolled,
    CourseClosed,
    CourseFull,
    TeacherNotOfCourse,
    enroll,
)
from enrollment.operations.lessons import hold_slot
from scheduling.domain.reasons import Why
from scheduling.domain.waiting import (
    LIVE_ENTRY,
    MOST_ENTRIES,
    SHORTEST_OFFER,
    WAITLIST_STEPS,
    WaitlistStatus,
)
from scheduling.models import AvailabilityRule, BookingPolicy, WaitlistEntry
from scheduling.operations import waitlist
from scheduling.operations.personal import WAITLIST
from scheduling.operations.waitlist import (
    AlreadyWaiting,
    CannotBecomeFree,
    OfferOver,
    StillFree,
    TooManyEntries,
)
from scheduling.queries.waitlist import standings
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.waiting import (
    MINUTE,
    OFFER,
    SLOT,
    cancel,
    fill,
    fresh,
    held,
    join,
    make_full,
    statuses,
    take_slot,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("monday_hours", "no_closed_days"),
]
LESSON = timedelta(minutes=45)

# ------------------------------------------------------------------ what one may wait for


def test_a_taken_time_may_be_waited_for(student: Student, course: Course, teacher: Teacher) -> None:
    take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    assert (entry.status, entry.teacher, entry.starts_at) == ("waiting", teacher, SLOT)


def test_so_may_one_that_is_held_or_beside_a_lesson_or_over_the_limit(
    student: Student, course: Course, teacher: Teacher
) -> None:
    rival = make_student("rival@school.example")
    hold_slot(student=rival, course=course, teacher=teacher, starts_at=SLOT, now=NOW)
    join(student, course, teacher=teacher, starts_at=SLOT)
    BookingPolicy.objects.create(buffer_before=15)
    join(student, course, teacher=teacher, starts_at=SLOT + LESSON)
    BookingPolicy.objects.update(most_a_day=1)
    join(student, course, teacher=teacher, starts_at=SLOT + 2 * LESSON)


def test_and_a_full_group(student: Student, course: Course, teacher: Teacher) -> None:
    course.seats = 2
    course.save()
    for name in ("one", "two"):
        with pytest.raises(StillFree):
            join(student, course, teacher=teacher, starts_at=SLOT)
        take_slot(course, teacher, name=name)
    join(student, course, teacher=teacher, starts_at=SLOT)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (SLOT + 10 * MINUTE, Why.NO_HOURS),
        (SLOT + timedelta(microseconds=1), Why.NO_HOURS),
        (SLOT + timedelta(days=1), Why.NO_HOURS),
        (SLOT - timedelta(weeks=1), Why.PAST),
        (SLOT + timedelta(weeks=5), Why.HORIZON),
    ],
)
def test_nobody_waits_for_what_no_cancellation_gives(
    student: Student, course: Course, teacher: Teacher, start: datetime, why: Why
) -> None:
    with pytest.raises(CannotBecomeFree) as refused:
        join(student, course, teacher=teacher, starts_at=start)
    assert refused.value.why == why
    assert not WaitlistEntry.objects.exists()


def test_nor_for_what_is_too_soon(student: Student, course: Course, teacher: Teacher) -> None:
    take_slot(course, teacher)
    BookingPolicy.objects.create(notice_minutes=6 * 1440)
    with pytest.raises(CannotBecomeFree) as refused:
        join(student, course, teacher=teacher, starts_at=SLOT)
    assert refused.value.why == Why.NOTICE


def test_nor_for_what_could_not_be_offered_any_more(
    student: Student, course: Course, teacher: Teacher
) -> None:
    """An offer of less than half an hour is none: the time is then free for everybody."""
    lesson = take_slot(course, teacher)
    last = SLOT - timedelta(hours=12) - SHORTEST_OFFER
    BookingPolicy.objects.create(notice_minutes=12 * 60)
    with pytest.raises(CannotBecomeFree) as refused:
        join(student, course, teacher=teacher, starts_at=SLOT, now=last + MINUTE)
    assert refused.value.why == Why.NOTICE
    join(student, course, teacher=teacher, starts_at=SLOT, now=last)
    cancel(lesson)
    assert fill(now=last) == 1


def test_nor_for_ones_own_lesson(
    student: Student, course: Course, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    make_lesson(SLOT, SLOT + LESSON)
    with pytest.raises(CannotBecomeFree) as refused:
        join(student, course, teacher=teacher, starts_at=SLOT)
    assert refused.value.why == Why.OWN_LESSON


def test_nor_for_what_is_free(student: Student, course: Course, teacher: Teacher) -> None:
    with pytest.raises(StillFree):
        join(student, course, teacher=teacher, starts_at=SLOT)
    with pytest.raises(StillFree):
        join(student, course)


def test_nor_with_a_teacher_of_other_courses(student: Student, course: Course) -> None:
    other = make_teacher("other@school.example")
    with pytest.raises(TeacherNotOfCourse):
        join(student, course, teacher=other, starts_at=SLOT)
    Enrollment.objects.create(student=student, course=course)
    with pytest.raises(TeacherNotOfCourse):
        join(student, course, teacher=other, starts_at=SLOT)


def test_nor_for_a_place_where_one_cannot_enroll_anyway(student: Student, course: Course) -> None:
    make_full(course)
    Course.objects.update(closes_on=date(2026, 1, 13))
    course.refresh_from_db()
    with pytest.raises(CourseClosed):
        join(student, course)
    Enrollment.objects.create(student=student, course=course)
    with pytest.raises(AlreadyEnrolled):
        join(student, course)


def test_nor_for_a_time_in_a_full_course(
    student: Student, course: Course, teacher: Teacher
) -> None:
    """First a place, then a time."""
    take_slot(course, teacher)
    course.capacity = 1
    course.save()
    with pytest.raises(CourseFull):
        join(student, course, teacher=teacher, starts_at=SLOT)
    join(student, course)


def test_nor_twice_for_the_same(student: Student, course: Course) -> None:
    make_full(course)
    entry = join(student, course)
    with pytest.raises(AlreadyWaiting):
        join(student, course)
    with pytest.raises(IntegrityError), transaction.atomic():
        WaitlistEntry.objects.create(student=student, course=course, created_at=NOW)
    assert waitlist.leave(entry=entry, now=NOW)
    join(student, course)
    assert statuses() == ["left", "waiting"]


def test_nor_for_too_much_at_once(student: Student, course: Course, teacher: Teacher) -> None:
    AvailabilityRule.objects.update(starts="10:00")
    for number in range(MOST_ENTRIES + 1):
        take_slot(course, teacher, SLOT - number * LESSON, name=f"owner{number}")
    for number in range(MOST_ENTRIES):
        join(student, course, teacher=teacher, starts_at=SLOT - number * LESSON)
    with pytest.raises(TooManyEntries):
        join(student, course, teacher=teacher, starts_at=SLOT - MOST_ENTRIES * LESSON)


@pytest.mark.parametrize(
    "values",
    [
        {"starts_at": SLOT},
        {"status": "offered"},
        {"status": "left"},
        {"ended_at": NOW},
    ],
)
def test_the_database_refuses_rows_that_mean_nothing(
    student: Student, course: Course, values: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        WaitlistEntry.objects.create(student=student, course=course, created_at=NOW, **values)


# ------------------------------------------------------------------ how it ends


def test_leaving_an_offer_gives_it_to_the_next(
    student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    first = join(student, course, teacher=teacher, starts_at=SLOT)
    second = make_student("zoe@school.example")
    join(second, course, teacher=teacher, starts_at=SLOT, now=NOW + MINUTE)
    cancel(lesson)
    assert fill() == 1
    assert waitlist.leave(entry=first, now=NOW)
    assert not waitlist.leave(entry=first, now=NOW)
    assert held() == []
    assert fill(NOW + MINUTE) == 1
    assert statuses() == ["left", "offered"]
    assert held() == [("zoe@school.example", NOW + MINUTE + OFFER)]


def test_a_time_that_begins_and_a_course_that_closes_end_the_waiting(
    student: Student, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    join(student, course, teacher=teacher, starts_at=SLOT)
    course.capacity = 1
    course.save()
    join(make_student("zoe@school.example"), course)
    waitlist.settle(now=SLOT - MINUTE)
    assert statuses() == ["waiting", "waiting"]
    waitlist.settle(now=SLOT)
    assert statuses() == ["expired", "waiting"]
    Course.objects.update(closes_on=date(2026, 1, 19))
    waitlist.settle(now=datetime(2026, 1, 19, 22, 59, tzinfo=UTC))
    assert statuses() == ["expired", "waiting"]
    waitlist.settle(now=datetime(2026, 1, 19, 23, 0, tzinfo=UTC))
    assert statuses() == ["expired", "expired"]


def test_who_got_it_another_way_waits_no_more(
    student: Student, course: Course, teacher: Teacher
) -> None:
    owner = make_full(course)
    join(student, course)
    owner.delete()
    enroll(
        student=student,
        course=course,
        teacher=None,
        wished_times="",
        note="",
        flow="original",
        now=NOW,
    )
    assert fill() == 0
    assert statuses() == ["taken"]


def test_what_is_over_is_kept_for_a_while_and_then_deleted(
    student: Student, course: Course
) -> None:
    make_full(course)
    waitlist.leave(entry=join(student, course), now=NOW)
    assert [one.status for one in standings(student, now=NOW + timedelta(days=13))] == ["left"]
    assert standings(student, now=NOW + timedelta(days=15)) == []
    fill(NOW + timedelta(days=89))
    assert statuses() == ["left"]
    fill(NOW + timedelta(days=90))
    assert statuses() == []


def test_the_office_removes_somebody_and_what_is_held_for_them(
    student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    waitlist.remove(entry=fresh(entry))
    assert held() == []
    assert not WaitlistEntry.objects.exists()


def test_place_in_line_counts_those_before(
    student: Student, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    waiting = [make_student(f"w{number}@school.example") for number in range(2)]
    for number, one in enumerate([*waiting, student]):
        join(one, course, teacher=teacher, starts_at=SLOT, now=NOW + number * MINUTE)
    course.capacity = 1
    course.save()
    join(student, course, now=NOW + 5 * MINUTE)
    assert [(one.entry.starts_at, one.place) for one in standings(student, now=NOW)] == [
        (SLOT, 3),
        (None, 1),
    ]


def test_taking_what_is_over_or_never_was_offered_is_refused(
    student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    with pytest.raises(OfferOver):
        waitlist.take(entry=entry, now=NOW)
    cancel(lesson)
    fill()
    with pytest.raises(OfferOver):
        waitlist.take(entry=entry, now=NOW + OFFER)
    Lesson.objects.filter(status="held").delete()
    with pytest.raises(OfferOver):
        waitlist.take(entry=entry, now=NOW)


def test_the_table_of_states() -> None:
    assert set(WAITLIST_STEPS) == set(WaitlistStatus) == set(WaitlistEntry.Status.values)
    assert all(WAITLIST_STEPS[status] for status in LIVE_ENTRY)
    assert not any(WAITLIST_STEPS[one] for one in WaitlistStatus if one not in LIVE_ENTRY)


def test_what_is_kept_is_copied_and_erased(
    student: Student, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    join(student, course, teacher=teacher, starts_at=SLOT)
    other = make_student("zoe@school.example")
    join(other, course, teacher=teacher, starts_at=SLOT)
    user: User = student.user
    assert WAITLIST.concerns(user=user)
    [copied] = WAITLIST.export(user=user)["entries"]
    assert (copied["teacher"], copied["starts_at"], copied["status"]) == (
        "Marta Rossi",
        SLOT,
        "waiting",
    )
    WAITLIST.erase(user=user, now=NOW)
    assert not WAITLIST.concerns(user=user)
    WAITLIST.erase(user=teacher.user, now=NOW)
    assert statuses() == ["expired"]
