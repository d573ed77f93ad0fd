"""What becomes free is offered to the first, held for a while, and then to the next."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import Ignore
from django.db import connection
from django.utils import timezone

from enrollment import sockets
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import CourseFull, check_can_enroll
from enrollment.operations.lessons import HOLD, delete_expired_holds, hold_slot, plan_lesson
from enrollment.operations.office import move_enrollment
from enrollment.operations.several import cancel_lessons
from rollback import drafts, switchboard
from scheduling import tasks
from scheduling.models import BookingPolicy, WaitlistEntry
from scheduling.operations import flow, waitlist
from tests.conftest import Switches, make_student, make_teacher
from tests.scheduling.conftest import NOW
from tests.scheduling.steps import FIRST
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


@pytest.fixture
def zoe(db: Any) -> Student:
    return make_student("zoe@school.example")


@pytest.fixture
def freed(student: Student, zoe: Student, course: Course, teacher: Teacher) -> WaitlistEntry:
    """Ada waited first, then Zoe; now the time is free."""
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    join(zoe, course, teacher=teacher, starts_at=SLOT, now=NOW + MINUTE)
    assert fill() == 0
    cancel(lesson)
    return entry


# ------------------------------------------------------------------ a time


def test_the_first_gets_it_and_nobody_a_second_time(freed: WaitlistEntry) -> None:
    assert fill() == 1
    assert fill() == 0
    assert held() == [("ada@school.example", NOW + OFFER)]
    entry = fresh(freed)
    assert (entry.status, entry.offered_at, entry.offer_expires_at) == (
        "offered",
        NOW,
        NOW + OFFER,
    )
    assert statuses() == ["offered", "waiting"]


def test_nothing_is_offered_to_whom_the_feature_is_off_for(
    freed: WaitlistEntry, student: Student, zoe: Student, switches: Switches
) -> None:
    """Rolled back to few: the first could not follow the mail, the next can."""
    User.objects.filter(pk=zoe.user.pk).update(is_staff=True)
    switches.share(0.01)
    switches.early_for_staff("ENABLE_TEACHER_SCHEDULING")
    assert not switchboard.is_on("ENABLE_TEACHER_SCHEDULING", student.user)
    assert fill() == 1
    assert statuses() == ["waiting", "offered"]
    # It waits on, in its place, until the feature is back.
    switches.share(100)
    assert fill(NOW + OFFER) == 1
    assert statuses() == ["offered", "expired"]


def test_when_it_runs_out_the_next_gets_it(freed: WaitlistEntry) -> None:
    fill()
    assert fill(NOW + OFFER - MINUTE) == 0
    assert fill(NOW + OFFER) == 1
    assert statuses() == ["expired", "offered"]
    # The hold that ran out was cleared by the new one, whoever came first.
    assert held() == [("zoe@school.example", NOW + 2 * OFFER)]
    delete_expired_holds(now=NOW + 2 * OFFER)
    assert fill(NOW + 2 * OFFER) == 0
    assert statuses() == ["expired", "expired"]


def test_an_offer_ends_where_it_could_not_be_booked_any_more(freed: WaitlistEntry) -> None:
    BookingPolicy.objects.create(notice_minutes=24 * 60)
    until = SLOT - timedelta(days=1)
    assert fill(until - 29 * MINUTE) == 0
    assert fill(until - 30 * MINUTE) == 1
    assert held() == [("ada@school.example", until)]


def test_the_wait_is_not_over_while_something_else_is_in_the_way(
    freed: WaitlistEntry, course: Course, teacher: Teacher
) -> None:
    half = SLOT + timedelta(minutes=20)
    lesson = take_slot(course, teacher, half, name="half")
    assert fill() == 0
    cancel(lesson)
    assert fill() == 1


def test_who_has_a_lesson_then_is_passed_over(
    freed: WaitlistEntry, student: Student, course: Course
) -> None:
    other = Course.objects.create(title="Choir", slug="choir")
    theirs = Enrollment.objects.create(student=student, course=other, status="confirmed")
    busy = make_teacher("busy@school.example")
    plan_lesson(enrollment=theirs, teacher=busy, starts_at=SLOT, now=NOW)
    assert fill() == 1
    assert statuses() == ["waiting", "offered"]


def test_who_is_just_choosing_another_time_is_passed_over_and_loses_nothing(
    freed: WaitlistEntry, student: Student, course: Course, teacher: Teacher
) -> None:
    flow.choose(student=student, course=course, teacher=teacher, starts_at=SLOT + LESSON, now=NOW)
    fill()
    assert statuses() == ["waiting", "offered"]
    assert held() == [
        ("ada@school.example", NOW + HOLD),
        ("zoe@school.example", NOW + OFFER),
    ]


@pytest.mark.parametrize("gone", ["inactive", "deleted"])
def test_who_cannot_come_any_more_is_passed_over(
    freed: WaitlistEntry, student: Student, gone: str
) -> None:
    if gone == "inactive":
        User.objects.filter(pk=student.user.pk).update(is_active=False)
    else:
        User.objects.filter(pk=student.user.pk).update(deleted_at=NOW)
    assert fill() == 1
    assert statuses() == ["waiting", "offered"]


def test_a_teacher_who_left_the_course_is_offered_to_nobody(
    freed: WaitlistEntry, zoe: Student, course: Course
) -> None:
    course.teachers.clear()
    Enrollment.objects.create(student=zoe, course=course, status="confirmed")
    assert fill() == 0


def test_each_open_seat_of_a_group_goes_to_one_who_waits(
    student: Student, zoe: Student, course: Course, teacher: Teacher
) -> None:
    course.seats = 2
    course.save()
    lessons = [take_slot(course, teacher, name=name) for name in ("one", "two")]
    for number, one in enumerate([student, zoe, make_student("max@school.example")]):
        join(one, course, teacher=teacher, starts_at=SLOT, now=NOW + number * MINUTE)
    cancel(lessons[0])
    assert fill() == 1
    cancel(lessons[1])
    assert fill() == 1
    assert statuses() == ["offered", "offered", "waiting"]


# ------------------------------------------------------------------ taken, kept, given back


def test_a_student_takes_it_through_the_steps_of_the_enrollment(
    freed: WaitlistEntry, student: Student, course: Course, teacher: Teacher
) -> None:
    fill()
    assert waitlist.take(entry=freed, now=NOW + MINUTE) is None
    draft = drafts.open_draft(student=student, course=course)
    assert draft is not None
    assert (draft.answers, draft.step) == (
        {"teacher": str(teacher.pk), "slot": FIRST},
        "details",
    )
    later = NOW + 11 * timedelta(hours=1)
    made = flow.finish(
        student=student,
        course=course,
        teacher=teacher,
        starts_at=SLOT,
        wished_times="",
        note="",
        now=later,
    )
    assert made.lessons.get().status == "planned"
    assert statuses() == ["taken", "waiting"]
    assert waitlist.take(entry=freed, now=later) == made


def test_choosing_the_offered_time_again_does_not_shorten_it(
    freed: WaitlistEntry, student: Student, course: Course, teacher: Teacher
) -> None:
    fill()
    asked: dict[str, Any] = {"student": student, "course": course, "teacher": teacher}
    flow.choose(**asked, starts_at=SLOT, now=NOW + MINUTE)
    assert held() == [("ada@school.example", NOW + OFFER)]
    # In its last minutes it is held as any other.
    late = NOW + OFFER - MINUTE
    flow.choose(**asked, starts_at=SLOT, now=late)
    assert held() == [("ada@school.example", late + HOLD)]


def test_choosing_another_time_gives_it_to_the_next(
    freed: WaitlistEntry, student: Student, course: Course, teacher: Teacher
) -> None:
    fill()
    flow.choose(student=student, course=course, teacher=teacher, starts_at=SLOT + LESSON, now=NOW)
    assert fill() == 1
    assert statuses() == ["left", "offered"]


def test_looking_around_in_other_courses_takes_no_offer_away(
    freed: WaitlistEntry, student: Student, teacher: Teacher
) -> None:
    fill()
    for number in range(4):
        other = Course.objects.create(title=f"C{number}", slug=f"c{number}", lesson_minutes=15)
        other.teachers.add(teacher)
        start = SLOT + LESSON + number * timedelta(minutes=15)
        later = NOW + OFFER - 5 * MINUTE
        flow.choose(student=student, course=other, teacher=teacher, starts_at=start, now=later)
    until = [until for email, until in held() if until == NOW + OFFER]
    assert len(until) == 1
    assert len(held()) == 4
    assert fresh(freed).status == "offered"


def test_an_offer_takes_no_hold_away(freed: WaitlistEntry, student: Student) -> None:
    others = make_teacher("other@school.example")
    for number in range(3):
        other = Course.objects.create(title=f"C{number}", slug=f"c{number}")
        start = SLOT + timedelta(days=1, hours=number)
        hold_slot(student=student, course=other, teacher=others, starts_at=start, now=NOW)
    assert fill() == 1
    assert len(held()) == 4


def test_who_is_enrolled_takes_it_with_one_press(
    freed: WaitlistEntry, student: Student, course: Course
) -> None:
    enrollment = Enrollment.objects.create(student=student, course=course, status="confirmed")
    assert fill() == 1
    hold = Lesson.objects.get(status="held")
    assert hold.enrollment == enrollment
    for _twice in range(2):
        assert waitlist.take(entry=freed, now=NOW + MINUTE) == enrollment
    hold.refresh_from_db()
    assert (hold.status, hold.enrollment, hold.expires_at) == ("planned", enrollment, None)
    assert statuses() == ["taken", "waiting"]


def test_with_the_enrollment_goes_what_is_held_for_it(
    freed: WaitlistEntry, student: Student, course: Course
) -> None:
    enrollment = Enrollment.objects.create(student=student, course=course, status="confirmed")
    fill()
    move_enrollment(enrollment=enrollment, status="cancelled", now=NOW)
    assert fill(NOW + MINUTE) == 1
    assert statuses() == ["left", "offered"]


# ------------------------------------------------------------------ a place


def test_a_place_is_kept_for_the_first(student: Student, zoe: Student, course: Course) -> None:
    owner = make_full(course)
    first = join(student, course)
    join(zoe, course, now=NOW + MINUTE)
    assert fill() == 0
    move_enrollment(enrollment=owner, status="cancelled", now=NOW)
    assert fill() == 1
    assert fill() == 0
    assert statuses() == ["offered", "waiting"]
    with pytest.raises(CourseFull):
        check_can_enroll(student=zoe, course=course, teacher=None, now=NOW)
    check_can_enroll(student=student, course=course, teacher=None, now=NOW)
    assert waitlist.take(entry=first, now=NOW) is None
    # Nobody is bound: after it has run out it is the next one's.
    check_can_enroll(student=zoe, course=course, teacher=None, now=NOW + OFFER)
    assert fill(NOW + OFFER) == 1
    with pytest.raises(CourseFull):
        check_can_enroll(student=student, course=course, teacher=None, now=NOW + OFFER)
    assert statuses() == ["expired", "offered"]


def test_who_has_taken_the_place_is_not_counted_twice(
    student: Student, zoe: Student, course: Course
) -> None:
    owner = make_full(course)
    first = join(student, course)
    move_enrollment(enrollment=owner, status="cancelled", now=NOW)
    fill()
    Course.objects.update(capacity=2)
    course.refresh_from_db()
    made = Enrollment.objects.create(student=student, course=course)
    check_can_enroll(student=zoe, course=course, teacher=None, now=NOW)
    assert waitlist.take(entry=first, now=NOW) == made
    assert statuses() == ["taken"]


def test_more_places_more_offers(student: Student, zoe: Student, course: Course) -> None:
    make_full(course)
    for number, one in enumerate([student, zoe, make_student("max@school.example")]):
        join(one, course, now=NOW + number * MINUTE)
    Course.objects.update(capacity=3)
    assert fill() == 2
    assert statuses() == ["offered", "offered", "waiting"]


def test_a_place_is_offered_only_while_one_can_enroll(student: Student, course: Course) -> None:
    make_full(course)
    join(student, course)
    Course.objects.update(capacity=2, closes_on=date(2026, 1, 14))
    midnight = datetime(2026, 1, 14, 23, 0, tzinfo=UTC)
    assert fill(midnight - 29 * MINUTE) == 0
    assert fill(midnight - 2 * timedelta(hours=1)) == 1
    assert WaitlistEntry.objects.get().offer_expires_at == midnight


# ------------------------------------------------------------------ switched off, and woken up


def test_switched_off_nothing_is_offered_and_no_place_is_kept(
    student: Student, zoe: Student, course: Course, switches: Switches
) -> None:
    owner = make_full(course)
    join(student, course)
    move_enrollment(enrollment=owner, status="cancelled", now=timezone.now())
    fill(timezone.now())
    switches.kill()
    check_can_enroll(student=zoe, course=course, teacher=None, now=timezone.now())
    with pytest.raises(Ignore):
        tasks.fill_waitlist()
    assert statuses() == ["offered"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def send(name: str, **_options: Any) -> None:
        # Conflicts are looked for as well, whatever happens to a lesson.
        if name == FILL:
            found.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    return found


FILL = "scheduling.tasks.fill_waitlist"


@pytest.mark.parametrize("how", ["one", "several", "enrollment", "leave"])
def test_whatever_becomes_free_wakes_the_waitlist_once(
    how: str,
    freed: WaitlistEntry,
    course: Course,
    teacher: Teacher,
    sent: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    lessons = [take_slot(course, teacher, SLOT + n * LESSON, name=f"o{n}") for n in (1, 2)]
    _committed()
    with django_capture_on_commit_callbacks(execute=True):
        if how == "one":
            cancel(lessons[0])
        elif how == "several":
            cancel_lessons(lessons=lessons, now=NOW)
        elif how == "enrollment":
            enrollment = lessons[0].enrollment
            assert enrollment is not None
            move_enrollment(enrollment=enrollment, status="cancelled", now=NOW)
        else:
            waitlist.leave(entry=freed, now=NOW)
    assert sent == [FILL]


def _committed() -> None:
    """As if it were: what follows is asked for once in a transaction, and this test is one."""
    connection.run_on_commit.clear()


def test_without_anybody_who_waits_or_switched_off_nobody_is_woken(
    course: Course,
    teacher: Teacher,
    student: Student,
    sent: list[str],
    switches: Switches,
    django_capture_on_commit_callbacks: Any,
) -> None:
    lesson, later = take_slot(course, teacher), take_slot(course, teacher, SLOT + LESSON, "later")
    _committed()
    with django_capture_on_commit_callbacks(execute=True):
        cancel(lesson)
    assert sent == []
    join(student, course, teacher=teacher, starts_at=SLOT + LESSON)
    switches.kill()
    _committed()
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        cancel(later)
    assert callbacks
    assert sent == []


def test_with_nothing_plugged_in_the_ground_floor_goes_on(
    course: Course,
    teacher: Teacher,
    student: Student,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    monkeypatch.setattr(sockets, "_became_free", sockets._nobody_waits)
    monkeypatch.setattr(sockets, "_reserved_places", sockets._none_reserved)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        cancel(take_slot(course, teacher))
    assert len(callbacks) == 1
    check_can_enroll(student=student, course=course, teacher=None, now=NOW)


def test_what_is_held_for_who_waited_is_no_contradiction(
    student: Student, course: Course, teacher: Teacher
) -> None:
    """A hold that nobody fills in a form for, and still has its reason; also while all is off."""
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill(now=NOW)
    entry.refresh_from_db()
    assert entry.hold_id is not None
    assert set(sockets.waited_for([entry.hold_id, 0]) or ()) == {entry.hold_id}
