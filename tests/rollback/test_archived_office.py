"""With the tables of the features in the archive, for real: what the office meets on their pages."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import User
from holidays.models import Holiday
from rollback import runner, switchboard
from rollback.models import Flag, LedgerEntry
from rollback.runner import ChangeRefused
from rollback.schema import reverse as schema
from scheduling.models import TimeOff
from tests.conftest import make_teacher, make_user
from tests.rollback.console_rows import MASTER, SOMEBODY
from tests.rollback.flag_rows import seed_flags
from tests.rollback.phase_rows import killed

pytestmark = [pytest.mark.django_db(transaction=True)]

APPS = ("scheduling", "holidays")
OFFICE = "/admin/"


@pytest.fixture
def away() -> Iterator[None]:
    """One row of each app, and then the tables are gone."""
    give_permissions()
    seed_flags()
    now = timezone.now()
    TimeOff.objects.create(teacher=make_teacher(), period=(now, now + timedelta(days=2)))
    Holiday.objects.create(name="Summer", first_on=now.date(), last_on=now.date())
    killed(3, 2)
    schema.take_away(apps=APPS)
    with switchboard.board.pinned(switchboard.read_here()):
        yield
    with suppress(schema.NothingToDo):
        schema.bring_back(apps=APPS, accept_changes=True)


@pytest.fixture
def office(away: None, client: Client) -> Client:
    client.force_login(make_user("staff@school.example", "staff", is_staff=True))
    return client


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_the_office_reads_where_the_rows_are(office: Client) -> None:
    """One way to the archive for all of it: that takes seconds."""
    _every_page(office)
    _index_and_search(office)
    _posted(office)
    _each_state(office)


def _every_page(office: Client) -> None:
    asked = 0
    for model in admin.site._registry:
        opts = model._meta
        if opts.app_label not in APPS:
            continue
        for page in ("changelist", "add"):
            answer = office.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}"))
            assert (answer.status_code, answer.headers["Location"]) == (303, OFFICE)
            asked += 1
        text = words_of(office.get(OFFICE).content.decode())
        assert "is in the archive since" in text
        assert "its rows are safe there: " in text
        assert "manage.py rollback reapply" in text
    assert asked > 12
    for app in APPS:
        assert office.get(f"/admin/{app}/").headers["Location"] == OFFICE


def _each_state(office: Client) -> None:
    counted = LedgerEntry.objects.filter(app="holidays", kind="table", back_at=None)
    rows, tables = sum(entry.rows or 0 for entry in counted), counted.count()
    page = reverse("admin:holidays_holiday_changelist")
    assert "“Holidays” is in the archive since" in _said(office, page)
    assert f"its rows are safe there: {rows}, in {tables} tables." in _said(office, page)
    counted.filter(table="holidays_holiday").update(rows=None)
    assert f"its rows are safe there, in {tables} tables." in _said(office, page)
    counted.update(purged_at=timezone.now())
    assert "its rows were deleted from there on" in _said(office, page)
    counted.update(purged_at=None)


def _said(client: Client, page: str) -> str:
    return words_of(client.get(page, follow=True).content.decode())


def _posted(office: Client) -> None:
    page = reverse("admin:holidays_holiday_add")
    text = words_of(office.post(page, {"name": "x"}, follow=True).content.decode())
    assert "is in the archive since" in text
    assert "What you sent just now was not saved." in text


def _index_and_search(office: Client) -> None:
    text = words_of(office.get(OFFICE).content.decode())
    assert text.count(": in the archive") >= 2
    index = office.get(OFFICE).content.decode()
    assert reverse("admin:holidays_holiday_changelist") in index
    assert reverse("admin:holidays_holiday_add") not in index
    assert office.get("/admin/search/?s=holiday").status_code == 200


def test_others_are_told_nothing_of_it_and_a_lost_ledger_costs_the_numbers_only(
    office: Client,
) -> None:
    browser = Client()
    page = reverse("admin:holidays_holiday_changelist")
    answer = browser.get(page)
    assert answer.status_code == 303
    assert answer.headers["Location"] != OFFICE
    teacher = User.objects.get(teacher__isnull=False)
    browser.force_login(teacher)
    assert "in the archive since" not in _said(browser, page)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rollback_ledgerentry RENAME TO rollback_hidden")
    try:
        answer = office.get(page)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE rollback_hidden RENAME TO rollback_ledgerentry")
    assert answer.status_code == 303


def test_console_and_flags_have_the_word_and_nothing_is_restored(office: Client) -> None:
    for page in ("/admin/rollback/flag/room/", "/admin/rollback/flag/"):
        assert "In the archive" in words_of(office.get(page).content.decode())
    text = words_of(office.get("/admin/rollback/flag/room/").content.decode())
    assert "Phase 1 holds: the tables are in the archive. There are" in text
    assert "Step down : Teacher scheduling" not in text
    head = Client()
    head.force_login(make_user("head@school.example", "admin", is_staff=True))
    flag = Flag.objects.get(name=MASTER)
    sent = {"percent": "5", "reason": "Let us try."}
    answer = head.post(f"/admin/rollback/flag/{flag.pk}/restore/", sent)
    assert answer.status_code == 200
    assert "manage.py rollback reapply" in answer.content.decode()
    assert "Let us try." in answer.content.decode()
    with pytest.raises(ChangeRefused, match="reapply"):
        runner.restore(flag=MASTER, actor=SOMEBODY, reason="x")
    flag.refresh_from_db()
    assert flag.is_killed
