"""Who is deleted stays so: what was on its way, what is planned, written or imported afterwards."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from enrollment.domain.messages import ThreadClosed
from enrollment.models import (
    ApiToken,
    Course,
    Enrollment,
    Lesson,
    Message,
    Reader,
    Student,
    Teacher,
    User,
)
from enrollment.operations.confirmations import CONFIRMATIONS
from enrollment.operations.erase import StillTeaching, erase_person
from enrollment.operations.lessons import PersonDeleted
from enrollment.operations.mailing import LEASE, claim, send_next
from enrollment.operations.messages import write_message
from enrollment.operations.notices import NOTICES, seat_new_teachers
from enrollment.operations.office import (
    EnrollmentNotLive,
    move_enrollment,
    plan_by_hand,
    reschedule_lesson,
)
from enrollment.operations.series import plan_series
from enrollment.operations.several import Move, move_lessons
from enrollment.operations.tokens import make_token
from enrollment.queries import messages as message_queries
from tests.conftest import make_student, make_teacher
from tests.enrollment.crowd import at_once
from tests.enrollment.school_files import problems
from tests.personal.full_person import Learning, lesson

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]


def leave(user: User, now: datetime) -> None:
    erase_person(user=user, by=user, now=now)


@pytest.fixture
def gone(now: datetime) -> Teacher:
    """A teacher who was deleted."""
    teacher = make_teacher("gone@school.example")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Bea Gone")
    leave(teacher.user, now)
    return Teacher.objects.get(pk=teacher.pk)


# ---------------------------------------------------------------- messages


def test_a_message_that_was_on_its_way_is_not_written(learning: Learning, now: datetime) -> None:
    sender = learning.enrollment.student.user
    leave(sender, now)
    with pytest.raises(PersonDeleted):
        write_message(enrollment=learning.enrollment, sender=sender, body="Ada", now=now)
    assert not Message.objects.exclude(body="").exists()


def test_nobody_writes_about_a_student_who_is_gone(
    client: Client, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    """Otherwise for a month more: the enrollment ended today."""
    leave(learning.enrollment.student.user, now)
    with pytest.raises(ThreadClosed):
        write_message(enrollment=learning.enrollment, sender=teacher.user, body="Ada", now=now)
    client.force_login(teacher.user)
    address = f"/messages/{learning.enrollment.pk}/"
    assert "<textarea" not in client.get(address).content.decode()
    assert client.post(address, {"body": "Ada"}).status_code == 422
    assert not Message.objects.exclude(body="").exists()
    assert not Reader.objects.filter(user=learning.enrollment.student.user).exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_and_the_deletion_at_the_same_moment(
    student: Student, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    for _round in range(6):
        # A completed one is nobody's to cancel, so nothing but the student's row orders the two.
        Enrollment.objects.update(status="completed", ended_at=now)
        at_once(
            lambda: leave(student.user, now),
            lambda: write_message(
                enrollment=learning.enrollment, sender=teacher.user, body="Ada", now=now
            ),
        )
        assert not Message.objects.exclude(body="").exists()
        User.objects.filter(pk=student.user.pk).update(deleted_at=None, email="ada@school.example")


def test_a_teacher_who_is_gone_is_not_told(
    student: Student, teacher: Teacher, gone: Teacher, learning: Learning, now: datetime
) -> None:
    """The last lesson was theirs; a row of theirs would come back each minute."""
    Lesson.objects.filter(pk=learning.past.pk).update(teacher=gone)
    write_message(enrollment=learning.enrollment, sender=student.user, body="Hello", now=now)
    seat_new_teachers(now=now)
    assert set(Reader.objects.values_list("user", flat=True)) == {student.user.pk, teacher.user.pk}
    assert message_queries.other_side(learning.enrollment, user=student.user) == [teacher.user]


# ---------------------------------------------------------------- mails on their way


def test_a_notice_on_its_way_finds_its_row_gone(
    student: Student, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    write_message(enrollment=learning.enrollment, sender=teacher.user, body="Hi", now=now)
    row = claim(NOTICES, now=now + timedelta(hours=1))
    assert row is not None
    leave(student.user, now)
    NOTICES.done(row, now=now, sent=True)
    NOTICES.give_up(row, reason="no such mailbox")
    assert not Reader.objects.exists()
    assert Enrollment.objects.get(pk=learning.enrollment.pk).office_note == ""


def test_a_confirmation_on_its_way_is_the_last_one(
    student: Student, learning: Learning, now: datetime
) -> None:
    """The server refuses it a moment after the deletion; the address must not come back."""
    row = claim(CONFIRMATIONS, now=now)
    assert row is not None
    leave(student.user, now)
    CONFIRMATIONS.note(row, tries=1, next_at=now)
    assert send_next(CONFIRMATIONS, now=now).name == "NOT_NEEDED"
    assert not CONFIRMATIONS.due(now=now + 2 * LEASE).exists()
    CONFIRMATIONS.give_up(row, reason="no such mailbox")
    assert Enrollment.objects.get(pk=learning.enrollment.pk).office_note == ""


def test_what_the_office_was_told_of_a_teacher_goes_too(
    student: Student, course: Course, now: datetime
) -> None:
    """An address in the notes of somebody else's enrollment, a name in a lesson's history."""
    teacher = make_teacher("bea@school.example")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Bea Gone")
    told = "A notice could not be delivered to bea@school.example: 550."
    enrollment = Enrollment.objects.create(student=student, course=course, office_note=told)
    LogEntry.objects.create(
        user=student.user,
        content_type=ContentType.objects.get_for_model(Lesson),
        object_id="1",
        object_repr="x",
        action_flag=CHANGE,
        change_message="Moved from Monday with Marta to Tuesday with Bea Gone.",
    )
    leave(teacher.user, now)
    enrollment.refresh_from_db()
    assert "bea@" not in enrollment.office_note
    assert "could not be delivered" in enrollment.office_note
    assert "Bea" not in LogEntry.objects.get(object_id="1").change_message


def test_no_token_is_made_for_who_is_gone(student: Student, now: datetime) -> None:
    leave(student.user, now)
    with pytest.raises(PersonDeleted):
        make_token(user=student.user, name="Ada's phone", lifetime=timedelta(days=1), now=now)
    assert not ApiToken.objects.exists()


# ---------------------------------------------------------------- lessons


def test_nothing_is_planned_with_a_teacher_who_is_gone(
    gone: Teacher, learning: Learning, now: datetime
) -> None:
    on, start = now.date() + timedelta(days=30), now + timedelta(days=30)
    works: list[Callable[[], object]] = [
        lambda: plan_by_hand(
            enrollment=learning.enrollment, teacher=gone, on=on, at=time(9), now=now
        ),
        lambda: plan_series(enrollment=learning.enrollment, teacher=gone, starts=[start], now=now),
        lambda: reschedule_lesson(lesson=learning.coming, teacher=gone, on=on, at=time(9), now=now),
        lambda: move_lessons(lessons=[learning.coming], move=Move(teacher=gone), now=now),
    ]
    for work in works:
        with pytest.raises(PersonDeleted):
            work()
    assert not Lesson.objects.filter(teacher=gone).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["one", "series", "moved"])
def test_a_teacher_leaves_while_a_lesson_is_planned(
    teacher: Teacher, learning: Learning, now: datetime, kind: str
) -> None:
    """Whoever is first: no coming lesson of somebody deleted."""
    other = make_teacher("other@school.example")
    on = now.date() + timedelta(days=30)
    for number in range(6):
        at = time(6 + number)
        start = now + timedelta(days=40, hours=number)
        who: dict[str, Any] = {"teacher": other, "now": now}
        works: dict[str, Callable[[], object]] = {
            "one": partial(plan_by_hand, enrollment=learning.enrollment, on=on, at=at, **who),
            "series": partial(plan_series, enrollment=learning.enrollment, starts=[start], **who),
            "moved": partial(reschedule_lesson, lesson=learning.coming, on=on, at=at, **who),
        }
        planned, left = at_once(works[kind], lambda: leave(other.user, now))
        assert isinstance(planned, PersonDeleted) != isinstance(left, StillTeaching)
        Lesson.objects.filter(teacher=other).update(teacher=teacher)
        User.objects.filter(pk=other.user.pk).update(deleted_at=None, email="other@school.example")


@pytest.mark.django_db(transaction=True)
def test_a_student_leaves_while_a_lesson_is_planned_or_moved(
    student: Student, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    past = lesson(
        student=student,
        teacher=teacher,
        course=learning.enrollment.course,
        enrollment=learning.enrollment,
        starts=now - timedelta(days=3),
    )
    on = now.date() + timedelta(days=30)
    who: dict[str, Any] = {"teacher": teacher, "on": on, "now": now}
    plan = partial(plan_by_hand, enrollment=learning.enrollment, at=time(9), **who)
    move = partial(reschedule_lesson, lesson=past, at=time(12), **who)
    answers = at_once(plan, lambda: leave(student.user, now), move)
    assert answers[1] is None
    coming = Lesson.objects.filter(status="planned", period__startswith__gt=now)
    assert not coming.exists(), answers


@pytest.mark.django_db(transaction=True)
def test_an_enrollment_ends_while_a_lesson_is_planned(
    teacher: Teacher, learning: Learning, now: datetime
) -> None:
    on = now.date() + timedelta(days=30)
    for number in range(6):
        Enrollment.objects.update(status="confirmed", ended_at=None)
        of: dict[str, Any] = {"enrollment": learning.enrollment, "now": now}
        planned, _moved = at_once(
            partial(plan_by_hand, at=time(6 + number), teacher=teacher, on=on, **of),
            partial(move_enrollment, status="cancelled", **of),
        )
        assert isinstance(planned, Lesson | EnrollmentNotLive)
        assert not Lesson.objects.filter(status="planned", period__startswith__gt=now).exists()


# ---------------------------------------------------------------- the office's pages


@pytest.fixture
def office(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def test_a_teacher_who_is_gone_can_be_chosen_nowhere(
    office: Client, gone: Teacher, learning: Learning, course: Course, now: datetime
) -> None:
    enrollment = f"/admin/enrollment/enrollment/{learning.enrollment.pk}/"
    on = now.date() + timedelta(days=30)
    timed = {"teacher": gone.pk, "local_on": f"{on}", "local_start": "09:00"}
    asked = {
        "/admin/enrollment/lesson/add/": {"enrollment": learning.enrollment.pk, **timed},
        f"/admin/enrollment/lesson/{learning.coming.pk}/change/": timed,
        f"{enrollment}change/": {"teacher": gone.pk},
        f"/admin/enrollment/course/{course.pk}/change/": {
            "title": course.title,
            "slug": course.slug,
            "lesson_minutes": "45",
            "capacity": "10",
            "teachers": gone.pk,
            "units-TOTAL_FORMS": "0",
            "units-INITIAL_FORMS": "0",
        },
    }
    for address, answers in asked.items():
        page = office.post(address, answers)
        assert page.status_code == 200, address
        names = page.context["adminform"].form.errors
        assert set(names) & {"teacher", "teachers"}, (address, names)
    series = office.get(
        f"{enrollment}plan-series/",
        {"teacher": str(gone.pk), "first_on": f"{on}", "at": "09:00", "every": "1", "count": "2"},
    )
    assert "teacher" in series.context["form"].errors
    move = {"action": "move_selected", "_selected_action": learning.coming.pk, "confirmed": "yes"}
    moved = office.post("/admin/enrollment/lesson/", {**move, "days": "0", "teacher": gone.pk})
    assert "teacher" in moved.context["form"].errors
    assert not Lesson.objects.filter(teacher=gone).exists()


def test_a_lesson_whose_teacher_is_gone_says_so_when_it_is_moved(
    office: Client, gone: Teacher, learning: Learning, now: datetime
) -> None:
    """Nobody had noted that it was given."""
    Lesson.objects.filter(pk=learning.past.pk).update(status="planned", teacher=gone)
    on = now.date() + timedelta(days=30)
    answers = {"teacher": gone.pk, "local_on": f"{on}", "local_start": "09:00"}
    page = office.post(f"/admin/enrollment/lesson/{learning.past.pk}/change/", answers)
    assert "is deleted" in page.content.decode()
    move = {"action": "move_selected", "_selected_action": learning.past.pk, "confirmed": "yes"}
    page = office.post("/admin/enrollment/lesson/", {**move, "days": "30"})
    assert "is deleted" in page.content.decode()
    assert Lesson.objects.get(pk=learning.past.pk).period == learning.past.period


def test_who_is_gone_gets_no_new_name_and_nobody_steps_into_their_place(
    office: Client, gone: Teacher, teacher: Teacher, student: Student, staff: User
) -> None:
    """A teacher's rows are that person's: with another login somebody would read their messages."""
    own = {"display_name": "Bea Again", "zone": "UTC", "bio": "", "user": staff.pk}
    assert office.post(f"/admin/enrollment/teacher/{gone.pk}/change/", own).status_code == 403
    office.post(f"/admin/enrollment/teacher/{teacher.pk}/change/", own)
    office.post(f"/admin/enrollment/student/{student.pk}/change/", own)
    users = Teacher.objects.get(pk=teacher.pk).user, Student.objects.get(pk=student.pk).user
    assert users == (teacher.user, student.user)
    assert Teacher.objects.get(pk=teacher.pk).display_name == "Bea Again"


# ---------------------------------------------------------------- files


def test_a_file_brings_nobody_back(
    tmp_path: Path, student: Student, gone: Teacher, course: Course, now: datetime
) -> None:
    left, here = make_student("left@school.example"), student.user.email
    leave(left.user, now)
    nobody, teacher = User.objects.get(pk=left.user.pk).email, gone.user.email
    found = problems(
        tmp_path,
        teachers=f"email,first_name,last_name,zone\n{teacher},Bea,Gone,UTC\n",
        students=f"email,first_name,last_name\n{nobody},Ada,Vogel\n"
        "deleted-999@deleted.invalid,X,Y\n",
        courses=f"title,slug,teachers\nViolin,violin,{teacher}\n",
        enrollments=f"student,course,teacher\n{nobody},violin,\n{here},violin,{teacher}\n",
        lessons="teacher,student,course,date,time\n",
    )
    places = [(one.file.removesuffix(".csv"), one.line, one.column) for one in found]
    assert places == [
        ("teachers", 2, "email"),
        ("students", 2, "email"),
        ("students", 3, "email"),
        ("courses", 2, "teachers"),
        ("enrollments", 2, "student"),
        ("enrollments", 3, "teacher"),
    ]


def test_a_file_plans_nothing_with_who_is_gone(
    tmp_path: Path, learning: Learning, gone: Teacher, now: datetime
) -> None:
    who, course = learning.enrollment.student.user.email, learning.enrollment.course.slug
    found = problems(
        tmp_path,
        teachers="email,first_name,last_name,zone\n",
        students="email,first_name,last_name\n",
        courses="title,slug\n",
        enrollments="student,course\n",
        lessons="teacher,student,course,date,time,status\n"
        f"{gone.user.email},{who},{course},2040-03-05,10:00,planned\n"
        # What was is history, and a file may bring it.
        f"{gone.user.email},{who},{course},2020-03-05,10:00,done\n",
    )
    assert [(one.line, one.column) for one in found] == [(2, "teacher")]
