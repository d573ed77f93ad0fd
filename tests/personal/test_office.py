"""Teachers, staff and the office: who is not deleted, by whom, and how an admin does it."""

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.enroll import enroll
from enrollment.operations.erase import StillTeaching, check_can_erase, erase_person
from rollback.models import Flag
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TeacherReminder,
    TimeOff,
)
from tests.conftest import make_student, make_user
from tests.enrollment.crowd import at_once
from tests.personal.full_person import Learning, fill_teacher, lesson
from tests.rollback.flag_rows import changes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

DELETE = "/my/data/delete/"
ANSWERS = {"password": "correct horse", "sure": "on"}


def leave(user: User, now: datetime) -> None:
    erase_person(user=user, by=user, now=now)


def test_a_teacher_with_students_is_told_to_ask_the_office(
    client: Client, teacher: Teacher, learning: Learning
) -> None:
    client.force_login(teacher.user)
    page = client.get(DELETE).content.decode()
    assert "1 coming lesson, 1 running enrollment" in page
    assert "Please write to the office" in page
    assert client.post(DELETE, ANSWERS).status_code == 409
    teacher.user.refresh_from_db()
    assert teacher.user.deleted_at is None


def test_a_teacher_without_students_leaves(
    teacher: Teacher, course: Course, student: Student, now: datetime
) -> None:
    fill_teacher(teacher, now=now)
    past = lesson(
        student=student,
        teacher=teacher,
        course=course,
        starts=now - timedelta(days=9),
        status="done",
    )
    leave(teacher.user, now)
    assert Lesson.objects.get() == past
    teacher.refresh_from_db()
    assert (teacher.display_name, teacher.bio) == ("Deleted person", "")
    assert not course.teachers.exists()
    kept = (AvailabilityRule, AvailabilityException, TimeOff, BookingPolicy, TeacherReminder)
    assert not [model for model in kept if model._default_manager.exists()]
    assert not Flag.objects.filter(users=teacher.user).exists()  # type: ignore[misc]
    kill, taken_off = list(changes())[-2:]
    assert (kill.actor, kill.actor_name) == (teacher.user, f"person {teacher.user.pk}")
    assert taken_off.reason == "One of the early users was deleted."


@pytest.mark.django_db(transaction=True)
def test_a_teacher_cannot_leave_while_somebody_enrolls_with_them(
    teacher: Teacher, course: Course, now: datetime
) -> None:
    def enroll_somebody() -> Enrollment:
        return enroll(
            student=students.pop(),
            course=course,
            teacher=teacher,
            wished_times="",
            note="",
            flow="original",
            now=now,
        )

    students = [make_student(f"s{n}@school.example") for n in range(8)]
    at_once(*[enroll_somebody] * 7, lambda: leave(teacher.user, now))
    teacher.user.refresh_from_db()
    live = Enrollment.objects.filter(teacher=teacher, status="requested").exists()
    assert live is (teacher.user.deleted_at is None)


@pytest.mark.django_db(transaction=True)
def test_who_changes_the_flags_just_now_is_waited_for_and_then_told(
    client: Client, teacher: Teacher, now: datetime
) -> None:
    """Taking somebody off the early users is a change of flags like any other."""
    fill_teacher(teacher, now=now)
    client.force_login(teacher.user)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN; SELECT FROM rollback_switchboard FOR UPDATE")
        page = client.post(DELETE, ANSWERS)
    other.close()
    assert page.status_code == 422
    assert "the school is busy" in page.content.decode()
    assert AvailabilityRule.objects.filter(teacher=teacher).exists()
    assert client.post(DELETE, ANSWERS).status_code == 303


def test_staff_are_told_to_ask_an_admin(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert "Ask another admin" in client.get(DELETE).content.decode()
    assert client.post(DELETE, ANSWERS).status_code == 409
    staff.refresh_from_db()
    assert staff.is_active


def erase_page(user: User) -> str:
    return reverse("admin:enrollment_user_erase", args=[user.pk])


def test_an_admin_deletes_one_user_with_a_reason(
    client: Client, admin: User, student: Student, learning: Learning
) -> None:
    client.force_login(admin)
    assert "Delete Ada Vogel for good" in client.get(erase_page(student.user)).content.decode()
    answers = {"address": "ADA@school.example ", "reason": "asked by letter"}
    assert client.post(erase_page(student.user), answers).status_code == 302
    student.user.refresh_from_db()
    assert student.user.deleted_at is not None
    log = LogEntry.objects.latest("pk")
    assert (log.user, log.object_repr) == (admin, "Deleted person")
    assert log.change_message == "asked by letter"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"address": "eda@school.example", "reason": "x"}, "not the address of this person"),
        ({"address": "", "reason": "x"}, "required"),
        ({"address": "ada@school.example", "reason": "  "}, "required"),
    ],
)
def test_an_admins_slip_deletes_nobody(
    client: Client, admin: User, student: Student, answers: dict[str, str], words: str
) -> None:
    client.force_login(admin)
    page = client.post(erase_page(student.user), answers)
    assert words in page.content.decode()
    student.user.refresh_from_db()
    assert student.user.deleted_at is None


def test_the_admin_is_told_what_is_in_the_way(
    client: Client, admin: User, teacher: Teacher, learning: Learning
) -> None:
    client.force_login(admin)
    text = client.get(erase_page(teacher.user)).content.decode()
    assert "1 coming lesson, 1 running enrollment" in text
    answers = {"address": teacher.user.email, "reason": "x"}
    assert "coming lesson" in client.post(erase_page(teacher.user), answers).content.decode()
    teacher.user.refresh_from_db()
    assert teacher.user.deleted_at is None


def test_the_last_superuser_stays(client: Client, admin: User) -> None:
    client.force_login(admin)
    answers = {"address": admin.email, "reason": "x"}
    text = client.post(erase_page(admin), answers).content.decode()
    assert "last active superuser" in text
    User.objects.create_superuser("second@school.example", "correct horse")
    assert "Ask another admin" in client.post(erase_page(admin), answers).content.decode()
    admin.refresh_from_db()
    assert admin.is_superuser


@pytest.mark.django_db(transaction=True)
def test_two_superusers_cannot_delete_each_other(flag_rows: None, now: datetime) -> None:
    one = User.objects.create_superuser("one@school.example", "x")
    two = User.objects.create_superuser("two@school.example", "x")
    at_once(
        lambda: erase_person(user=one, by=two, now=now),
        lambda: erase_person(user=two, by=one, now=now),
    )
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


def test_superusers_are_deleted_by_superusers_only(client: Client, admin: User) -> None:
    give_permissions()
    client.force_login(make_user("head@school.example", "admin", is_staff=True))
    for name in ("erase", "copy_data"):
        page = reverse(f"admin:enrollment_user_{name}", args=[admin.pk])
        assert client.get(page).status_code == 403
    answers = {"address": admin.email, "reason": "x"}
    assert client.post(erase_page(admin), answers).status_code == 403
    student = make_student()
    assert client.get(erase_page(student.user)).status_code == 200


def test_djangos_own_delete_is_no_way_around(client: Client, admin: User, student: Student) -> None:
    client.force_login(admin)
    page = reverse("admin:enrollment_user_delete", args=[student.user.pk])
    assert client.post(page, {"post": "yes"}).status_code == 403
    listed = reverse("admin:enrollment_user_changelist")
    client.post(listed, {"action": "delete_selected", "_selected_action": [student.user.pk]})
    assert User.objects.filter(pk=student.user.pk).exists()


def test_who_is_deleted_cannot_be_changed_or_deleted_again(
    client: Client, admin: User, student: Student, now: datetime
) -> None:
    erase_person(user=student.user, by=admin, now=now)
    client.force_login(admin)
    assert client.get(erase_page(student.user)).status_code == 403
    change = reverse("admin:enrollment_user_change", args=[student.user.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"email": "ada@school.example"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[student.user.pk])
    assert client.get(password).status_code == 403


def test_a_lesson_with_oneself_is_not_in_ones_own_way(
    teacher: Teacher, course: Course, now: datetime
) -> None:
    me = Student.objects.create(user=teacher.user, zone="UTC")
    lesson(student=me, teacher=teacher, course=course, starts=now + timedelta(days=1))
    check_can_erase(user=teacher.user, by=teacher.user, now=now)
    lesson(student=make_student(), teacher=teacher, course=course, starts=now + timedelta(days=2))
    with pytest.raises(StillTeaching) as refused:
        check_can_erase(user=teacher.user, by=teacher.user, now=now)
    assert refused.value.lessons == 1


def test_who_is_deleted_is_offered_nowhere(
    client: Client, admin: User, student: Student, now: datetime
) -> None:
    client.force_login(admin)
    asked = {"app_label": "enrollment", "model_name": "enrollment", "field_name": "student"}
    assert len(client.get("/admin/autocomplete/", asked).json()["results"]) == 1
    erase_person(user=student.user, by=admin, now=now)
    assert client.get("/admin/autocomplete/", asked).json()["results"] == []
    listed = client.get(reverse("admin:enrollment_student_changelist"))
    assert "Deleted person" in listed.content.decode()


def test_the_office_sees_no_password_hash(client: Client, staff: User, student: Student) -> None:
    give_permissions()
    client.force_login(staff)
    page = client.get(reverse("admin:enrollment_user_change", args=[student.user.pk]))
    assert page.status_code == 200
    assert student.user.password.rpartition("$")[2] not in page.content.decode()
