"""Booking, moving and cancelling by a program: the same rules as on the pages, in problem+json."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher, User
from rollback import drafts
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations import flow
from tests.conftest import make_student, make_teacher
from tests.scheduling.conftest import NOW, MakeLesson

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "course", "no_closed_days"),
]
BOOKINGS = "/api/v1/availability/bookings/"
LESSONS = "/api/v1/availability/lessons/"
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=45)
THIRD = SECOND + timedelta(minutes=45)


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def post(client: Client, url: str, body: Any = None, **headers: str) -> Any:
    return client.post(url, body or {}, content_type="application/json", headers=headers)


def book(client: Client, teacher: Teacher, start: datetime = FIRST, **more: Any) -> Any:
    body = {"course": "violin", "teacher": teacher.pk, "start": text(start)} | more
    return post(client, BOOKINGS, body)


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lesson(as_student: Client, teacher: Teacher) -> Lesson:
    return Lesson.objects.get(pk=book(as_student, teacher).json()["id"])


# ---------------------------------------------------------------- booking


def test_the_first_lesson_is_the_enrollment(
    as_student: Client, teacher: Teacher, student: Student, course: Course
) -> None:
    drafts.save(student=student, course=course, answers={"note": "older"}, now=NOW)
    answer = book(as_student, teacher, note="I have a violin.", wished_times="Fridays")
    assert answer.status_code == 201
    enrollment = Enrollment.objects.get()
    lesson = enrollment.lessons.get()
    assert answer.json() == {
        "id": lesson.pk,
        "course": {"slug": "violin", "title": "Violin for beginners"},
        "teacher": {"id": teacher.pk, "name": "Marta Rossi"},
        "student": {"id": student.pk, "name": "Ada Vogel"},
        "enrollment": enrollment.pk,
        "status": "planned",
        "start": "2026-01-19T15:00:00Z",
        "end": "2026-01-19T15:45:00Z",
        "zone": "Europe/Berlin",
        "local_start": "2026-01-19T16:00:00+01:00",
        "move_until": "2026-01-18T15:00:00Z",
        "cancel_until": "2026-01-18T15:00:00Z",
    }
    assert answer["Location"] == f"http://testserver{BOOKINGS}{lesson.pk}/"
    assert as_student.get(answer["Location"]).json() == answer.json()
    assert (enrollment.note, enrollment.wished_times) == ("I have a violin.", "Fridays")
    assert (enrollment.flow, enrollment.teacher) == ("scheduling", teacher)
    assert drafts.open_draft(student=student, course=course) is None


def test_with_an_enrollment_it_is_one_more_lesson(
    as_student: Client, lesson: Lesson, teacher: Teacher
) -> None:
    again = book(as_student, teacher, SECOND)
    assert again.status_code == 201
    assert again.json()["enrollment"] == lesson.enrollment_id
    assert Enrollment.objects.count() == 1
    assert [one.starts_at for one in Lesson.objects.all()] == [FIRST, SECOND]


def test_what_the_student_holds_is_turned_into_the_lesson(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    hold = flow.choose(student=student, course=course, teacher=teacher, starts_at=FIRST, now=NOW)
    assert book(as_student, teacher).json()["id"] == hold.pk
    assert Lesson.objects.get().status == "planned"


def test_any_offset_is_the_same_instant(as_student: Client, teacher: Teacher) -> None:
    body = {"course": "violin", "teacher": teacher.pk, "start": "2026-01-19T16:00:00+01:00"}
    assert post(as_student, BOOKINGS, body).json()["start"] == text(FIRST)


def test_taken_comes_with_the_five_nearest(
    as_student: Client, lesson: Lesson, teacher: Teacher, course: Course
) -> None:
    other = as_user(make_student("ben@school.example", zone="Asia/Kolkata").user)
    answer = book(other, teacher)
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "slot-taken"
    assert problem["type"].endswith("/api/docs/#slot-taken")
    assert [slot["start"] for slot in problem["alternatives"]] == [
        text(SECOND),
        text(THIRD),
        *(text(at + timedelta(weeks=1)) for at in (FIRST, SECOND, THIRD)),
    ]
    assert problem["alternatives"][0]["local_start"] == "2026-01-19T21:15:00+05:30"
    assert Enrollment.objects.count() == 1
    assert book(other, teacher, SECOND).status_code == 201


@pytest.mark.parametrize(
    "start",
    [
        FIRST + timedelta(minutes=1),  # not on the grid
        FIRST - timedelta(weeks=1),  # over
        FIRST + timedelta(weeks=20),  # too far ahead
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2100, 12, 31, tzinfo=UTC),
    ],
)
def test_what_is_not_offered_cannot_be_booked(
    as_student: Client, teacher: Teacher, start: datetime
) -> None:
    assert book(as_student, teacher, start).status_code == 409
    assert not Lesson.objects.exists()


def test_why_no_enrollment_is_made(as_student: Client, course: Course, teacher: Teacher) -> None:
    course.closes_on = NOW.date() - timedelta(days=1)
    course.save()
    answer = book(as_student, teacher)
    assert (answer.status_code, answer.json()["code"]) == (409, "course-closed")
    assert "closed today" in answer.json()["detail"]
    course.closes_on, course.capacity = None, 0
    course.save()
    assert book(as_student, teacher).json()["code"] == "course-full"


@pytest.mark.parametrize(
    ("body", "pointer", "sentence"),
    [
        ({"course": None}, "/course", "null"),
        ({"course": 5}, "/course", "address name"),
        ({"course": "no slug!"}, "/course", "letters"),
        ({"teacher": "1"}, "/teacher", "integer"),
        ({"teacher": True}, "/teacher", "integer"),
        ({"teacher": 1.5}, "/teacher", "integer"),
        ({"teacher": 0}, "/teacher", "1"),
        ({"teacher": 10**30}, "/teacher", "9223372036854775807"),
        ({"teacher": [1]}, "/teacher", "integer"),
        ({"start": "2026-01-19"}, "/start", "offset"),
        ({"start": "2026-01-19T16:00:00"}, "/start", "offset"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "/start", "offset"),
        ({"start": "9999-12-31T23:59:59Z"}, "/start", "between the years 2000 and 2100"),
        ({"start": 1768834800}, "/start", "offset"),
        ({"start": None}, "/start", "null"),
        ({"note": 5}, "/note", "string"),
        ({"note": "x" * 4001}, "/note", "4000"),
        ({"note": "x\x00"}, "/note", "Null"),
        ({"note": "\ud800"}, "/note", "urrogate"),
        ({"wished_times": "x" * 2001}, "/wished_times", "2000"),
        ({"techer": 1}, "/techer", "Known are: course, teacher, start, wished_times, note."),
        ({"a/b~c": 1}, "/a~1b~0c", "Known are"),
    ],
)
def test_what_is_wrong_is_said_at_its_member(
    as_student: Client, teacher: Teacher, body: dict[str, Any], pointer: str, sentence: str
) -> None:
    whole = {"course": "violin", "teacher": teacher.pk, "start": text(FIRST)} | body
    answer = post(as_student, BOOKINGS, whole)
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert {error["pointer"] for error in errors} == {pointer}
    assert sentence in " ".join(error["detail"] for error in errors)
    assert not Lesson.objects.exists()


@pytest.mark.parametrize("body", [{"course": "tuba"}, {"teacher": 2**62}])
def test_nobody_teaches_that(as_student: Client, teacher: Teacher, body: dict[str, Any]) -> None:
    whole = {"course": "violin", "teacher": teacher.pk, "start": text(FIRST)} | body
    answer = post(as_student, BOOKINGS, whole)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/teacher"
    assert "teaches" in error["detail"]


def test_only_students_book(teacher: Teacher, staff: User) -> None:
    for user in (teacher.user, staff):
        answer = book(as_user(user), teacher)
        assert answer.status_code == 403
        assert "Only students" in answer.json()["detail"]
    assert book(Client(), teacher).status_code == 401


# ---------------------------------------------------------------- moving


def test_a_move_keeps_the_lesson_and_its_history(
    as_student: Client, lesson: Lesson, student: Student
) -> None:
    answer = post(
        as_student, f"{BOOKINGS}{lesson.pk}/move/", {"start": text(SECOND), "reason": "A train"}
    )
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["start"]) == (lesson.pk, text(SECOND))
    change = LessonChange.objects.get(what="moved")
    assert (change.by, change.reason, change.period_before.lower) == (
        student.user,
        "A train",
        FIRST,
    )


def test_a_move_to_another_teacher_of_the_course(
    as_student: Client, lesson: Lesson, course: Course
) -> None:
    other = make_teacher("second@school.example")
    AvailabilityRule.objects.create(teacher=other, weekday=1, starts="10:00", ends="11:00")
    url, start = f"{BOOKINGS}{lesson.pk}/move/", "2026-01-20T10:00:00+01:00"
    stranger = post(as_student, url, {"start": start, "teacher": other.pk})
    assert stranger.status_code == 422
    assert stranger.json()["errors"][0]["pointer"] == "/teacher"
    course.teachers.add(other)
    moved = post(as_student, url, {"start": start, "teacher": other.pk})
    assert moved.json()["teacher"]["id"] == other.pk


def test_a_move_to_a_taken_time_says_what_is_free(
    as_student: Client, lesson: Lesson, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    make_lesson(SECOND, THIRD, student=make_student("ben@school.example"))
    answer = post(as_student, f"{BOOKINGS}{lesson.pk}/move/", {"start": text(SECOND)})
    assert (answer.status_code, answer.json()["code"]) == (409, "slot-taken")
    offered = [slot["start"] for slot in answer.json()["alternatives"]]
    # Its own time is in nobody's way.
    assert offered[:2] == [text(FIRST), text(THIRD)]
    lesson.refresh_from_db()
    assert lesson.starts_at == FIRST


def test_too_late_says_until_when_it_was_possible(
    as_student: Client, lesson: Lesson, staff: User
) -> None:
    BookingPolicy.objects.create(move_notice_hours=240, cancel_notice_hours=240)
    url = f"{BOOKINGS}{lesson.pk}/"
    for path, body in (("move/", {"start": text(SECOND)}), ("cancel/", {})):
        answer = post(as_student, url + path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "too-late")
        assert answer.json()["deadline"] == "2026-01-09T15:00:00Z"
        assert "16:00" in answer.json()["detail"]
    assert as_student.delete(url).status_code == 422
    # The office always can.
    office = as_office(staff)
    assert post(office, f"{url}move/", {"start": text(SECOND)}).status_code == 200
    assert post(office, f"{url}cancel/").json()["status"] == "cancelled"


def as_office(staff: User) -> Client:
    from config.roles import give_permissions

    give_permissions()
    return as_user(staff)


# ---------------------------------------------------------------- cancelling


def test_cancelled_in_both_ways(as_student: Client, lesson: Lesson, teacher: Teacher) -> None:
    answer = post(as_student, f"{BOOKINGS}{lesson.pk}/cancel/", {"reason": "Ill"})
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert LessonChange.objects.get(what="cancelled").reason == "Ill"
    # Once more: it stays as it is.
    assert post(as_student, f"{BOOKINGS}{lesson.pk}/cancel/").status_code == 200
    again = book(as_student, teacher).json()["id"]
    gone = as_student.delete(f"{BOOKINGS}{again}/")
    assert (gone.status_code, gone.content) == (204, b"")
    assert {one.status for one in Lesson.objects.all()} == {"cancelled"}


def test_what_was_given_cannot_be_changed(as_student: Client, lesson: Lesson) -> None:
    Lesson.objects.filter(pk=lesson.pk).update(status="done")
    for path, body in (("move/", {"start": text(SECOND)}), ("cancel/", {})):
        answer = post(as_student, f"{BOOKINGS}{lesson.pk}/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "not-planned")


# ---------------------------------------------------------------- whose


def test_nobody_sees_or_changes_what_is_somebody_elses(
    as_student: Client, lesson: Lesson, teacher: Teacher
) -> None:
    strangers = [make_student("ben@school.example").user, make_teacher("t@school.example").user]
    for client in map(as_user, strangers):
        assert client.get(f"{BOOKINGS}{lesson.pk}/").status_code == 404
        assert client.delete(f"{BOOKINGS}{lesson.pk}/").status_code == 404
        assert post(client, f"{BOOKINGS}{lesson.pk}/cancel/").status_code == 404
        move = post(client, f"{BOOKINGS}{lesson.pk}/move/", {"start": text(SECOND)})
        assert move.status_code == 404
        assert client.get(LESSONS).json()["results"] == []
    lesson.refresh_from_db()
    assert (lesson.status, lesson.starts_at) == ("planned", FIRST)


def test_the_teacher_sees_and_changes_own_lessons(lesson: Lesson, teacher: Teacher) -> None:
    client = as_user(teacher.user)
    assert client.get(f"{BOOKINGS}{lesson.pk}/").json()["student"]["name"] == "Ada Vogel"
    move = post(client, f"{BOOKINGS}{lesson.pk}/move/", {"start": text(SECOND)})
    assert move.json()["start"] == text(SECOND)


def test_a_hold_is_no_booking(
    as_student: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    hold = flow.choose(student=student, course=course, teacher=teacher, starts_at=FIRST, now=NOW)
    assert as_student.get(f"{BOOKINGS}{hold.pk}/").status_code == 404
    assert as_student.get(LESSONS).json()["results"] == []


# ---------------------------------------------------------------- the list


def test_ones_own_lessons_in_order_and_in_pages(
    as_student: Client, make_lesson: MakeLesson, student: Student, staff: User
) -> None:
    for week in (3, 1, 2):
        make_lesson(FIRST + timedelta(weeks=week), SECOND + timedelta(weeks=week))
    make_lesson(FIRST, SECOND, student=make_student("ben@school.example"))
    make_lesson(THIRD, THIRD + timedelta(minutes=45), status="cancelled")
    address, found = f"{LESSONS}?limit=2", []
    while address:
        page = as_student.get(address).json()
        found += [one["start"] for one in page["results"]]
        address = page["next"]
    assert found == [text(THIRD), *(text(FIRST + timedelta(weeks=week)) for week in (1, 2, 3))]
    back = as_student.get(page["previous"]).json()
    assert [one["start"] for one in back["results"]] == found[:2]
    assert back["previous"] is None
    assert as_student.get(back["next"]).json()["results"][0]["start"] == found[2]
    assert len(as_office(staff).get(LESSONS).json()["results"]) == 5


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 3),
        ({"status": "cancelled"}, 1),
        ({"status": "planned"}, 2),
        ({"from": "2026-01-19", "to": "2026-01-19"}, 1),
        ({"from": "2026-01-20"}, 2),
        ({"to": "2026-01-19T15:00:00Z"}, 0),
        ({"from": "2026-01-19T15:00:00Z", "to": "2026-01-26T15:00:01Z"}, 2),
    ],
)
def test_which_lessons(
    as_student: Client, make_lesson: MakeLesson, asked: dict[str, str], count: int
) -> None:
    for week, status in ((0, "planned"), (1, "planned"), (2, "cancelled")):
        begins = FIRST + timedelta(weeks=week)
        make_lesson(begins, begins + timedelta(minutes=45), status=status)
    assert len(as_student.get(LESSONS, asked).json()["results"]) == count


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"status": "held"}, "status"),
        ({"to": "0001-01-01"}, "to"),
        ({"student": "1"}, "student"),
    ],
)
def test_no_such_lessons(as_student: Client, asked: dict[str, str], where: str) -> None:
    answer = as_student.get(LESSONS, asked)
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [where]
