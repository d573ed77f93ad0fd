"""Student and teacher write to each other: who may, what is refused, what is unread."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.domain.messages import HOURLY_LIMIT, LONGEST, WRITES_ON, ThreadClosed
from enrollment.models import Course, Enrollment, Lesson, Message, Reader, Student, Teacher, User
from enrollment.operations.lessons import plan_lesson
from enrollment.operations.messages import TooManyMessages, mark_read, write_message
from enrollment.operations.office import move_enrollment
from enrollment.queries.messages import inbox, over_since, unread
from tests.conftest import Switches, make_student, make_teacher, make_user

pytestmark = pytest.mark.django_db

NOON = datetime(2031, 1, 15, 11, 0, tzinfo=UTC)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


def thread(enrollment: Enrollment) -> str:
    return reverse("enrollment:thread", args=[enrollment.pk])


def logged_in(client: Client, person: Student | Teacher) -> Client:
    client.force_login(person.user)
    return client


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def write(enrollment: Enrollment, who: Student | Teacher, body: str) -> Message:
    return write_message(enrollment=enrollment, sender=who.user, body=body, now=timezone.now())


# ---------------------------------------------------------------- writing and reading


def test_a_student_writes_and_the_teacher_answers(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    response = logged_in(client, student).post(
        thread(enrollment), {"body": "Is Monday\r\n<b>all right</b>?"}
    )
    message = Message.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"{thread(enrollment)}#message-{message.pk}"
    assert message.body == "Is Monday\n<b>all right</b>?"

    text = text_of(logged_in(client, teacher).get("/messages/"))
    assert "Ada Vogel" in text
    assert "1 new" in text
    assert "(1 new)" in text, "in the navigation, for those who hear it"
    text = text_of(client.get(thread(enrollment)))
    assert "Is Monday<br>&lt;b&gt;all right&lt;/b&gt;?" in text
    assert ">New<" in text
    assert ">New<" not in text_of(client.get(thread(enrollment)))
    client.post(thread(enrollment), {"body": "Yes, it is."})

    text = text_of(logged_in(client, student).get("/messages/"))
    assert "Marta Rossi" in text
    assert "Yes, it is." in text
    assert "1 new" in text
    text_of(client.get(thread(enrollment)))
    assert "1 new" not in text_of(client.get("/messages/"))


def test_a_teacher_writes_under_the_name_that_students_know(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    Teacher.objects.update(display_name="Frau Rossi")
    write(enrollment, teacher, "Good morning")
    logged_in(client, student)
    for url in ("/messages/", thread(enrollment)):
        text = text_of(client.get(url))
        assert "Frau Rossi" in text
        assert "Marta" not in text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "There is nothing in it yet."),
        (" \n\t ", "There is nothing in it yet."),
        ("\x00\x00", "There is nothing in it yet."),
        ("x" * (LONGEST + 1), f"at most {LONGEST} characters"),
    ],
)
def test_what_cannot_be_sent_is_said_at_the_field_and_nothing_is_lost(
    client: Client, enrollment: Enrollment, student: Student, body: str, says: str
) -> None:
    text = text_of(logged_in(client, student).post(thread(enrollment), {"body": body}), 422)
    assert says in text
    assert 'id="id_body_error"' in text
    assert 'aria-invalid="true"' in text
    assert body.replace("\x00", "�").strip() in text.replace("\x00", "�")
    assert not Message.objects.exists()


def test_nul_is_dropped_and_a_line_break_is_one_character(
    client: Client, enrollment: Enrollment, student: Student
) -> None:
    body = "\x00a\x00\r\n" * (LONGEST // 2)
    assert logged_in(client, student).post(thread(enrollment), {"body": body}).status_code == 303
    assert Message.objects.get().body == ("a\n" * (LONGEST // 2)).strip()


def test_a_button_pressed_twice_sends_once(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    logged_in(client, student)
    first, again = (client.post(thread(enrollment), {"body": "Hello"}) for _twice in range(2))
    assert first["Location"] == again["Location"]
    assert Message.objects.count() == 1
    write(enrollment, teacher, "Hello")
    later = timezone.now() + timedelta(minutes=2)
    write_message(enrollment=enrollment, sender=teacher.user, body="Hello", now=later)
    assert Message.objects.count() == 3


def test_who_writes_too_much_is_told_and_keeps_the_text(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    for number in range(HOURLY_LIMIT):
        write(enrollment, student, f"Message {number}")
    text = text_of(logged_in(client, student).post(thread(enrollment), {"body": "One more"}), 422)
    assert f"You have sent {HOURLY_LIMIT} messages within an hour" in text
    assert "One more</textarea>" in text
    write(enrollment, teacher, "The other side may still answer.")
    hour_later = timezone.now() + timedelta(hours=1)
    write_message(enrollment=enrollment, sender=student.user, body="One more", now=hour_later)
    assert Message.objects.count() == HOURLY_LIMIT + 2


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_for_many_tabs_at_once(enrollment: Enrollment, student: Student) -> None:
    for number in range(HOURLY_LIMIT - 1):
        write(enrollment, student, f"Message {number}")
    outcomes: list[str] = []

    def send(number: int) -> None:
        try:
            write(enrollment, student, f"At once {number}")
            outcomes.append("sent")
        except TooManyMessages:
            outcomes.append("refused")
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=send, args=[number]) for number in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join(10)
    assert sorted(outcomes) == ["refused", "refused", "refused", "sent"]
    assert Message.objects.count() == HOURLY_LIMIT


def test_a_long_conversation_comes_in_pages_newest_first(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    for number in range(60):
        Message.objects.create(enrollment=enrollment, sender=teacher.user, body=f"No. {number:02}")
    logged_in(client, student)
    # Who looks at what is old has not seen what is new.
    earlier = text_of(client.get(f"{thread(enrollment)}?page=2"))
    assert "No. 00" in earlier
    assert "Later messages" in earlier
    assert unread(student.user) == 50
    newest = text_of(client.get(thread(enrollment)))
    assert newest.index("No. 10") < newest.index("No. 59")
    assert "No. 09" not in newest
    assert "?page=2" in newest
    assert unread(student.user) == 0


def test_an_enrollment_without_a_teacher_says_who_will_read_it(
    client: Client, enrollment: Enrollment, student: Student
) -> None:
    Enrollment.objects.update(teacher=None)
    text = text_of(logged_in(client, student).get(thread(enrollment)))
    assert "This enrollment has no teacher yet." in text
    assert client.post(thread(enrollment), {"body": "Hello?"}).status_code == 303
    assert "No teacher yet" in text_of(client.get("/messages/"))
    late = make_teacher("late@school.example")
    assert unread(late.user) == 0
    Enrollment.objects.update(teacher=late)
    assert unread(late.user) == 1
    assert "no teacher yet" not in text_of(client.get(thread(enrollment)))


# ---------------------------------------------------------------- after the end


def test_writing_ends_thirty_days_after_the_enrollment_and_reading_does_not(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    write(enrollment, student, "See you")
    move_enrollment(enrollment=enrollment, status="confirmed", now=timezone.now())
    assert over_since(Enrollment.objects.get()) is None
    move_enrollment(enrollment=enrollment, status="completed", now=timezone.now())
    logged_in(client, student)
    assert "You can write to each other until" in text_of(client.get(thread(enrollment)))
    assert client.post(thread(enrollment), {"body": "Thank you"}).status_code == 303

    Enrollment.objects.update(ended_at=timezone.now() - WRITES_ON)
    text = text_of(client.get(thread(enrollment)))
    assert "nothing can be written here any more" in text
    assert "Thank you" in text
    assert "<textarea" not in text
    text = text_of(client.post(thread(enrollment), {"body": "One more thing"}), 422)
    assert "Your text was not sent" in text
    assert "One more thing" in text
    with pytest.raises(ThreadClosed):
        write(enrollment, teacher, "Nor does the teacher.")
    assert Message.objects.count() == 2


def test_of_an_end_that_nobody_noted_the_last_lesson_tells(
    enrollment: Enrollment, teacher: Teacher
) -> None:
    Enrollment.objects.update(status="completed")
    enrollment.refresh_from_db()
    assert over_since(enrollment) == enrollment.created_at
    lesson = plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=NOON, now=NOON)
    assert over_since(enrollment) == lesson.ends_at
    Lesson.objects.update(status="cancelled")
    assert over_since(enrollment) == enrollment.created_at


def test_moving_on_to_where_it_is_does_not_end_it_again(enrollment: Enrollment) -> None:
    move_enrollment(enrollment=enrollment, status="cancelled", now=NOON)
    move_enrollment(enrollment=enrollment, status="cancelled", now=NOON + timedelta(days=9))
    enrollment.refresh_from_db()
    assert enrollment.ended_at == NOON


# ---------------------------------------------------------------- who may


def test_everybody_else_finds_nothing(
    client: Client, enrollment: Enrollment, student: Student
) -> None:
    write(enrollment, student, "Between us")
    colleague, cancelled = (make_teacher(f"{name}@school.example") for name in ("other", "ill"))
    enrollment.course.teachers.add(colleague)
    lesson = plan_lesson(enrollment=enrollment, teacher=cancelled, starts_at=NOON, now=NOON)
    Lesson.objects.filter(pk=lesson.pk).update(status="cancelled")
    outsiders = {
        "another student": make_student("zoe@school.example").user,
        "a teacher of the course": colleague.user,
        "a teacher of a cancelled lesson": cancelled.user,
        "staff": make_user("staff@school.example", "staff", is_staff=True),
        "an admin": User.objects.create_superuser("admin@school.example", "x"),
        "somebody": make_user("somebody@school.example"),
    }
    for who, user in outsiders.items():
        client.force_login(user)
        assert client.get(thread(enrollment)).status_code == 404, who
        assert client.post(thread(enrollment), {"body": "Hello"}).status_code == 404, who
        assert "Between us" not in text_of(client.get("/messages/")), who
    client.logout()
    assert client.get(thread(enrollment)).status_code == 302
    assert client.post(thread(enrollment), {"body": "Hello"}).status_code == 302
    assert client.get("/messages/").status_code == 302
    assert Message.objects.count() == 1


def test_a_teacher_of_one_lesson_belongs_to_the_conversation(
    client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    other = make_teacher("other@school.example")
    plan_lesson(enrollment=enrollment, teacher=other, starts_at=NOON, now=NOON)
    write(enrollment, student, "To both of you")
    assert unread(other.user) == unread(teacher.user) == 1
    assert "To both of you" in text_of(logged_in(client, other).get(thread(enrollment)))
    assert (unread(other.user), unread(teacher.user)) == (0, 1)


# ---------------------------------------------------------------- unread


def test_seen_is_kept_for_each_person_and_thread_and_never_goes_back(
    enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    first, second = (write(enrollment, student, text) for text in ("One", "Two"))
    mark_read(enrollment=enrollment, user=teacher.user, up_to=second.pk)
    mark_read(enrollment=enrollment, user=teacher.user, up_to=first.pk)
    assert Reader.objects.get(user=teacher.user).seen_to == second.pk
    assert unread(student.user) == 0, "one's own are not new to oneself"


def test_lists_and_navigation_ask_the_same_for_many(
    client: Client, enrollment: Enrollment, teacher: Teacher, course: Course
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client.get("/messages/"))
        return len(queries)

    logged_in(client, teacher)
    write(enrollment, enrollment.student, "Hello")
    few = asked()
    for number in range(12):
        one = make_student(f"many{number}@school.example")
        other = Enrollment.objects.create(student=one, course=course)
        at = NOON + timedelta(hours=number)
        plan_lesson(enrollment=other, teacher=teacher, starts_at=at, now=at)
        write(other, one, f"Hello from {number}")
        write(other, one, "And again")
    assert asked() == few <= 9
    with CaptureQueriesContext(connection) as queries:
        found = list(inbox(teacher.user))
        assert unread(teacher.user) == 25
    assert len(queries) == 2
    assert [getattr(one, "unread_count", 0) for one in found] == [2] * 12 + [1]


def test_the_inbox_comes_in_pages(client: Client, course: Course, teacher: Teacher) -> None:
    for number in range(21):
        one = make_student(f"many{number}@school.example")
        Enrollment.objects.create(student=one, course=course, teacher=teacher)
    text = text_of(logged_in(client, teacher).get("/messages/"))
    assert "Page 1 of 2" in text
    assert text.count("Nothing written yet.") == 20
    Enrollment.objects.update(status="completed")
    assert "No conversation yet" in text_of(client.get("/messages/"))


def test_people_write_while_everything_is_off(
    switches: Switches, client: Client, enrollment: Enrollment, student: Student, teacher: Teacher
) -> None:
    switches.kill()
    logged_in(client, student).post(thread(enrollment), {"body": "Still here"})
    assert "Still here" in text_of(logged_in(client, teacher).get(thread(enrollment)))
