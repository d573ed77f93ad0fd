"""Who changes a teacher's account while somebody goes the other way through the locks."""

from threading import Event
from time import sleep

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from enrollment.models import Teacher, User
from enrollment.operations.lessons import lock_teacher, lock_user
from tests.conftest import Switches
from tests.enrollment.crowd import at_once
from tests.enrollment.test_impact import Plan, at, coming_monday, hidden, plan

__all__ = ["plan"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_deadlock_is_no_error_page(
    client: Client, plan: Plan, teacher: Teacher, admin: User, switches: Switches
) -> None:
    """A rule that moves a lesson by itself locks the teacher's account before the teacher."""
    switches.kill()
    client.force_login(admin)
    lesson, account = plan(at(coming_monday(), 16)), teacher.user
    path = reverse("admin:enrollment_user_change", args=[account.pk])
    shown = client.post(path, {"email": account.email, "first_name": "M", "last_name": "Rossi"})
    assert "This change hits 1 lesson" in shown.content.decode()
    answers = {"impact": "decide", "impact-all": "cancel"}
    posted = {**hidden(shown.content.decode()), **answers}
    has_account = Event()

    def go_the_other_way() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                # The office's session is the one that is sacrificed.
                cursor.execute("SET LOCAL deadlock_timeout = '20s'")
            lock_user(user=account)
            has_account.set()
            _wait_until_somebody_waits()
            lock_teacher(teacher=teacher)

    def press() -> int:
        assert has_account.wait(timeout=20)
        return client.post(path, posted).status_code

    assert at_once(go_the_other_way, press) == [None, 302]
    account.refresh_from_db()
    lesson.refresh_from_db()
    assert (account.is_active, lesson.status) == (False, "cancelled")


def _wait_until_somebody_waits() -> None:
    for _attempt in range(100):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        sleep(0.1)
    raise AssertionError("Nobody waits.")
