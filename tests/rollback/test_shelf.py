"""The page of unfinished enrollments: one's own, in words, whatever is switched off; and their end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import hold_slot
from rollback import drafts, expiry, shelf
from rollback.expiry import KEPT
from rollback.models import EnrollmentDraft, NoReminders
from rollback.tasks import delete_expired_drafts
from tests.conftest import Switches, make_student
from tests.enrollment.crowd import at_once

NOW = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)
SLOT = datetime(2030, 1, 8, 9, 0, tzinfo=UTC)
PAGE = "/drafts/"
LINK = '<a href="/drafts/"'


def save(student: Student, course: Course, **answers: str) -> EnrollmentDraft:
    return drafts.save(student=student, course=course, answers=answers, now=timezone.now())


@pytest.fixture
def begun(student: Student, course: Course, teacher: Teacher) -> EnrollmentDraft:
    return drafts.save(
        student=student,
        course=course,
        answers={
            "teacher": str(teacher.pk),
            "slot": SLOT.isoformat(),
            "wished_times": "or Fridays",
            "note": "I play the <viola>.\nBadly.",
        },
        step="details",
        now=NOW,
    )


@pytest.fixture
def as_student(client: Client, student: Student) -> Client:
    client.force_login(student.user)
    return client


def many_courses(teacher: Teacher, count: int) -> list[Course]:
    courses = [
        Course.objects.create(title=f"Course {n}", slug=f"course-{n}", capacity=5)
        for n in range(count)
    ]
    for course in courses:
        course.teachers.add(teacher)
    return courses


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize(
    ("is_on", "flow"), [(True, "scheduling:resume"), (False, "enrollment:enroll")]
)
def test_a_draft_in_words_and_the_way_on_into_the_flow_that_is_on(
    as_student: Client,
    begun: EnrollmentDraft,
    course: Course,
    switches: Switches,
    is_on: bool,
    flow: str,
) -> None:
    if not is_on:
        switches.kill()
    text = as_student.get(PAGE).content.decode()
    for words in (
        "Violin for beginners",
        "Saved Monday 30 November, 15:02.",
        "You chose a time; next come the details.",
        "Marta Rossi",
        "Tuesday 8 January, 10:00",
        "or Fridays",
        "I play the &lt;viola&gt;.<br>Badly.",
    ):
        assert words in text
    assert f'href="{reverse(flow, args=[course.slug])}"' in text
    to_continue = as_student.get(reverse("drafts:continue", args=[course.slug]))
    assert to_continue["Location"] == reverse(flow, args=[course.slug])


def test_a_time_that_stands_in_words_already_is_not_said_twice(
    as_student: Client, begun: EnrollmentDraft, student: Student, course: Course
) -> None:
    save(student, course, wished_times="Tuesday at ten, or Fridays")
    assert "Tuesday 8 January" not in as_student.get(PAGE).content.decode()


def test_the_page_costs_as_many_queries_for_one_as_for_twelve(
    as_student: Client, student: Student, teacher: Teacher, course: Course
) -> None:
    def queries() -> int:
        with connection.execute_wrapper(count):
            seen.clear()
            assert as_student.get(PAGE).status_code == 200
        return len(seen)

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    seen: list[str] = []
    save(student, course, teacher=str(teacher.pk))
    with_one = queries()
    for other in many_courses(teacher, 11):
        save(student, other, teacher=str(teacher.pk))
    assert queries() == with_one <= 10


def test_the_shelf_is_ones_own(client: Client, begun: EnrollmentDraft, course: Course) -> None:
    other = make_student("zoe@school.example")
    client.force_login(other.user)
    assert "Violin" not in client.get(PAGE).content.decode()
    delete = reverse("drafts:delete", args=[course.slug])
    assert client.get(delete).status_code == 404
    assert client.post(delete).status_code == 404
    assert client.post(reverse("drafts:delete", args=["no-course"])).status_code == 404
    assert EnrollmentDraft.objects.get() == begun


@pytest.mark.parametrize("url", [PAGE, "/drafts/violin/delete/", "/drafts/violin/continue/"])
def test_strangers_log_in_first(client: Client, begun: EnrollmentDraft, url: str) -> None:
    assert client.get(url)["Location"].startswith(reverse("account_login"))


def test_who_is_no_student_goes_where_they_belong(client: Client, teacher: Teacher) -> None:
    client.force_login(teacher.user)
    assert client.get(PAGE)["Location"] == reverse("enrollment:home")
    assert client.post(reverse("drafts:reminders"), {"wanted": "no"}).status_code == 302


def test_what_ended_in_an_enrollment_is_not_unfinished(
    as_student: Client, begun: EnrollmentDraft, student: Student, course: Course
) -> None:
    Enrollment.objects.create(student=student, course=course)
    assert "Nothing is waiting for you" in as_student.get(PAGE).content.decode()
    assert as_student.post(f"/drafts/{course.slug}/delete/").status_code == 404


# ---------------------------------------------------------------- the navigation


def test_the_navigation_leads_there_only_while_there_is_something(
    as_student: Client, student: Student, course: Course, switches: Switches
) -> None:
    switches.kill()
    assert LINK not in as_student.get("/").content.decode()
    save(student, course, note="n")
    assert LINK in as_student.get("/").content.decode()


def test_the_navigation_asks_once_for_students_and_never_for_others(
    client: Client, begun: EnrollmentDraft, teacher: Teacher, staff: User, student: Student
) -> None:
    asked: list[str] = []

    def listen(execute: Any, sql: str, *rest: Any) -> Any:
        if "enrollmentdraft" in sql:
            asked.append(sql)
        return execute(sql, *rest)

    for user, most in ((None, 0), (teacher.user, 0), (staff, 0), (student.user, 1)):
        client.logout()
        if user:
            client.force_login(user)
        asked.clear()
        with connection.execute_wrapper(listen):
            assert client.get("/").status_code == 200
        assert len(asked) == most


# ---------------------------------------------------------------- deleting


def test_deleting_asks_first_and_gives_the_held_time_back(
    as_student: Client,
    begun: EnrollmentDraft,
    student: Student,
    course: Course,
    teacher: Teacher,
    switches: Switches,
) -> None:
    switches.kill()
    hold_slot(student=student, course=course, teacher=teacher, starts_at=SLOT, now=timezone.now())
    asked = as_student.get(f"/drafts/{course.slug}/delete/")
    assert "Delete your unfinished enrollment in Violin" in asked.content.decode()
    assert EnrollmentDraft.objects.exists()
    done = as_student.post(f"/drafts/{course.slug}/delete/", follow=True)
    assert done.redirect_chain == [(PAGE, 303)]
    assert "is deleted" in done.content.decode()
    assert not EnrollmentDraft.objects.exists()
    assert not Lesson.objects.exists()


def test_deleting_takes_no_other_hold(
    as_student: Client, begun: EnrollmentDraft, student: Student, course: Course, teacher: Teacher
) -> None:
    """Neither in another course, nor one that the office has in hand, nor another student's."""
    [other] = many_courses(teacher, 1)
    zoe = make_student("zoe@school.example")
    now = timezone.now()
    for n, (who, where) in enumerate(((student, other), (zoe, course))):
        later = SLOT + timedelta(days=n)
        hold_slot(student=who, course=where, teacher=teacher, starts_at=later, now=now)
    named = hold_slot(
        student=student, course=course, teacher=teacher, starts_at=SLOT - timedelta(days=1), now=now
    )
    ended = Enrollment.objects.create(student=student, course=course, status="cancelled")
    Lesson.objects.filter(pk=named.pk).update(enrollment=ended)
    as_student.post(f"/drafts/{course.slug}/delete/")
    assert Lesson.objects.count() == 3


def test_deleting_wants_the_csrf_token(begun: EnrollmentDraft, student: Student) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(student.user)
    assert strict.post("/drafts/violin/delete/").status_code == 403
    assert strict.post(reverse("drafts:reminders"), {"wanted": "no"}).status_code == 403


# ---------------------------------------------------------------- reminders, wanted or not


def test_reminders_are_switched_off_and_on_again(as_student: Client, student: Student) -> None:
    url = reverse("drafts:reminders")
    for _press in range(2):
        off = as_student.post(url, {"wanted": "no"}, follow=True)
        assert "You get no more reminders" in off.content.decode()
        assert NoReminders.objects.get().student == student
    on = as_student.post(url, {"wanted": "yes"}, follow=True)
    assert "We remind you" in on.content.decode()
    assert shelf.wants_reminders(student)


@pytest.mark.parametrize("answer", [{}, {"wanted": "perhaps"}])
def test_an_answer_that_is_none_changes_nothing(
    as_student: Client, student: Student, answer: dict[str, str]
) -> None:
    page = as_student.post(reverse("drafts:reminders"), answer, follow=True)
    assert "nothing was changed" in page.content.decode()
    assert shelf.wants_reminders(student)
    assert as_student.get(reverse("drafts:reminders")).status_code == 405


# ---------------------------------------------------------------- expiry


def put(student: Student, course: Course, *, saved: timedelta, **columns: Any) -> EnrollmentDraft:
    return EnrollmentDraft.objects.create(
        student=student, course=course, saved_at=NOW - saved, **columns
    )


def test_thirty_days_after_anybody_needed_it_a_draft_is_deleted(
    student: Student, teacher: Teacher
) -> None:
    a, b, c, d, e, f = many_courses(teacher, 6)
    old, second = KEPT + timedelta(days=60), timedelta(seconds=1)
    put(student, a, saved=KEPT)
    fresh = put(student, b, saved=KEPT - second)
    put(student, c, saved=old, finished_at=NOW - KEPT)
    finished = put(student, d, saved=old, finished_at=NOW - KEPT + second)
    put(student, e, saved=old, quarantined_at=NOW - KEPT, problem="not_text")
    aside = put(student, f, saved=old, quarantined_at=NOW - KEPT + second, problem="not_text")
    assert expiry.delete_expired(now=NOW) == 3
    assert set(EnrollmentDraft.objects.all()) == {fresh, finished, aside}
    assert expiry.delete_expired(now=NOW) == 0


def test_expiry_goes_in_batches(
    student: Student, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 3)
    for course in many_courses(teacher, 7):
        put(student, course, saved=KEPT)
    sizes = [expiry._delete_batch(now=NOW) for _batch in range(4)]
    assert sizes == [3, 3, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_two_workers_expire_at_once_and_wait_for_nobody(student: Student, teacher: Teacher) -> None:
    for course in many_courses(teacher, 40):
        put(student, course, saved=KEPT)
    deleted = at_once(*[lambda: expiry.delete_expired(now=NOW)] * 4)
    assert sum(n for n in deleted if isinstance(n, int)) == 40
    assert not EnrollmentDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_expiry_passes_by_a_draft_that_is_being_saved(student: Student, course: Course) -> None:
    put(student, course, saved=KEPT)
    with transaction.atomic():
        EnrollmentDraft.objects.select_for_update().get()
        assert at_once(lambda: expiry.delete_expired(now=NOW)) == [0]
    assert expiry.delete_expired(now=NOW) == 1


def test_the_task_looks_at_the_clock_itself(student: Student, course: Course) -> None:
    EnrollmentDraft.objects.create(
        student=student, course=course, saved_at=timezone.now() - KEPT - timedelta(minutes=1)
    )
    assert delete_expired_drafts() == 1


def test_every_page_of_drafts_answers_head_as_it_answers_get(
    client: Client, student: Student, course: Course
) -> None:
    """Whoever looks whether a page is back asks so; 405 would be said before the database is asked."""
    client.force_login(student.user)
    paths = [
        reverse("drafts:unfinished"),
        reverse("drafts:continue", args=[course.slug]),
        reverse("live:features"),
        reverse("watch:report"),
        reverse("watch:thanks"),
    ]
    for path in paths:
        asked, looked = client.get(path), client.head(path)
        assert asked.status_code < 400, path
        assert (looked.status_code, looked.content) == (asked.status_code, b""), path
