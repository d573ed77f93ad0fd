"""Attempts to enroll, as the watch sees them, in both flows: begun, how far, finished, left."""

import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import timezone

from enrollment.models import Course, Enrollment, Student, Teacher, User
from enrollment.operations.enroll import enroll
from rollback import registry, sessions, watch
from rollback.domain.probing import probing
from rollback.doors import following
from rollback.models import EnrollmentSession
from rollback.registry import FlowPage
from rollback.tasks import close_abandoned_sessions, delete_old_sessions
from tests.conftest import Switches, make_student
from tests.scheduling.steps import CHOOSE, CONFIRM, DETAILS, choose, everything

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
FIRST_FORM = FlowPage("new", 1)
PLAIN_FORM = FlowPage("original", 1)


def all_sessions() -> Any:
    """With what the watch would write in some seconds."""
    assert sessions.write()
    return EnrollmentSession.objects.order_by("started_at", "pk")


def the_session() -> EnrollmentSession:
    found: EnrollmentSession = all_sessions().get()
    return found


@pytest.fixture
def flow(now: datetime, monday_hours: Any, no_closed_days: None) -> None:
    """The new one can be gone through."""


def test_the_site_plan_knows_the_forms_of_both_flows() -> None:
    assert registry.flow_flags() == {"ENABLE_TEACHER_SCHEDULING", "ENABLE_CALENDAR_DISPLAY"}
    for name in registry.flow_pages():
        assert reverse(name, args=["violin"])


# ------------------------------------------------------------------ at the doors


@pytest.mark.usefixtures("flow")
def test_the_new_flow_from_its_first_form_to_the_last(as_student: Client, teacher: Teacher) -> None:
    as_student.get(CHOOSE)
    begun = the_session()
    assert (begun.began_in, begun.flow, begun.furthest_step) == ("new", "new", 1)
    assert begun.is_on
    assert begun.is_open
    choose(as_student, teacher)
    as_student.get(DETAILS)
    assert the_session().furthest_step == 2
    as_student.post(DETAILS, everything(teacher))
    as_student.get(CONFIRM)
    assert the_session().furthest_step == 3
    as_student.get(CHOOSE)
    assert the_session().furthest_step == 3, "who goes back has been there"
    done = as_student.post(CONFIRM, everything(teacher), follow=True)
    assert done.status_code == 200
    finished = the_session()
    assert finished.pk == begun.pk
    assert finished.finished_at == Enrollment.objects.get().created_at
    assert not finished.is_open
    as_student.get(CHOOSE)
    as_student.get(CONFIRM)
    assert all_sessions().count() == 1, "who is enrolled begins nothing"


def test_the_original_flow(
    client: Client, student: Student, course: Course, switches: Switches
) -> None:
    switches.kill()
    client.force_login(student.user)
    form = reverse("enrollment:enroll", args=[course.slug])
    client.get(form)
    begun = the_session()
    assert (begun.began_in, begun.furthest_step, begun.is_on) == ("original", 1, False)
    refused = client.post(form, {"teacher": "nobody"})
    assert refused.status_code == 422
    assert the_session().is_open
    assert client.post(form, {"teacher": "", "wished_times": "", "note": ""}).status_code == 302
    assert the_session().finished_at is not None
    client.get(form)
    assert all_sessions().count() == 1


@pytest.mark.usefixtures("flow")
def test_whom_a_rollback_moves_goes_on_in_the_same_session(
    as_student: Client, teacher: Teacher, switches: Switches
) -> None:
    choose(as_student, teacher)
    as_student.get(DETAILS)
    switches.kill()
    as_student.post(DETAILS, everything(teacher), follow=True)
    moved = the_session()
    assert (moved.began_in, moved.flow, moved.furthest_step) == ("new", "original", 2)
    assert moved.is_on, "as it began"
    form = reverse("enrollment:enroll", args=["violin"])
    as_student.post(form, {"teacher": teacher.pk, "wished_times": "x", "note": ""})
    assert (the_session().flow, the_session().is_open) == ("original", False)


@pytest.mark.usefixtures("flow")
def test_without_the_calendar_the_new_flow_is_not_on(
    as_student: Client, switches: Switches
) -> None:
    switches.kill("ENABLE_CALENDAR_DISPLAY")
    as_student.get(CHOOSE, follow=True)
    assert (the_session().began_in, the_session().is_on) == ("original", False)


def test_who_cannot_enroll_begins_nothing(
    client: Client, student: Student, teacher: Teacher, course: Course
) -> None:
    pages = [CHOOSE, reverse("enrollment:enroll", args=[course.slug])]
    for page in pages:
        client.get(page)
    client.force_login(teacher.user)
    for page in pages:
        client.get(page)
    Course.objects.update(capacity=0)
    client.force_login(student.user)
    assert client.get(CHOOSE).status_code == 403
    assert not all_sessions().exists()


@pytest.mark.usefixtures("flow")
def test_autosave_is_a_change(as_student: Client, student: Student, course: Course) -> None:
    save = reverse("drafts:save", args=[course.slug])
    as_student.post(save, {"note": "a"})
    assert not all_sessions().exists(), "of no form that was seen"
    old = timezone.now() - 20 * MINUTE
    changed(student, now=old, page=FlowPage("new", 2))
    assert as_student.post(save, {"note": "ab"}).status_code == 200
    assert the_session().changed_at == timezone.now()
    EnrollmentSession.objects.update(changed_at=timezone.now() - 40 * MINUTE)
    as_student.post(save, {"note": "abc"})
    left, again = all_sessions()
    assert (left.is_open, left.finished_at) == (False, None)
    assert (again.is_open, again.flow, again.furthest_step) == (True, "new", 2)


@pytest.mark.usefixtures("flow")
def test_what_is_broken_in_here_breaks_no_page(
    as_student: Client, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FINISHED", "SELECT 1 / 0")
    with monkeypatch.context() as broken:
        broken.setattr(sessions, "_told", None)
        assert as_student.get(CHOOSE).status_code == 200
    form = reverse("enrollment:enroll", args=[course.slug])
    as_student.post(form, {"teacher": "", "wished_times": "", "note": ""})
    assert Enrollment.objects.count() == 1


# ------------------------------------------------------------------ by itself


def changed(
    student: Student,
    *,
    now: datetime,
    page: FlowPage | None = FIRST_FORM,
    is_on: bool = True,
) -> None:
    told(student, now=now, page=page, is_on=is_on)
    sessions.write()


def told(
    student: Student,
    *,
    now: datetime,
    page: FlowPage | None = FIRST_FORM,
    is_on: bool = True,
) -> None:
    sessions.changed(user=student.user_id, course="violin", is_on=is_on, page=page, now=now)


def test_no_page_waits_for_being_counted(
    client: Client, student: Student, course: Course, switches: Switches
) -> None:
    switches.kill()
    request = RequestFactory().get("/")
    request._cached_user = User.objects.get(pk=student.user_id)  # type: ignore[attr-defined]
    request.resolver_match = resolve(reverse("enrollment:enroll", args=[course.slug]))
    with CaptureQueriesContext(connection) as seen:
        following.answered(request, HttpResponse())
    assert not seen.captured_queries
    assert not EnrollmentSession.objects.exists()
    assert the_session().began_in == "original"
    del request._cached_user  # type: ignore[attr-defined]
    request.user = "of whom a query would tell"  # type: ignore[assignment]
    following.answered(request, HttpResponse())
    assert not sessions._told


def test_the_watch_writes_what_pages_told(
    student: Student, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(student, now=timezone.now())
    watch.ring.clear()
    # It closes its own thread's, which here is the test's.
    monkeypatch.setattr(watch, "connection", SimpleNamespace(close=lambda: None))
    watch.ring._round(last=True)
    assert EnrollmentSession.objects.count() == 1


def test_the_steps_of_all_people_are_written_at_once_and_in_order(
    student: Student, course: Course, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    eve = make_student("eve@school.example")
    for step in (1, 2, 3, 1):
        told(student, now=now + step * MINUTE / 60, page=FlowPage("new", step))
        told(eve, now=now, page=FlowPage("new", 1))
    told(student, now=now + MINUTE, page=PLAIN_FORM, is_on=False)
    told(student, now=now + MINUTE, page=None)
    told(eve, now=now + 31 * MINUTE, page=PLAIN_FORM)
    # Of each of two rounds: a savepoint, the patience and back, and one statement.
    with django_assert_num_queries(2 * 5):
        assert sessions.write()
    mine = EnrollmentSession.objects.get(student=student)
    assert (mine.began_in, mine.flow, mine.furthest_step, mine.is_on) == (
        "new",
        "original",
        3,
        True,
    )
    assert mine.changed_at == now + MINUTE
    first, second = EnrollmentSession.objects.filter(student=eve).order_by("started_at")
    assert (first.is_open, first.began_in) == (False, "new")
    assert (second.is_open, second.began_in) == (True, "original")


def test_steps_that_come_after_later_ones_are_put_where_they_belong(
    student: Student, course: Course
) -> None:
    now = timezone.now()
    changed(student, now=now, page=PLAIN_FORM, is_on=False)
    changed(student, now=now - MINUTE, page=FlowPage("new", 2), is_on=True)
    found = the_session()
    assert (found.began_in, found.flow, found.furthest_step, found.is_on) == (
        "new",
        "original",
        2,
        True,
    )
    assert (found.started_at, found.changed_at) == (now - MINUTE, now)
    enrolled(student, course, now=now + MINUTE, flow="original")
    changed(student, now=now + MINUTE / 2, page=FlowPage("new", 3))
    found = the_session()
    assert (found.is_open, found.flow, found.furthest_step) == (False, "original", 3)
    assert found.finished_at == now + MINUTE


def test_who_finishes_before_any_step_is_written_has_finished(
    student: Student, course: Course
) -> None:
    now = timezone.now()
    told(student, now=now - MINUTE, page=FlowPage("new", 2))
    enrolled(student, course, now=now)
    found = the_session()
    assert (found.started_at, found.finished_at, found.is_open) == (now - MINUTE, now, False)


def test_steps_of_the_deleted_are_not_written(student: Student, course: Course) -> None:
    told(student, now=timezone.now())
    User.objects.filter(pk=student.user_id).update(deleted_at=timezone.now())
    assert not all_sessions().exists()


def test_nobody_is_counted_by_a_probe(student: Student, course: Course) -> None:
    with probing(), CaptureQueriesContext(connection) as seen:
        told(student, now=timezone.now())
        sessions.finish(enrollment=Enrollment(student=student, course=course))
    assert not seen.captured_queries
    assert not sessions._told


def test_left_for_half_an_hour_it_is_over(student: Student, course: Course) -> None:
    now = timezone.now()
    changed(student, now=now - 40 * MINUTE)
    changed(student, now=now - 29 * MINUTE)
    assert close_abandoned_sessions() == 0
    changed(make_student("eve@school.example"), now=now - 31 * MINUTE)
    assert close_abandoned_sessions() == 1
    left = EnrollmentSession.objects.get(is_open=False)
    assert left.finished_at is None
    assert close_abandoned_sessions() == 0


def test_coming_back_begins_another_also_before_beat_has_closed_the_first(
    student: Student, course: Course
) -> None:
    now = timezone.now()
    changed(student, now=now - 60 * MINUTE, page=FlowPage("new", 3))
    changed(student, now=now, page=PLAIN_FORM, is_on=False)
    first, second = all_sessions()
    assert (first.is_open, first.furthest_step, first.finished_at) == (False, 3, None)
    assert (second.is_open, second.furthest_step, second.is_on) == (True, 1, False)


def enrolled(student: Student, course: Course, *, now: datetime, flow: str = "new") -> Enrollment:
    return enroll(
        student=student, course=course, teacher=None, wished_times="", note="", flow=flow, now=now
    )


def test_who_sends_a_form_that_was_left_has_left_and_finished(
    student: Student, course: Course
) -> None:
    now = timezone.now()
    changed(student, now=now - 45 * MINUTE, page=FlowPage("new", 3), is_on=True)
    enrolled(student, course, now=now)
    left, finished = all_sessions()
    assert (left.is_open, left.finished_at) == (False, None)
    assert (finished.is_open, finished.finished_at, finished.is_on) == (False, now, True)


def test_the_office_ends_a_session_and_makes_none(student: Student, course: Course) -> None:
    now = timezone.now()
    changed(student, now=now - MINUTE)
    enrolled(student, course, now=now, flow="office")
    assert (the_session().finished_at, the_session().flow) == (now, "new")
    enrolled(make_student("eve@school.example"), course, now=now, flow="office")
    assert all_sessions().count() == 1


def test_an_end_that_could_not_be_written_is_no_abandonment(
    student: Student, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    changed(student, now=now - 40 * MINUTE)
    with monkeypatch.context() as broken:
        broken.setattr(sessions, "FINISHED", "SELECT 1 / 0")
        enrolled(student, course, now=now - 39 * MINUTE)
    assert the_session().is_open
    assert close_abandoned_sessions() == 1
    assert the_session().finished_at == now - 39 * MINUTE


def test_the_patience_of_whoever_enrolls_stays_theirs(student: Student, course: Course) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '7s'")
        changed(student, now=timezone.now() - MINUTE)
        enrolled(student, course, now=timezone.now())
        cursor.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
        )
        assert cursor.fetchone() == ("3s", "7s")
    assert the_session().finished_at is not None


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_nobody(student: Student, course: Course) -> None:
    now = timezone.now()
    changed(student, now=now - 2 * MINUTE)
    answers: list[bool] = []

    def from_elsewhere() -> None:
        try:
            answers.append(sessions.write())
        finally:
            connection.close()

    told(student, now=now - MINUTE, page=FlowPage("new", 2))
    told(student, now=now, page=PLAIN_FORM)
    with transaction.atomic():
        EnrollmentSession.objects.select_for_update().get()
        thread = threading.Thread(target=from_elsewhere)
        thread.start()
        thread.join(10)
        assert answers == [False]
    found = the_session()
    assert (found.flow, found.furthest_step, found.changed_at) == ("original", 2, now)


@pytest.mark.django_db(transaction=True)
def test_pages_at_once_are_one_session(student: Student, course: Course) -> None:
    now = timezone.now()

    def page(step: int) -> None:
        try:
            changed(student, now=now, page=FlowPage("new", step))
        finally:
            connection.close()

    threads = [threading.Thread(target=page, args=[step]) for step in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert the_session().furthest_step == 3


def test_they_are_kept_for_a_month(student: Student, course: Course) -> None:
    changed(student, now=timezone.now() - timedelta(days=31))
    changed(student, now=timezone.now() - timedelta(days=29))
    assert delete_old_sessions() == 1
    assert all_sessions().count() == 1
