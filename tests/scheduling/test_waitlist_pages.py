"""The waitlist's pages, with nothing but forms and links."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.office import move_enrollment
from scheduling.models import AvailabilityRule, BookingPolicy, WaitlistEntry
from tests.conftest import Switches, make_student
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.steps import CHOOSE, CONFIRM, DETAILS, FIRST, SECOND, everything, slots_on
from tests.scheduling.waiting import (
    MINUTE,
    OFFER,
    SLOT,
    cancel,
    fill,
    held,
    join,
    make_full,
    statuses,
    take_slot,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "no_closed_days"),
]
WAIT = "/schedule/violin/wait/"
MINE = "/schedule/my/waitlist/"


def taken_on(page: Any) -> list[str]:
    return [slot.value for day in page.context["offer"].taken for slot in day.slots]


def press(client: Client, entry: WaitlistEntry, what: str) -> Any:
    return client.post(f"{MINE}{entry.pk}/{what}/")


# ------------------------------------------------------------------ joining


def test_taken_times_stand_below_the_free_ones_each_with_a_button(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    page = as_student.get(CHOOSE)
    assert FIRST not in slots_on(page)
    assert taken_on(page) == [FIRST]
    html = page.content.decode()
    assert re.search(rf'<button[^>]*name="slot"[^>]*value="{FIRST}"', html)
    assert "Tell me when a time is free" in html
    waits = as_student.post(WAIT, {"teacher": teacher.pk, "slot": FIRST})
    assert (waits.status_code, waits["Location"]) == (303, MINE)
    mine = as_student.get(MINE).content.decode()
    for words in (
        "You are on the waitlist.",
        "Monday 19 January, 16:00",
        "You are the first in line.",
    ):
        assert words in mine
    again = as_student.get(CHOOSE).content.decode()
    assert "you wait" in again
    assert not re.search(rf'<button[^>]*value="{FIRST}"', again)
    assert as_student.post(WAIT, {"teacher": teacher.pk, "slot": FIRST})["Location"] == MINE
    assert statuses() == ["waiting"]


def test_a_day_with_nothing_free_is_listed_too(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    AvailabilityRule.objects.update(ends="16:45")
    take_slot(course, teacher)
    page = as_student.get(CHOOSE)
    assert page.context["offer"].day.on.isoformat() == "2026-01-26"
    assert taken_on(page) == [FIRST]


def test_so_is_a_teacher_with_nothing_free_at_all(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    AvailabilityRule.objects.update(ends="16:45", valid_until="2026-01-25")
    take_slot(course, teacher)
    page = as_student.get(CHOOSE)
    assert slots_on(page) == []
    assert "No free time" in page.content.decode()
    assert taken_on(page) == [FIRST]


def test_a_time_that_was_just_lost_can_be_waited_for(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    page = as_student.post(CHOOSE, {"teacher": teacher.pk, "slot": FIRST})
    assert page.status_code == 409
    assert taken_on(page) == [FIRST]


def test_a_time_that_could_not_be_offered_any_more_is_not_listed(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    left = int((SLOT - NOW) / MINUTE)
    BookingPolicy.objects.create(notice_minutes=left - 30)
    assert taken_on(as_student.get(CHOOSE)) == [FIRST]
    BookingPolicy.objects.update(notice_minutes=left - 29)
    assert taken_on(as_student.get(CHOOSE)) == []
    waits = as_student.post(WAIT, {"teacher": teacher.pk, "slot": FIRST})
    assert waits.status_code == 409
    assert "It is too late to wait for that time." in waits.content.decode()


def test_ones_own_lesson_is_nothing_to_wait_for(
    as_student: Client, make_lesson: MakeLesson
) -> None:
    make_lesson(SLOT, SLOT + 45 * MINUTE)
    assert taken_on(as_student.get(CHOOSE)) == []


def test_times_are_on_the_students_clock(client: Client, course: Course, teacher: Teacher) -> None:
    """In Auckland it is Tuesday already, and the next week begins on our Sunday."""
    student = make_student("kiwi@school.example", zone="Pacific/Auckland")
    AvailabilityRule.objects.create(teacher=teacher, weekday=6, starts="14:00", ends="14:45")
    sunday = SLOT.replace(day=18, hour=13, minute=0)
    take_slot(course, teacher)
    take_slot(course, teacher, sunday, name="sunday")
    client.force_login(student.user)
    page = client.get(CHOOSE)
    days = {str(day.on): len(day.slots) for day in page.context["offer"].taken}
    assert days == {"2026-01-19": 1, "2026-01-20": 1}
    assert "Tuesday 20 January" in page.content.decode()


@pytest.mark.parametrize(
    ("posted", "status", "words"),
    [
        ({"teacher": "{teacher}", "slot": SECOND}, 409, "It is free just now"),
        ({"teacher": "{teacher}", "slot": "2026-01-20T15:00:00Z"}, 409, "does not teach at that"),
        (
            {"teacher": "{teacher}", "slot": "2026-01-12T15:00:00Z"},
            409,
            "too late to wait for that time",
        ),
        ({"teacher": "{teacher}", "slot": "2026-12-07T15:00:00Z"}, 409, "too far ahead"),
        ({"teacher": "{teacher}", "slot": "half past ten"}, 422, "no time that can be read"),
        ({"teacher": "{teacher}", "slot": "2026-01-20T15:00:00"}, 422, "no time that can be read"),
        ({"teacher": "{teacher}", "slot": ""}, 422, "Choose a time."),
        ({"teacher": "", "slot": FIRST}, 422, "Choose a teacher."),
        ({"teacher": "999999", "slot": FIRST}, 422, "does not teach this course"),
        ({"teacher": "\x00", "slot": "\x00"}, 422, "Null characters are not allowed"),
        ({"teacher": "{teacher}", "slot": "2099-12-31T23:59:59Z"}, 409, "too far ahead"),
        ({"teacher": "{teacher}", "slot": "9999-12-31T23:59:59Z"}, 422, "no time that can be read"),
        (
            {"teacher": "{teacher}", "slot": "2001-01-01T00:00:00Z"},
            409,
            "too late to wait for that time",
        ),
        ({"teacher": "{teacher}", "slot": "0001-01-01T00:00:00Z"}, 422, "no time that can be read"),
        ({}, 409, "It is free just now"),
    ],
)
def test_what_is_refused_says_why_and_what_to_do(
    as_student: Client, teacher: Teacher, posted: dict[str, str], status: int, words: str
) -> None:
    values = {name: text.format(teacher=teacher.pk) for name, text in posted.items()}
    page = as_student.post(WAIT, values)
    assert page.status_code == status
    html = page.content.decode()
    assert words in html
    assert f'href="{CHOOSE}"' in html
    assert not WaitlistEntry.objects.exists()


def test_a_full_course_leads_to_its_waitlist(
    as_student: Client, course: Course, switches: Switches
) -> None:
    make_full(course)
    about = reverse("enrollment:course", args=["violin"])
    for path in (about, CHOOSE):
        assert f'href="{WAIT}"' in as_student.get(path).content.decode()
    assert "Nobody waits for one yet" in as_student.get(WAIT).content.decode()
    assert as_student.post(WAIT)["Location"] == MINE
    assert "A place in the course" in as_student.get(MINE).content.decode()
    assert "See my waitlist" in as_student.get(WAIT).content.decode()
    switches.kill()
    html = as_student.get(about).content.decode()
    assert "All places are taken" in html
    assert "waitlist" not in html


def test_a_course_that_is_kept_for_others_says_so_and_offers_to_wait(
    as_student: Client, course: Course, student: Student
) -> None:
    make_full(course)
    rival = make_student("rival@school.example")
    join(rival, course)
    Course.objects.update(capacity=2)
    fill()
    about = reverse("enrollment:course", args=["violin"])
    assert "All places are taken" in as_student.get(about).content.decode()
    assert "All places are taken" in as_student.get(WAIT).content.decode()
    theirs = Client()
    theirs.force_login(rival.user)
    assert "1 place left" in theirs.get(about).content.decode()


def test_who_is_enrolled_waits_for_no_place_but_for_a_time(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    take_slot(course, teacher)
    made = Enrollment.objects.create(student=student, course=course)
    assert as_student.post(WAIT)["Location"] == reverse("enrollment:enrolled", args=[made.pk])
    assert as_student.post(WAIT, {"teacher": teacher.pk, "slot": FIRST})["Location"] == MINE


# ------------------------------------------------------------------ an offer


def test_from_the_offer_to_the_enrollment(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    mine = as_student.get(MINE).content.decode()
    assert "Kept for you until Thursday 15 January, 00:00: 12\xa0hours left." in mine
    took = press(as_student, entry, "take")
    assert (took.status_code, took["Location"]) == (303, "/schedule/violin/continue/")
    assert as_student.get(took["Location"])["Location"] == DETAILS
    assert as_student.post(DETAILS, everything(teacher)).status_code == 303
    done = as_student.post(CONFIRM, everything(teacher))
    made = Enrollment.objects.get(student=student)
    assert done["Location"] == reverse("enrollment:enrolled", args=[made.pk])
    assert made.lessons.get().status == "planned"
    assert "It is yours" in as_student.get(MINE).content.decode()
    assert "Waitlist</a>" not in as_student.get("/").content.decode()


def test_who_is_enrolled_has_the_lesson_at_once(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    made = Enrollment.objects.create(student=student, course=course, status="confirmed")
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    took = press(as_student, entry, "take")
    assert took["Location"] == reverse("enrollment:enrolled", args=[made.pk])
    page = as_student.get(took["Location"]).content.decode()
    assert "It is yours." in page
    assert made.lessons.get().status == "planned"


def test_a_place_leads_to_the_times(as_student: Client, student: Student, course: Course) -> None:
    owner = make_full(course)
    entry = join(student, course)
    move_enrollment(enrollment=owner, status="cancelled", now=NOW)
    fill()
    took = press(as_student, entry, "take")
    assert as_student.get(took["Location"])["Location"] == CHOOSE
    assert as_student.get(CHOOSE).context["offer"].days


def test_an_offer_that_is_over_says_so(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    WaitlistEntry.objects.update(offer_expires_at=NOW)
    assert press(as_student, entry, "take")["Location"] == MINE
    mine = as_student.get(MINE).content.decode()
    assert "not kept for you any more" in mine
    assert "the time for it has run out" in mine
    assert "Take it" not in mine


def test_leaving(as_student: Client, student: Student, course: Course, teacher: Teacher) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    assert held() == [("ada@school.example", NOW + OFFER)]
    assert press(as_student, entry, "leave")["Location"] == MINE
    assert "no longer on the waitlist" in as_student.get(MINE).content.decode()
    assert press(as_student, entry, "leave")["Location"] == MINE
    assert "not on the waitlist for it any more" in as_student.get(MINE).content.decode()
    assert (statuses(), held()) == (["left"], [])


def test_nobody_touches_what_is_somebody_elses(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    rival = make_student("rival@school.example")
    lesson = take_slot(course, teacher)
    entry = join(rival, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    for what in ("take", "leave"):
        assert press(as_student, entry, what).status_code == 404
        assert as_student.get(f"{MINE}{entry.pk}/{what}/").status_code == 404
    assert statuses() == ["offered"]
    assert "Take it" not in as_student.get(MINE).content.decode()


def test_switched_off_a_wish_to_wait_is_kept_as_a_wish(
    as_student: Client, course: Course, teacher: Teacher, switches: Switches
) -> None:
    take_slot(course, teacher)
    switches.kill()
    answer = as_student.post(WAIT, {"teacher": teacher.pk, "slot": FIRST})
    assert answer["Location"] == reverse("enrollment:enroll", args=["violin"])
    form = as_student.get(answer["Location"]).content.decode()
    assert "Monday 19 January 2026, 16:00" in form
    assert not WaitlistEntry.objects.exists()


def test_the_number_of_queries_does_not_grow_with_what_is_waited_for(
    as_student: Client,
    student: Student,
    course: Course,
    teacher: Teacher,
    django_assert_max_num_queries: Any,
) -> None:
    AvailabilityRule.objects.update(starts="10:00")
    for number in range(5):
        start = SLOT - number * 45 * MINUTE
        take_slot(course, teacher, start, name=f"owner{number}")
        join(student, course, teacher=teacher, starts_at=start)
    # Session, user, who it is (student, teacher), the entries, and the navigation's two.
    with django_assert_max_num_queries(8):
        as_student.get(MINE)


# ------------------------------------------------------------------ the office


def test_the_office_sees_who_waits_and_removes_somebody(
    client: Client, student: Student, course: Course, teacher: Teacher, admin: User
) -> None:
    lesson = take_slot(course, teacher)
    entry = join(student, course, teacher=teacher, starts_at=SLOT)
    cancel(lesson)
    fill()
    client.force_login(admin)
    listed = reverse("admin:scheduling_waitlistentry_changelist")
    assert "Ada Vogel" in client.get(listed).content.decode()
    looked_at = reverse("admin:scheduling_waitlistentry_change", args=[entry.pk])
    assert client.get(looked_at).status_code == 200
    posted = {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    assert client.post(listed, posted).status_code == 302
    assert not WaitlistEntry.objects.exists()
    assert not Lesson.objects.filter(status="held").exists()
    other = join_again(student, course, teacher)
    delete = reverse("admin:scheduling_waitlistentry_delete", args=[other.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not WaitlistEntry.objects.exists()


def join_again(student: Student, course: Course, teacher: Teacher) -> WaitlistEntry:
    take_slot(course, teacher, name="another")
    return join(student, course, teacher=teacher, starts_at=SLOT)
