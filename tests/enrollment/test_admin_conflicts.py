"""The office decides about conflicts: lessons side by side, the choices, the message, one click."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollment.models import (
    Conflict,
    Course,
    Lesson,
    LessonChange,
    MakeUpCredit,
    Message,
    Reader,
    Student,
    Teacher,
    User,
)
from enrollment.operations.conflicts import find_conflicts
from enrollment.operations.lessons import SlotTaken, hold_slot
from tests.conftest import Switches, make_student, make_teacher, make_user
from tests.enrollment.contradictory import START, enrolled, lesson, without_guards
from tests.enrollment.test_admin import office, page

__all__ = ["office"]

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LIST = "/admin/enrollment/conflict/"


@pytest.fixture
def substitute(course: Course) -> Teacher:
    teacher = make_teacher("noor@school.example", "Europe/London")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Noor Haddad")
    course.teachers.add(teacher)
    return teacher


@pytest.fixture
def pair(student: Student, course: Course, teacher: Teacher) -> tuple[Lesson, Lesson]:
    """Two students at once with one teacher."""
    without_guards()
    first = lesson(enrolled(student, course, teacher=teacher), teacher)
    other = make_student("eve@school.example", "Europe/London")
    User.objects.filter(pk=other.user_id).update(first_name="Eve", last_name="Sommer")
    return first, lesson(enrolled(other, course), teacher, START + timedelta(minutes=15))


@pytest.fixture
def conflict(pair: tuple[Lesson, Lesson]) -> Conflict:
    find_conflicts(now=timezone.now())
    return Conflict.objects.get(kind="teacher_twice")


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def shown(client: Client, conflict: Conflict) -> str:
    response = client.get(page("conflict", "change", conflict.pk))
    assert response.status_code == 200
    return text(response)


def fields(content: str) -> dict[str, str]:
    """What the page would send: its hidden fields, and what it begins with."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", content):
        name, value = (re.search(rf'{part}="([^"]*)"', tag) for part in ("name", "value"))
        if name and name[1] not in ("csrfmiddlewaretoken",) and 'type="hidden"' in tag:
            found[name[1]] = value[1] if value else ""
    for name, body in re.findall(
        r'<textarea name="([^"]*)"[^>]*>(.*?)</textarea>', content, re.DOTALL
    ):
        found[name] = body.strip().replace("&#x27;", "'")
    return found


def decide(client: Client, conflict: Conflict, **answers: Any) -> str:
    """The first page, as it would be sent with these answers."""
    url = page("conflict", "change", conflict.pk)
    asked = fields(client.get(url).content.decode())
    for one in conflict.lessons.all():
        asked.setdefault(f"lesson-{one.pk}-what", "keep")
    return client.post(url, asked | {"step": "check"} | answers).content.decode()


def do(client: Client, conflict: Conflict, checked: str, **answers: Any) -> Any:
    """The one click."""
    url = page("conflict", "change", conflict.pk)
    sends = {name.replace("ready", "send"): "on" for name in fields(checked) if "ready" in name}
    return client.post(url, fields(checked) | sends | {"step": "apply"} | answers, follow=True)


# ---------------------------------------------------------------- the list
def test_the_list_has_what_is_open_first_with_counts(office: Client, conflict: Conflict) -> None:
    Conflict.objects.create(
        kind="from_nowhere", key="1", status="resolved", resolved_at=timezone.now()
    )
    content = text(office.get(LIST))
    assert content.index("Teacher in two places</a>") < content.index("from_nowhere</a>")
    assert "Marta Rossi has two lessons" in content
    assert "cannot say what it means" in content
    assert "Open (1)" in content
    assert "Teacher in two places (1)" in content
    assert "from_nowhere" not in text(office.get(LIST, {"kind": "teacher_twice"}))


def test_the_list_costs_the_same_for_many(office: Client, course: Course, teacher: Teacher) -> None:
    without_guards()
    counts = []
    for crowd in range(2):
        for number in range(2 + 8 * crowd):
            enrollment = enrolled(make_student(f"s{crowd}-{number}@school.example"), course)
            at = START + timedelta(days=number + 20 * crowd)
            lesson(enrollment, teacher, at)
            lesson(enrollment, teacher, at + timedelta(minutes=10))
            enrolled(make_student(f"t{crowd}-{number}@school.example"), course, flow="scheduling")
        find_conflicts(now=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            assert office.get(LIST).status_code == 200
        counts.append(len(queries))
    assert Conflict.objects.count() == 3 * 12
    assert counts[0] == counts[1] <= 20


def test_looking_again(office: Client, pair: tuple[Lesson, Lesson], switches: Switches) -> None:
    switches.kill()
    assert "Look again" in text(office.get(LIST))
    again = "/admin/enrollment/conflict/look-again/"
    assert "Looked: 1 new, 0 gone, 0 resolved by a rule." in text(office.post(again, follow=True))
    assert office.get(again).status_code == 405
    assert Conflict.objects.count() == 1


def test_the_command_says_what_it_found(pair: tuple[Lesson, Lesson], capsys: Any) -> None:
    call_command("find_conflicts")
    assert capsys.readouterr().out == "1 new, 0 gone, 0 resolved by a rule.\n"


# ---------------------------------------------------------------- one conflict
def test_the_lessons_stand_side_by_side_with_free_times(
    office: Client, conflict: Conflict, substitute: Teacher
) -> None:
    content = shown(office, conflict)
    for words in ("Teacher in two places", "Ada Vogel", "Eve Sommer", "16:00–16:45", "16:15–17:00"):
        assert words in content
    assert "Noor Haddad (teaches this course)" in content
    assert "Tue 11 March 2031, 16:00" in content


def test_a_lesson_is_moved_and_its_student_told_with_one_click(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson], staff: User, switches: Switches
) -> None:
    switches.kill()
    first, second = pair
    to = (START + timedelta(days=1)).isoformat()
    answers = {f"lesson-{second.pk}-what": "move", f"lesson-{second.pk}-to": to}
    checked = decide(office, conflict, **answers, reason="The room is too small.")
    assert "It is then on Tue 11 March 2031, 16:00, with Marta Rossi." in checked
    assert "Hello Eve," in checked
    assert "on Monday 10 March 2031, 15:15 (Europe/London) has moved" in checked
    assert "it is now on Tuesday 11 March 2031, 15:00 (Europe/London)" in checked
    assert not Message.objects.exists()

    assert "The conflict is resolved." in text(do(office, conflict, checked))

    second.refresh_from_db()
    assert second.starts_at == START + timedelta(days=1)
    conflict.refresh_from_db()
    assert (conflict.status, conflict.resolved_by, conflict.automatic) == ("resolved", staff, False)
    assert "Moved from Monday 10 March" in conflict.resolution
    assert conflict.resolution.endswith("The room is too small.")
    change = LessonChange.objects.get()
    assert (change.what, change.by, change.reason) == ("moved", staff, "The room is too small.")
    assert change.period_before == second.period.__class__(
        START + timedelta(minutes=15), START + timedelta(minutes=60)
    )
    message = Message.objects.get()
    assert (message.enrollment, message.sender) == (second.enrollment, staff)
    assert Reader.objects.get(user=second.student.user).notice_next_at is not None
    story = LogEntry.objects.get(object_id=str(second.pk), change_message__contains="Moved")
    assert "Reason: The room" in story.change_message
    log = LogEntry.objects.get(content_type__model="conflict")
    assert (log.object_repr, log.change_message) == (f"teacher_twice {conflict.pk}", "Resolved.")
    first.refresh_from_db()
    assert first.starts_at == START
    assert find_conflicts(now=timezone.now()).opened == 0


def test_a_day_and_time_of_ones_own(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    name = f"lesson-{pair[0].pk}"
    when = {f"{name}-what": "move", f"{name}-on": "2031-03-12", f"{name}-at": "09:30"}
    do(office, conflict, decide(office, conflict, **when))
    moved = Lesson.objects.get(pk=pair[0].pk)
    assert moved.starts_at == datetime(2031, 3, 12, 8, 30, tzinfo=UTC)


def test_a_substitute_teaches_at_the_same_moment(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson], substitute: Teacher
) -> None:
    name = f"lesson-{pair[0].pk}"
    answers = {f"{name}-what": "substitute", f"{name}-teacher": substitute.pk}
    checked = decide(office, conflict, **answers)
    assert "will be given by Noor Haddad" in checked
    do(office, conflict, checked)
    now = Lesson.objects.get(pk=pair[0].pk)
    assert (now.teacher, now.starts_at, now.zone) == (substitute, START, "Europe/London")


@pytest.mark.parametrize(("what", "owed"), [("credit", 1), ("cancel", 0)])
def test_cancelled_with_or_without_a_credit(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson], what: str, owed: int
) -> None:
    checked = decide(office, conflict, **{f"lesson-{pair[0].pk}-what": what})
    assert ("We owe you this lesson" in checked) == bool(owed)
    do(office, conflict, checked)
    pair[0].refresh_from_db()
    assert pair[0].status == "cancelled"
    assert LessonChange.objects.get().what == "cancelled"
    assert [credit.minutes for credit in MakeUpCredit.objects.all()] == [45] * owed


def test_nothing_is_sent_where_nobody_wants_it(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    checked = decide(office, conflict, **{f"lesson-{pair[0].pk}-what": "cancel"})
    url = page("conflict", "change", conflict.pk)
    office.post(url, fields(checked) | {"step": "apply"})
    pair[0].refresh_from_db()
    assert pair[0].status == "cancelled"
    assert not Message.objects.exists()


def test_keeping_everything_takes_a_reason(office: Client, conflict: Conflict, staff: User) -> None:
    assert "Say why everything stays as it is." in decide(office, conflict)
    decide(office, conflict, reason="They are twins, and play together.")
    conflict.refresh_from_db()
    assert (conflict.status, conflict.resolved_by) == ("dismissed", staff)
    assert find_conflicts(now=timezone.now()).opened == 0
    content = shown(office, conflict)
    assert "They are twins, and play together." in content
    office.post(page("conflict", "change", conflict.pk), {"step": "reopen"})
    conflict.refresh_from_db()
    assert (conflict.status, conflict.resolution) == ("open", "")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"what": ""}, "This field is required."),
        ({"what": "x"}, "Select a valid choice"),
        ({"what": "move"}, "Choose where it moves to, or give a day and a time."),
        ({"what": "move", "to": "x"}, "Select a valid choice"),
        ({"what": "move", "on": "2031-03-12"}, "A day and a time, please"),
        ({"what": "move", "at": "10:00"}, "A day and a time, please"),
        ({"what": "move", "on": "31.3.", "at": "10:00"}, "Enter a valid date."),
        ({"what": "move", "on": "2031-03-30", "at": "02:30"}, "choose 03:30 instead"),
        ({"what": "move", "on": "2031-03-10", "at": "16:30"}, "already has a lesson then"),
        ({"what": "move", "on": "9999-12-31", "at": "10:00"}, "No day after"),
        ({"what": "substitute"}, "Choose who teaches instead."),
        ({"what": "substitute", "teacher": "0"}, "not one of the available choices"),
        ({"what": "cancel", "seen": "planned-1-1"}, "has changed meanwhile"),
    ],
)
def test_bad_answers_are_said_at_their_field_and_kept(
    office: Client,
    conflict: Conflict,
    pair: tuple[Lesson, Lesson],
    answers: dict[str, str],
    error: str,
) -> None:
    named = {f"lesson-{pair[0].pk}-{name}": value for name, value in answers.items()}
    content = decide(office, conflict, **named, reason="Kept on the page.")
    assert error in content
    assert content.count('class="office-error"') <= 2
    assert "Kept on the page." in content
    for name, value in named.items():
        if name.endswith(("-on", "-at")):
            assert f'value="{value}"' in content
    conflict.refresh_from_db()
    assert conflict.status == "open"


def test_an_empty_or_endless_message_is_no_message(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    checked = decide(office, conflict, **{f"lesson-{pair[0].pk}-what": "cancel"})
    name = f"tell-{pair[0].pk}-message"
    assert "Write what the student shall read" in text(do(office, conflict, checked, **{name: " "}))
    endless = text(do(office, conflict, checked, **{name: "x" * 4001}))
    assert "at most 4000 characters" in endless
    assert "x" * 4001 in endless
    pair[0].refresh_from_db()
    assert pair[0].status == "planned"


def test_what_was_typed_stays_when_the_time_was_taken_meanwhile(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    name = f"lesson-{pair[0].pk}"
    when = {f"{name}-what": "move", f"{name}-on": "2031-03-12", f"{name}-at": "09:30"}
    checked = decide(office, conflict, **when)
    typed = {f"tell-{pair[0].pk}-message": "Dear Ada, sorry!"}
    with patch("enrollment.operations.settling.put_lesson", side_effect=SlotTaken):
        refused = do(office, conflict, checked, **typed).content.decode()
    assert "this time has just been taken" in refused
    assert not Message.objects.exists()
    again = fields(refused) | {f"{name}-on": "2031-03-13", f"{name}-at": "09:30"}
    again |= {f"{name}-what": "move", f"lesson-{pair[1].pk}-what": "keep", "step": "check"}
    url = page("conflict", "change", conflict.pk)
    checked = office.post(url, again).content.decode()
    assert "Thursday 13 March 2031, 09:30" in checked
    assert "Dear Ada, sorry!" in checked


def test_back_to_the_choices_keeps_them(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    name = f"lesson-{pair[0].pk}"
    checked = decide(office, conflict, **{f"{name}-what": "credit"}, reason="Ill.")
    url = page("conflict", "change", conflict.pk)
    content = office.post(url, fields(checked) | {"step": "back"}).content.decode()
    assert re.search(rf'name="{name}-what"\s+value="credit"[^>]*checked', content)
    assert "Ill." in content


def test_a_conversation_that_is_closed_gets_no_message(
    office: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    long_ago = timezone.now() - timedelta(days=60)
    over = enrolled(student, course, status="completed", ended_at=long_ago)
    late = lesson(over, teacher)
    find_conflicts(now=timezone.now())
    conflict = Conflict.objects.get(kind="after_the_end")
    checked = decide(office, conflict, **{f"lesson-{late.pk}-what": "cancel"})
    assert "nothing can be sent there" in checked
    do(office, conflict, checked)
    late.refresh_from_db()
    assert late.status == "cancelled"
    assert not Message.objects.exists()


def test_a_held_time_is_given_back(
    office: Client, student: Student, course: Course, teacher: Teacher
) -> None:
    hold_slot(student=student, course=course, teacher=teacher, starts_at=START, now=timezone.now())
    find_conflicts(now=timezone.now())
    conflict = Conflict.objects.get()
    assert "Give the time back" in shown(office, conflict)
    office.post(page("conflict", "change", conflict.pk), {"step": "give_back"})
    conflict.refresh_from_db()
    assert conflict.status == "resolved"
    assert not Lesson.objects.exists()


def test_two_accounts_are_shown_with_their_addresses(office: Client, course: Course) -> None:
    for address in ("ada@mail.example", "ada+x@mail.example"):
        enrolled(make_student(address), course)
    find_conflicts(now=timezone.now())
    content = shown(office, Conflict.objects.get(kind="same_person"))
    assert "ada@mail.example" in content
    assert "ada+x@mail.example" in content


def test_a_conflict_that_has_ended_is_only_shown(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    answers = {f"lesson-{pair[0].pk}-what": "cancel"}
    checked = decide(office, conflict, **answers)
    Conflict.objects.update(
        status="resolved", resolved_at=timezone.now(), resolution="Gone.", automatic=True
    )
    assert "this conflict has ended. Nothing was done." in text(do(office, conflict, checked))
    pair[0].refresh_from_db()
    assert pair[0].status == "planned"
    content = shown(office, conflict)
    assert "by itself" in content
    assert "Go on" not in content


def test_who_may_only_look(client: Client, conflict: Conflict, student: Student) -> None:
    viewer = make_user("guest@school.example", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_conflict"))
    client.force_login(viewer)
    url = page("conflict", "change", conflict.pk)
    assert "Go on" not in shown(client, conflict)
    assert "Look again" not in text(client.get(LIST))
    assert client.post(url, {"step": "keep", "reason": "x"}).status_code == 403
    assert client.post("/admin/enrollment/conflict/look-again/").status_code == 403
    chosen = {"action": "keep_selected", "_selected_action": [conflict.pk]}
    client.post(LIST, chosen | {"confirmed": "1", "reason": "x"})
    client.force_login(student.user)
    assert client.post(url, {"step": "keep", "reason": "x"}).status_code == 302
    conflict.refresh_from_db()
    assert conflict.status == "open"
