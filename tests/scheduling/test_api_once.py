"""Idempotency-Key: a request that is sent twice is done once, at the same moment too."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from enrollment import personal
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher
from scheduling import tasks
from scheduling.models import IdempotencyKey
from scheduling.operations import idempotency, program
from scheduling.operations.idempotency import Answer
from tests.conftest import make_student
from tests.enrollment.crowd import at_once
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.test_api_bookings import BOOKINGS, FIRST, SECOND, as_user, text

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "course", "no_closed_days"),
]
KEY = "7c9c2b5e-0f8e-4d7a-9f53-3f2d5a0b9c11"


def book(client: Client, teacher: Teacher, key: str | None = KEY, **more: Any) -> Any:
    body = {"course": "violin", "teacher": teacher.pk, "start": text(FIRST)} | more
    return ask(client, BOOKINGS, body, key)


def ask(client: Client, url: str, body: Any, key: str | None = KEY) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(url, body, content_type="application/json", headers=headers)


def said(answer: Any) -> Any:
    return answer.json() if answer.content else None


def test_the_second_gets_the_firsts_answer(as_student: Client, teacher: Teacher) -> None:
    first, second = book(as_student, teacher), book(as_student, teacher)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Lesson.objects.count() == Enrollment.objects.count() == 1
    # Without a key it is another wish, and the time is taken.
    assert book(as_student, teacher, key=None).status_code == 409


def test_moves_and_cancellations_too(as_student: Client, teacher: Teacher) -> None:
    url = f"{BOOKINGS}{book(as_student, teacher).json()['id']}/"
    moves = [ask(as_student, f"{url}move/", {"start": text(SECOND)}, "m") for _again in range(2)]
    cancels = [ask(as_student, f"{url}cancel/", {"reason": "Ill"}, "c") for _again in range(2)]
    deletes = [as_student.delete(url, headers={"Idempotency-Key": "d"}) for _again in range(2)]
    for answers, status in ((moves, 200), (cancels, 200), (deletes, 204)):
        assert [answer.status_code for answer in answers] == [status, status]
        assert said(answers[0]) == said(answers[1])
        assert answers[1]["Idempotency-Replayed"] == "true"
    whats = LessonChange.objects.order_by("pk").values_list("what", flat=True)
    assert list(whats) == ["booked", "moved", "cancelled"]


def test_a_refusal_is_an_answer(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    in_the_way = make_lesson(FIRST, SECOND, student=make_student("ben@school.example"))
    first = book(as_student, teacher)
    assert first.status_code == 409
    in_the_way.delete()
    again = book(as_student, teacher)
    assert again.json() == first.json()
    assert again["Content-Type"] == "application/problem+json"
    assert not Lesson.objects.exists()
    assert book(as_student, teacher, key="another").status_code == 201


def test_a_key_belongs_to_one_request(as_student: Client, teacher: Teacher) -> None:
    assert book(as_student, teacher).status_code == 201
    other = book(as_student, teacher, start=text(SECOND))
    assert (other.status_code, other.json()["code"]) == (422, "key-used-otherwise")
    url = f"{BOOKINGS}{Lesson.objects.get().pk}/"
    assert as_student.delete(url, headers={"Idempotency-Key": KEY}).status_code == 422
    assert Lesson.objects.get().status == "planned"
    # The same JSON, however it is spelled.
    spelled = f'{{"start":"{text(FIRST)}",  "teacher": {teacher.pk}, "course": "violin"}}'
    assert ask(as_student, BOOKINGS, spelled).status_code == 201


def test_each_person_has_their_own_keys(as_student: Client, teacher: Teacher) -> None:
    assert book(as_student, teacher).status_code == 201
    other = as_user(make_student("ben@school.example").user)
    answer = book(other, teacher)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot-taken")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "käse", "a\tb"])
def test_what_is_no_key(as_student: Client, teacher: Teacher, key: str) -> None:
    answer = book(as_student, teacher, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-idempotency-key")
    assert not Lesson.objects.exists()


def test_what_cannot_be_read_uses_up_no_key(as_student: Client, teacher: Teacher) -> None:
    assert book(as_student, teacher, start="soon").status_code == 400
    assert book(as_student, teacher).status_code == 201


def test_a_fault_leaves_nothing_behind(
    as_student: Client, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = program.book

    def breaks(**asked: Any) -> Lesson:
        real(**asked)
        raise ZeroDivisionError

    as_student.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(program, "book", breaks)
        answer = book(as_student, teacher)
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"
    assert not Lesson.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert book(as_student, teacher).status_code == 201


# ---------------------------------------------------------------- for a day


def test_after_a_day_it_is_forgotten(
    as_student: Client, teacher: Teacher, student: Student
) -> None:
    book(as_student, teacher)
    book(as_student, teacher, key="younger", start=text(SECOND))
    day = timedelta(hours=24)
    IdempotencyKey.objects.filter(key=KEY).update(created_at=NOW - day)
    # Whether or not anybody has cleared up: 409 is a new answer.
    assert book(as_student, teacher).status_code == 409
    IdempotencyKey.objects.filter(key=KEY).update(created_at=NOW - day)
    assert tasks.delete_old_answers() == 1
    assert [one.key for one in IdempotencyKey.objects.all()] == ["younger"]


# ---------------------------------------------------------------- people


def test_it_is_copied_and_erased_with_the_person(
    as_student: Client, teacher: Teacher, student: Student
) -> None:
    (part,) = (one for one in personal.registered() if one.name == "program_requests")
    lesson = book(as_student, teacher).json()["id"]
    as_teacher = as_user(teacher.user)
    ask(as_teacher, f"{BOOKINGS}{lesson}/move/", {"start": text(SECOND)}, "theirs")
    (copied,) = part.export(user=student.user)["requests"]
    assert copied == {"key": KEY, "at": NOW, "status": 201}
    part.erase(user=student.user, now=NOW)
    # The teacher's answer named the student.
    assert not IdempotencyKey.objects.exists()


# ---------------------------------------------------------------- at the same moment


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_key", [True, False])
def test_many_equal_requests_book_once(
    student: Student, course: Course, teacher: Teacher, same_key: bool
) -> None:
    first = as_user(student.user)

    def press(number: int) -> Any:
        client = Client()
        client.cookies = first.cookies
        return book(client, teacher, key=KEY if same_key else f"key-{number}")

    answers: Any = at_once(*(partial(press, number) for number in range(16)))
    statuses = Counter(answer.status_code for answer in answers)
    assert Lesson.objects.count() == Enrollment.objects.count() == 1
    if same_key:
        assert statuses == {201: 16}
        assert all(answer.json() == answers[0].json() for answer in answers)
        replayed = [answer for answer in answers if "Idempotency-Replayed" in answer]
        assert len(replayed) == 15
    else:
        assert statuses == {201: 1, 409: 15}


@pytest.mark.django_db(transaction=True)
def test_who_waits_too_long_is_told_to_come_again(
    student: Student, course: Course, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT", "100ms")
    client = as_user(student.user)
    asked = {"course": "violin", "teacher": teacher.pk, "start": text(FIRST)}
    mark = idempotency.fingerprint(method="POST", path=BOOKINGS, body=asked)
    met: list[Any] = []

    def slow() -> Answer:
        # Another connection, while this one's transaction is open.
        met.extend(at_once(partial(book, client, teacher)))
        return Answer(status=201, body={"id": 1})

    idempotency.once(user=student.user, key=KEY, fingerprint=mark, now=NOW, act=slow)
    assert (met[0].status_code, met[0].json()["code"]) == (409, "still-busy")
    assert met[0]["Retry-After"] == "1"
    assert book(client, teacher).json() == {"id": 1}


def test_its_own_patience_ends_with_it(student: Student) -> None:
    def waits() -> Answer:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout')")
            return Answer(status=200, body=cursor.fetchone()[0])

    answer = idempotency.once(user=student.user, key=KEY, fingerprint="x", now=NOW, act=waits)
    assert answer.body == "0"
