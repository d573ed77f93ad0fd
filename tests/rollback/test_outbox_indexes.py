"""Of a large outbox no more is read than what is asked for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import User
from enrollment.queries.people import at_address
from rollback.health.exported import GIVEN_UP
from rollback.models import DeafAddress, Notification, Stakeholder
from rollback.outbox import bounces
from rollback.personal import words
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
ADDRESS = "Somebody@School.example"


def plan(query: str, params: Any = ()) -> str:
    """Tables are small in a test: reading one whole is ruled out where there is another way."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: User.objects.all(), "user_email_once"),
        (lambda: DeafAddress.objects.all(), "deaf_address_once"),
        (lambda: Stakeholder.objects.all(), "stakeholder_once"),
        (
            lambda: Notification.objects.filter(user=None, channel=None),
            "notification_address",
        ),
    ],
)
def test_an_address_is_looked_for_by_an_index(
    rows: Callable[[], QuerySet[Any]], index: str
) -> None:
    found = at_address(rows(), ADDRESS).order_by()
    assert index in plan(*found.query.sql_with_params())


def test_so_are_somebodys_letters() -> None:
    user = make_user("ada@school.example", is_staff=True)
    found = plan(*words._told(user).order_by().query.sql_with_params())
    assert "notification_address" in found
    assert "Seq Scan" not in found


def test_so_are_those_that_were_given_up() -> None:
    assert "notification_given_up" in plan(GIVEN_UP)


def test_with_none_given_up_the_outbox_is_not_sorted(admin_client: Client) -> None:
    """Nobody has to read a million rows to see fifty."""
    with CaptureQueriesContext(connection) as asked:
        assert admin_client.get("/admin/rollback/notification/").status_code == 200
    [listed] = [
        one["sql"]
        for one in asked.captured_queries
        if "ORDER BY" in one["sql"] and 'FROM "rollback_notification"' in one["sql"]
    ]
    assert "CASE" not in listed


def test_however_an_address_is_written_it_is_the_same(real_switchboard: Any) -> None:
    DeafAddress.objects.create(email="SOMEBODY@school.example", why="bounced")
    assert at_address(DeafAddress.objects.all(), ADDRESS).exists()
    assert not at_address(DeafAddress.objects.all(), "body@school.example").exists()
    Stakeholder.objects.create(name="x", email="somebody@SCHOOL.example", language="en")
    assert bounces.note(bounces.Event(why="complained", email=ADDRESS))
    assert not bounces.note(bounces.Event(why="complained", email="nobody@school.example"))
