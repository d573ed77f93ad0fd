"""The office decides about conflicts: lessons side by side, the choices, the message, one click."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
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

from enrollment.domain.messages import HOURLY_LIMIT
from enrollment.models import (
    Conflict,
    Course,
    Enrollment,
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
from enrollment.operations.erase import erase_person
from enrollment.operations.lessons import SlotTaken, hold_slot
from enrollment.operations.settling import Case, ConflictEnded, Decision, dismiss, settle
from tests.conftest import Switches, make_student, make_teacher, make_user
from tests.enrollment.contradictory import START, enrolled, lesson, without_guards
from tests.enrollment.crowd import at_once
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


# ---------------------------------------------------------------- many at once
@pytest.fixture
def many(course: Course, teacher: Teacher) -> list[Conflict]:
    """Lessons after the end of their enrollments, more than a person may write in an hour."""
    now = timezone.now()
    for number in range(HOURLY_LIMIT + 2):
        one = make_student(f"s{number}@school.example")
        over = enrolled(one, course, status="completed", ended_at=now)
        lesson(over, teacher, START + number * HOUR)
    find_conflicts(now=now)
    return list(Conflict.objects.filter(kind="after_the_end"))


def choose(client: Client, action: str, conflicts: list[Conflict], **answers: Any) -> str:
    chosen = {"action": action, "_selected_action": [one.pk for one in conflicts]}
    return text(client.post(LIST, chosen | answers, follow=True))


def test_many_lessons_are_cancelled_with_credit_and_message(
    office: Client, many: list[Conflict], switches: Switches
) -> None:
    switches.kill()
    asked = choose(office, "cancel_selected", many)
    assert "With a make-up credit for each" in asked
    answers = {"credit": "on", "send": "on", "extra": "Snow!", "reason": "Snow."}
    done = choose(office, "cancel_selected", many, confirmed="1", **answers)
    assert f"{len(many)} lessons cancelled." in done
    assert set(Lesson.objects.values_list("status", flat=True)) == {"cancelled"}
    assert MakeUpCredit.objects.count() == Message.objects.count() == len(many)
    assert all("Snow!" in one.body for one in Message.objects.all())
    assert set(Conflict.objects.values_list("status", flat=True)) == {"resolved"}


def test_of_two_lessons_a_person_says_which(office: Client, conflict: Conflict) -> None:
    content = choose(office, "cancel_selected", [conflict], confirmed="1")
    assert "None of these can be dealt with so" in content
    assert Lesson.objects.filter(status="planned").count() == 2


def test_many_are_kept_with_one_reason(office: Client, many: list[Conflict]) -> None:
    assert "This field is required." in choose(office, "keep_selected", many, confirmed="1")
    done = choose(office, "keep_selected", many, confirmed="1", reason="Extra lessons.")
    assert f"{len(many)} conflicts stay as they are." in done
    assert set(Conflict.objects.values_list("status", "resolution")) == {
        ("dismissed", "Extra lessons.")
    }


def test_one_that_ended_meanwhile_and_none_is_done(office: Client, many: list[Conflict]) -> None:
    with patch("enrollment.admin.conflicts_at_once.settle", side_effect=ConflictEnded):
        content = choose(office, "cancel_selected", many, confirmed="1", send="on")
    assert "One of them has ended meanwhile." in content
    assert Lesson.objects.filter(status="planned").count() == len(many)


# ---------------------------------------------------------------- races and erased people
@pytest.mark.django_db(transaction=True)
def test_pressed_by_many_at_once_it_happens_once(
    student: Student, course: Course, teacher: Teacher, staff: User
) -> None:
    now = timezone.now()
    over = enrolled(student, course, status="completed", ended_at=now)
    late = lesson(over, teacher)
    find_conflicts(now=now)
    conflict = Conflict.objects.get()
    shown_lesson = Lesson.objects.select_related("enrollment__student", "teacher").get(pk=late.pk)
    press = partial(
        settle,
        cases=[
            Case(
                conflict=conflict,
                decisions=[Decision(lesson=shown_lesson, credit=True, message="Sorry.")],
            )
        ],
        reason="",
        by=staff,
        now=now,
    )
    keep = partial(dismiss, conflicts=[conflict], reason="x", by=staff, now=now)
    search = partial(find_conflicts, now=now)
    answers = at_once(press, press, press, keep, search, search)
    ended = [one for one in answers if isinstance(one, BaseException)]
    assert {type(one).__name__ for one in ended} <= {"ConflictEnded", "ChangedMeanwhile"}, answers
    assert len(ended) == 3
    conflict.refresh_from_db()
    cancelled = Lesson.objects.get(pk=late.pk).status == "cancelled"
    assert cancelled == (conflict.resolution != "x")
    assert MakeUpCredit.objects.count() == Message.objects.count() == cancelled


def test_whoever_is_erased_is_gone_from_the_words(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson], admin: User
) -> None:
    checked = decide(
        office, conflict, **{f"lesson-{pair[0].pk}-what": "credit"}, reason="Ada asked"
    )
    do(office, conflict, checked)
    MakeUpCredit.objects.update(note="Ada is ill")
    erase_person(user=pair[0].student.user, by=admin, now=timezone.now())
    conflict.refresh_from_db()
    assert conflict.resolution == ""
    assert MakeUpCredit.objects.get().note == ""
    assert "Deleted person" in shown(office, conflict)
    assert not LogEntry.objects.filter(change_message__contains="Ada").exists()


def test_a_message_to_somebody_who_is_erased_is_refused_whole(
    office: Client, conflict: Conflict, pair: tuple[Lesson, Lesson]
) -> None:
    checked = decide(office, conflict, **{f"lesson-{pair[0].pk}-what": "cancel"})
    User.objects.filter(student=pair[0].student).update(deleted_at=timezone.now())
    assert "account of this student or teacher is deleted" in text(do(office, conflict, checked))
    conflict.refresh_from_db()
    assert conflict.status == "open"


# ---------------------------------------------------------------- what is owed
@pytest.fixture
def credit(student: Student, course: Course, teacher: Teacher) -> MakeUpCredit:
    enrollment = enrolled(student, course, teacher=teacher)
    cancelled = lesson(enrollment, teacher, status="cancelled")
    return MakeUpCredit.objects.create(enrollment=enrollment, lesson=cancelled, minutes=45)


def plan(client: Client, credit: MakeUpCredit, **more: Any) -> Any:
    answers = {
        "enrollment": credit.enrollment_id,
        "teacher": credit.enrollment.teacher_id,
        "local_on": "2031-03-17",
        "local_start": "16:00",
    }
    return client.post(page("lesson", "add"), answers | more)


def test_the_student_and_the_office_see_what_is_owed(
    office: Client, client: Client, credit: MakeUpCredit, student: Student
) -> None:
    owed = "1 lesson is owed"
    assert owed in text(office.get(page("enrollment", "change", credit.enrollment_id)))
    for answer, listed in (("no", True), ("yes", False)):
        content = text(office.get("/admin/enrollment/makeupcredit/", {"made_up": answer}))
        assert ("Ada Vogel" in content) == listed
    client.force_login(student.user)
    content = text(client.get(f"/enrollments/{credit.enrollment_id}/"))
    assert "45 minutes for the lesson on Monday 10 March 2031, which was cancelled." in content


def test_planning_uses_it_up_and_cancelling_gives_it_back(
    office: Client, credit: MakeUpCredit
) -> None:
    assert plan(office, credit, use_credit="on").status_code == 302
    made = Lesson.objects.get(status="planned")
    credit.refresh_from_db()
    assert credit.used_lesson == made
    assert not credit.is_open
    again = plan(office, credit, use_credit="on", local_start="18:00").content.decode()
    assert "The school owes this student no lesson." in again
    assert 'value="18:00"' in again
    Lesson.objects.filter(pk=made.pk).update(status="cancelled")
    assert plan(office, credit, use_credit="on", local_start="18:00").status_code == 302
    credit.refresh_from_db()
    assert credit.used_lesson == Lesson.objects.get(status="planned")


def test_planning_without_the_tick_leaves_it(office: Client, credit: MakeUpCredit) -> None:
    plan(office, credit)
    credit.refresh_from_db()
    assert credit.is_open


def test_the_office_says_which_lesson_made_up_for_it(
    office: Client, credit: MakeUpCredit, teacher: Teacher, course: Course
) -> None:
    made = lesson(credit.enrollment, teacher, START + 48 * HOUR)
    others = lesson(
        enrolled(make_student("eve@school.example"), course), teacher, START + 72 * HOUR
    )
    url = page("makeupcredit", "change", credit.pk)
    assert "12 March 2031" in text(office.get(url))
    refused = office.post(url, {"used_lesson": others.pk, "note": "Mine."}).content.decode()
    assert "Select a valid choice" in refused
    assert "Mine." in refused
    assert office.post(url, {"used_lesson": made.pk, "note": "x"}).status_code == 302
    credit.refresh_from_db()
    assert (credit.used_lesson, credit.note) == (made, "x")
    assert office.post(url, {"used_lesson": "", "note": "x"}).status_code == 302
    credit.refresh_from_db()
    assert (credit.used_lesson, credit.used_at) == (None, None)


def test_an_enrollment_with_conflicts_can_still_be_deleted(
    office: Client, student: Student, course: Course
) -> None:
    enrollment = enrolled(student, course, flow="scheduling")
    find_conflicts(now=timezone.now())
    office.post(page("enrollment", "delete", enrollment.pk), {"post": "yes"})
    assert not Enrollment.objects.exists()
    assert find_conflicts(now=timezone.now()).gone == 1
