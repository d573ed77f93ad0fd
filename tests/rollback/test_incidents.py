"""Incidents as people meet them: the kill page's box, the list, resolving, and the terminal."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from enrollment.models import Student, User
from rollback import incidents, runner
from rollback.models import Flag, Incident
from rollback.runner import Actor
from tests.conftest import make_user
from tests.rollback.flag_rows import changes

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")
LIST = "/admin/rollback/incident/"

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def incident(flag_rows: None) -> Incident:
    return runner.roll_back(
        flags=[CALENDAR], incident="Wrong times", actor=ACTOR, reason="an hour late"
    ).incident


def page(name: str) -> str:
    return reverse(f"admin:rollback_flag_{name}", args=[Flag.objects.get(name=CALENDAR).pk])


def resolve_page(number: Any) -> str:
    return f"{LIST}{number}/resolve/"


def test_a_kill_with_the_box_ticked_opens_an_incident(
    client: Client, staff: User, admin: User
) -> None:
    client.force_login(staff)
    shown = client.get(page("kill")).content.decode()
    assert re.search(r"<button[^>]*>\s*Kill Calendar\s*</button>", shown)
    asked = {"reason": "an hour late", "latch": "on", "incident": ""}
    shown = client.post(page("kill"), asked, follow=True).content.decode()
    opened = Incident.objects.get()
    assert (opened.title, opened.cause) == ("an hour late", "an hour late")
    assert (opened.opened_by, opened.opened_by_name) == (staff, staff.email)
    assert f"Incident {opened.pk}: an hour late is open" in shown
    assert reverse("admin:rollback_incident_change", args=[opened.pk]) in shown
    client.force_login(admin)
    refused = client.post(page("restore"), {"percent": "5", "reason": "try"})
    assert f"is latched by incident {opened.pk}" in refused.content.decode()
    assert Flag.objects.get(name=CALENDAR).is_killed


def test_everything_is_latched_with_one_incident(client: Client, staff: User) -> None:
    client.force_login(staff)
    asked = {"reason": "x", "latch": "on", "incident": "All of it", "word": "everything"}
    client.post(reverse("admin:rollback_flag_kill_everything"), asked)
    assert len(incidents.latches()) == 4
    assert Incident.objects.get().title == "All of it"


def test_a_kill_without_the_box_opens_none(client: Client, staff: User) -> None:
    client.force_login(staff)
    client.post(page("kill"), {"reason": "for a moment"})
    assert Flag.objects.get(name=CALENDAR).is_killed
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"reason": "", "latch": "on"}, "required"),
        ({"reason": "kept words", "incident": "A title"}, "Tick this to open the incident"),
        ({"reason": "x", "latch": "on", "incident": "x" * 201}, "at most 200 characters"),
    ],
)
def test_bad_input_kills_nothing_and_loses_nothing(
    client: Client, staff: User, asked: dict[str, str], complaint: str
) -> None:
    client.force_login(staff)
    shown = client.post(page("kill"), asked).content.decode()
    assert complaint in shown
    assert all(value in shown for value in asked.values())
    assert not changes().exists()
    assert not Incident.objects.exists()


def test_the_flags_pages_say_latched_and_what_was_last(
    client: Client, staff: User, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    client.force_login(staff)
    with django_assert_max_num_queries(20):
        shown = client.get(reverse("admin:rollback_flag_changelist")).content.decode()
    assert f"Incident {incident.pk}: Wrong times" in shown
    shown = client.get(page("change")).content.decode()
    assert f"Incident {incident.pk}: Wrong times" in shown
    assert "0.00 % → killed, by a test at" in shown


def test_a_change_without_a_reason_is_said_in_words(client: Client, staff: User) -> None:
    Flag.objects.filter(name=CALENDAR).update(percent=100, staff=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rollback_say('<b>x</b>', 'me', 'person', '', 'because')")
        cursor.execute("UPDATE rollback_flag SET percent = 50 WHERE name = %s", [CALENDAR])
        cursor.execute("SELECT rollback_say('', '', '', '', '')")
    client.force_login(staff)
    user = connection.settings_dict["USER"]
    for url in (page("change"), reverse("admin:rollback_flagchange_changelist")):
        shown = client.get(url).content.decode()
        assert f"Changed without a reason, by database user {user} (" in shown
        assert "It claimed “id: &lt;b&gt;x&lt;/b&gt;, kind: person, name: me" in shown
    assert "0.00 % → 100.00 %, early for staff: no → yes" in shown
    row = changes().order_by("-pk")[0]
    shown = client.get(f"/admin/rollback/flagchange/{row.pk}/change/").content.decode()
    assert "Changed without a reason" in shown


def test_the_list_shows_open_ones_first_with_a_fixed_number_of_queries(
    client: Client, staff: User, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    for title in ("Second", "Third"):
        runner.roll_back(flags=[MASTER], incident=title, actor=ACTOR, reason="x")
    incidents.resolve(incident=incident.pk, actor=ACTOR, reason="mended")
    client.force_login(staff)
    with django_assert_max_num_queries(14):
        shown = client.get(LIST).content.decode()
    assert shown.index("Third") < shown.index("Second") < shown.index("Wrong times")
    assert shown.count("Teacher scheduling") >= 2


def test_an_incidents_page_tells_what_happened(
    client: Client, staff: User, incident: Incident
) -> None:
    Flag.objects.filter(name=CALENDAR).update(percent=0, note="nothing")
    client.force_login(staff)
    shown = client.get(f"{LIST}{incident.pk}/change/").content.decode()
    assert "0.00 % → killed" in shown
    assert "an hour late" in shown
    assert resolve_page(incident.pk) in shown
    assert 'name="_save"' not in shown


def test_resolving_needs_words_and_then_a_person_may_raise(
    client: Client, staff: User, admin: User, incident: Incident
) -> None:
    client.force_login(staff)
    shown = client.get(resolve_page(incident.pk)).content.decode()
    assert re.search(r"<button[^>]*>\s*Resolve\s*</button>", shown)
    for empty in ("", "   "):
        again = client.post(resolve_page(incident.pk), {"reason": empty})
        assert "required" in again.content.decode()
    incident.refresh_from_db()
    assert incident.is_open
    done = client.post(resolve_page(incident.pk), {"reason": "clock mended"}, follow=True)
    assert "The incident is resolved" in done.content.decode()
    assert resolve_page(incident.pk) not in done.content.decode()
    incident.refresh_from_db()
    assert (incident.resolved_by, incident.resolution) == (staff, "clock mended")
    again = client.post(resolve_page(incident.pk), {"reason": "me too"})
    assert "resolved already" in again.content.decode()
    assert Flag.objects.get(name=CALENDAR).is_killed
    client.force_login(admin)
    client.post(page("restore"), {"percent": "5", "reason": "carefully"})
    assert not Flag.objects.get(name=CALENDAR).is_killed


def test_who_may_see_and_resolve(client: Client, student: Student, incident: Incident) -> None:
    looker = make_user("looker@school.example", is_staff=True)
    for user, sees in ((None, 302), (student.user, 302), (looker, 403)):
        client.logout()
        if user:
            client.force_login(user)
        for url in (LIST, f"{LIST}{incident.pk}/change/", resolve_page(incident.pk)):
            assert client.get(url).status_code == sees, url
        assert client.post(resolve_page(incident.pk), {"reason": "x"}).status_code == sees
    incident.refresh_from_db()
    assert incident.is_open


def test_incidents_are_neither_added_nor_changed_nor_deleted_by_hand(
    client: Client, admin: User, incident: Incident
) -> None:
    client.force_login(admin)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.get(f"{LIST}{incident.pk}/delete/").status_code == 403
    assert client.post(f"{LIST}{incident.pk}/change/", {"title": "x"}).status_code == 403
    for number in ("abc", "999999"):
        assert client.get(resolve_page(number)).status_code == 404


# ---------------------------------------------------------------- at the terminal


def run(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_the_command_opens_lists_shows_and_resolves(flag_rows: None) -> None:
    assert "no incident" in run("incident", "list")
    said = run("kill", CALENDAR, "--incident", "Wrong times", "--reason", "an hour late")
    number = Incident.objects.get().pk
    assert f"{CALENDAR}: kill done." in said
    assert f"rollback incident resolve {number}" in said
    assert f"{number}  OPEN" in run("incident", "list")
    shown = run("incident", "show", str(number))
    assert "kill by command line" in shown
    assert "Cause: an hour late" in shown
    with pytest.raises(CommandError, match=f"latched by incident {number}"):
        run("restore", CALENDAR, "--reason", "try")
    assert "is resolved" in run("incident", "resolve", str(number), "--reason", "mended")
    assert "resolved" in run("incident", "list")
    assert "mended" in run("incident", "show", str(number))
    run("restore", CALENDAR, "--share", "1", "--reason", "carefully")


def test_the_command_latches_everything(flag_rows: None) -> None:
    run("kill", "--incident", "All of it", "--reason", "x")
    assert len(incidents.latches()) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("kill", CALENDAR, "--incident", " ", "--reason", "x"), "needs a title"),
        (("kill", CALENDAR, "--incident", "x", "--reason", " "), "A reason is needed"),
        (("incident", "show", "999"), "no incident 999"),
        (("incident", "resolve", "999", "--reason", "x"), "no incident 999"),
        (("incident", "resolve", "999", "--reason", " "), "A reason is needed"),
        (("incident", "resolve", "999"), "--reason"),
        (("incident", "show", "abc"), "invalid int"),
        (("incident",), "STEP"),
    ],
)
def test_the_command_says_what_is_wrong(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)
    assert not Incident.objects.exists()
