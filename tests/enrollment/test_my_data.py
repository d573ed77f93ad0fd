"""A person's copy of what is kept about them, and the way out of the school."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.confirmations import MAX_TRIES
from enrollment.operations.enroll import enroll
from enrollment.operations.erase import StillTeaching, check_can_erase, erase_person
from enrollment.operations.lessons import PersonDeleted
from rollback import drafts
from rollback.models import EnrollmentDraft, Flag, FlagChange
from scheduling.models import AvailabilityRule, TeacherReminder
from tests.conftest import Switches, make_student, make_user
from tests.enrollment.crowd import at_once
from tests.full_person import Learning, fill_student, fill_teacher, lesson

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

COPY = "/my/data/copy/"
DELETE = "/my/data/delete/"
ANSWERS = {"password": "correct horse", "sure": "on"}
# Nothing of Ada may be found anywhere when she is gone.
TRACES = re.compile(r"\b(ada|vogel|therapy|shy|half a sentence|sister)\b", re.IGNORECASE)


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def learning(student: Student, teacher: Teacher, course: Course, now: datetime) -> Learning:
    return fill_student(student, teacher=teacher, course=course, now=now)


@pytest.fixture
def as_student(client: Client, student: Student, learning: Learning) -> Client:
    client.force_login(student.user)
    return client


def leave(user: User, now: datetime) -> None:
    erase_person(user=user, by=user, now=now)


# ---------------------------------------------------------------- the copy


def test_a_student_gets_all_of_it_as_one_file(as_student: Client, learning: Learning) -> None:
    response = as_student.get(COPY)
    assert response["Content-Type"] == "application/json"
    assert "attachment; filename=" in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    copy = response.json()
    assert copy["account"]["addresses"][0]["email"] == "ada@school.example"
    assert copy["account"]["groups"] == ["student"]
    assert copy["account"]["changed_by_the_office"][0]["what"] == "user"
    (enrollment,) = copy["school"]["enrollments"]
    assert enrollment["payment_reference"] == "PAY-2026-17"
    assert enrollment["teacher"] == "Marta Rossi"
    assert {row["id"] for row in copy["school"]["lessons"]} == {
        learning.past.pk,
        learning.coming.pk,
        learning.held.pk,
    }
    assert copy["unfinished_enrollments"]["drafts"][0]["answers"] == {"note": "half a sentence"}


def test_moments_in_the_copy_name_their_zone(as_student: Client, learning: Learning) -> None:
    coming = as_student.get(COPY).json()["school"]["lessons"][1]
    starts = datetime.fromisoformat(coming["starts_at"])
    assert starts == learning.coming.starts_at
    assert starts.utcoffset() == timedelta(0)
    assert coming["agreed"]["zone"] == "Europe/Berlin"


def test_the_copy_holds_no_secrets_and_nobody_else(as_student: Client, student: Student) -> None:
    make_student("someone.else@school.example")
    text = as_student.get(COPY).content.decode()
    session = as_student.cookies["sessionid"].value
    secrets = (student.user.password, session, "marta@school.example", "someone.else")
    assert [secret for secret in secrets if secret in text] == []


def test_office_notes_are_in_the_offices_copy_only(
    as_student: Client, client: Client, admin: User, student: Student
) -> None:
    mine = as_student.get(COPY)
    assert "sister" not in mine.content.decode()
    assert mine.json()["about"]["ask_the_office_for"] == [
        "The office’s own notes about your enrollments"
    ]
    client.force_login(admin)
    page = reverse("admin:enrollment_user_copy_data", args=[student.user.pk])
    (note,) = client.get(page).json()["office_notes"]["enrollments"]
    assert note["office_note"] == "Her sister pays"


def test_a_teachers_copy(
    client: Client, teacher: Teacher, learning: Learning, now: datetime
) -> None:
    fill_teacher(teacher, now=now)
    client.force_login(teacher.user)
    copy = client.get(COPY).json()
    assert copy["school"]["teacher"]["about"] == "Marta plays in two ensembles."
    assert copy["school"]["teacher"]["courses"] == ["Violin for beginners"]
    assert len(copy["school"]["lessons_given"]) == 3
    assert copy["teaching_hours"]["weekly_hours"][0]["from"] == "16:00:00"
    assert copy["features"]["early_features"] == ["ENABLE_CALENDAR_DISPLAY"]
    assert copy["features"]["flag_changes"][0]["reason"] == "wrong times"
    assert "Vogel" not in json.dumps(copy)


def test_a_long_history_costs_no_more_queries(
    as_student: Client,
    student: Student,
    teacher: Teacher,
    course: Course,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    for week in range(30):
        starts = now - timedelta(days=7 * week + 2)
        lesson(student=student, teacher=teacher, course=course, starts=starts, status="done")
    with django_assert_max_num_queries(32):
        assert len(as_student.get(COPY).json()["school"]["lessons"]) == 33


def test_with_every_feature_off_nothing_is_missing(as_student: Client, switches: Switches) -> None:
    before = as_student.get(COPY).json()
    switches.kill()
    after = as_student.get(COPY).json()
    for copy in (before, after):
        del copy["about"]
    assert after == before
    assert as_student.get("/my/data/").status_code == 200


# ---------------------------------------------------------------- leaving


def test_the_page_says_what_happens(as_student: Client) -> None:
    text = as_student.get(DELETE).content.decode()
    assert "payment references themselves stay" in text
    assert "Nobody can bring it back" in text


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"password": "wrong horse", "sure": "on"}, "id_password_error"),
        ({"password": "", "sure": "on"}, "id_password_error"),
        ({"password": "correct horse\x00", "sure": "on"}, "id_password_error"),
        ({"password": "correct horse"}, "id_sure_error"),
    ],
)
def test_a_wrong_answer_is_told_at_its_field_and_deletes_nothing(
    as_student: Client, student: Student, answers: dict[str, str], field: str
) -> None:
    page = as_student.post(DELETE, answers)
    assert page.status_code == 422
    assert field in page.content.decode()
    student.user.refresh_from_db()
    assert student.user.deleted_at is None


def test_guessing_the_password_is_limited(as_student: Client) -> None:
    tries = [as_student.post(DELETE, {"password": "guess", "sure": "on"}) for _try in range(11)]
    assert tries[0].status_code == 422
    assert tries[-1].status_code == 429


@pytest.mark.django_db(transaction=True)
def test_a_student_leaves_and_the_books_stay(
    as_student: Client,
    student: Student,
    learning: Learning,
    mailoutbox: list[EmailMessage],
) -> None:
    other_device = Client()
    other_device.force_login(student.user)
    done = as_student.post(DELETE, ANSWERS, follow=True)
    assert done.redirect_chain == [("/", 303)]
    assert "Your account is deleted" in done.content.decode()
    (mail,) = mailoutbox
    assert mail.to == ["ada@school.example"]
    assert "payment references stay" in str(mail.body)

    user = User.objects.get(pk=student.user.pk)
    assert str(user) == "Deleted person"
    assert user.email == f"deleted-{user.pk}@deleted.invalid"
    assert not user.is_active
    assert not user.has_usable_password()
    assert not user.groups.exists()
    assert not EmailAddress.objects.filter(user=user).exists()
    for browser in (as_student, other_device):
        assert browser.get("/my/data/").status_code == 302

    enrollment = Enrollment.objects.get(pk=learning.enrollment.pk)
    assert (enrollment.status, enrollment.payment_reference) == ("cancelled", "PAY-2026-17")
    statuses = dict(Lesson.objects.values_list("pk", "status"))
    assert statuses == {learning.past.pk: "done", learning.coming.pk: "cancelled"}
    assert not EnrollmentDraft.objects.exists()


def test_no_trace_is_left_in_any_table(student: Student, learning: Learning, now: datetime) -> None:
    """Every row of every table, as text: whatever somebody adds later is searched too."""
    leave(student.user, now)
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label == "waffle":  # has no tables here
            continue
        for row in model._base_manager.values():
            found = TRACES.findall(str(row))
            assert found == [], f"{model._meta.label}: {row}"


def test_leaving_twice_changes_nothing_more(
    student: Student, learning: Learning, now: datetime
) -> None:
    leave(student.user, now)
    first = User.objects.values().get(pk=student.user.pk)
    leave(student.user, now + timedelta(days=1))
    assert User.objects.values().get(pk=student.user.pk) == first


def test_a_failure_half_way_leaves_everything(
    as_student: Client, student: Student, learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(User, "set_unusable_password", fail)
    with pytest.raises(RuntimeError):
        as_student.post(DELETE, ANSWERS)
    learning.enrollment.refresh_from_db()
    assert learning.enrollment.status == "confirmed"
    assert EnrollmentDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_changes_nothing_of_it(
    as_student: Client, student: Student, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert as_student.post(DELETE, ANSWERS).status_code == 303
    student.user.refresh_from_db()
    assert student.user.deleted_at is not None


def test_the_address_may_come_back_as_somebody_new(
    student: Student, learning: Learning, client: Client, now: datetime
) -> None:
    leave(student.user, now)
    answers = {
        "first_name": "Ada",
        "last_name": "Vogel",
        "email": "ada@school.example",
        "password1": "a long walk by the river",
        "password2": "a long walk by the river",
        "zone": "UTC",
    }
    assert client.post("/accounts/signup/", answers)["Location"] == "/home/"
    again = User.objects.get(email="ada@school.example")
    assert again.pk != student.user.pk
    assert not again.student.enrollments.exists()


def test_nobody_takes_the_address_of_somebody_deleted(client: Client, student: Student) -> None:
    """It would keep that person from being deleted."""
    squat = f"Deleted-{student.user.pk}@DELETED.invalid"
    answers = {"email": squat, "password1": "x" * 20, "password2": "x" * 20, "zone": "UTC"}
    page = client.post("/accounts/signup/", {**answers, "first_name": "A", "last_name": "B"})
    assert 'id="id_email_error"' in page.content.decode()
    assert not User.objects.filter(email__iendswith="deleted.invalid").exists()


def test_an_old_reset_link_leads_nowhere(
    client: Client, student: Student, mailoutbox: list[EmailMessage], now: datetime
) -> None:
    client.post("/accounts/password/reset/", {"email": "ada@school.example"})
    found = re.search(r"https?://[^/\s]+(\S+)", str(mailoutbox[0].body))
    assert found
    leave(student.user, now)
    text = client.get(found[1], follow=True).content.decode()
    assert "This link no longer works" in text


def test_nothing_new_is_written_about_who_is_gone(
    student: Student, course: Course, learning: Learning, now: datetime
) -> None:
    """A request that was on its way, or another tab's autosave."""
    leave(student.user, now)
    with pytest.raises(PersonDeleted):
        drafts.save(student=student, course=course, answers={"note": "x"}, now=now)
    with pytest.raises(PersonDeleted):
        enroll(
            student=student,
            course=course,
            teacher=None,
            wished_times="",
            note="",
            flow="original",
            now=now,
        )


@pytest.mark.django_db(transaction=True)
def test_enrolling_and_leaving_at_the_same_moment(
    student: Student, teacher: Teacher, course: Course, now: datetime
) -> None:
    """Whoever is first: no live enrollment of somebody deleted."""

    def enroll_now() -> Enrollment:
        return enroll(
            student=student,
            course=course,
            teacher=teacher,
            wished_times="",
            note="",
            flow="original",
            now=now,
        )

    for _round in range(5):
        answers = at_once(enroll_now, lambda: leave(student.user, now))
        assert answers[1] is None
        assert not Enrollment.objects.filter(status__in=("requested", "confirmed")).exists()
        assert not isinstance(answers[0], Exception) or isinstance(answers[0], PersonDeleted)
        User.objects.filter(pk=student.user.pk).update(
            deleted_at=None, email="ada@school.example", is_active=True
        )


def test_who_waits_for_a_confirmation_gets_none(
    student: Student, learning: Learning, now: datetime
) -> None:
    leave(student.user, now)
    due = Enrollment.objects.filter(confirmation_sent_at__isnull=True)
    assert due.values_list("confirmation_tries", "confirmation_next_at").get() == (
        MAX_TRIES,
        None,
    )


# ---------------------------------------------------------------- teachers and the office


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
    lesson(
        student=student,
        teacher=teacher,
        course=course,
        starts=now + timedelta(days=9),
        status="held",
        expires_at=now + timedelta(minutes=9),
    )
    leave(teacher.user, now)
    assert Lesson.objects.get() == past
    teacher.refresh_from_db()
    assert (teacher.display_name, teacher.bio) == ("Deleted person", "")
    assert not course.teachers.exists()
    assert not AvailabilityRule.objects.exists()
    assert not TeacherReminder.objects.exists()
    assert not Flag.objects.filter(users=teacher.user).exists()  # type: ignore[misc]
    kill, taken_off = FlagChange.objects.order_by("pk")
    assert (kill.actor, kill.actor_name) == (teacher.user, "Deleted person")
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


def test_an_anonymous_visitor_is_sent_to_the_login(client: Client) -> None:
    for page in ("/my/data/", COPY, DELETE):
        assert client.get(page)["Location"].startswith("/accounts/login/")
    assert client.post(DELETE, ANSWERS)["Location"].startswith("/accounts/login/")


def test_the_account_pages_lead_there(as_student: Client) -> None:
    text = as_student.get("/accounts/email/").content.decode()
    assert 'href="/my/data/"' in text
