"""The console: what it says in each state, what it never says, who may do what."""

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import User
from rollback import incidents
from rollback.models import Flag, Heartbeat, Incident, Plan, Trigger, Verification
from tests.conftest import Switches, make_user
from tests.rollback import console_rows as rows
from tests.rollback.console_rows import CALENDAR, MASTER

pytestmark = pytest.mark.usefixtures("flag_rows")

ROOM = "/admin/rollback/flag/room/"
PART = {"HX-Request": "true"}


@pytest.fixture
def well(flag_rows: None) -> None:
    rows.triggers()
    rows.all_on()
    rows.beat()


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    """Of the office: may see, step down and kill, not raise."""
    client.force_login(staff)
    return client


def text_of(client: Client) -> str:
    page = client.get(ROOM)
    assert page.status_code == 200
    return words_of(page.content.decode())


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("&quot;", '"')


# ---------------------------------------------------------------- what it says


@pytest.mark.usefixtures("well")
def test_all_is_well(office: Client) -> None:
    text = text_of(office)
    assert "Everything is on. Nothing is wrong." in text
    assert "Nothing needs to be done." in text
    assert "Nobody is watching" not in text
    assert text.count("On for 1 of 1 users") == 4


@pytest.mark.usefixtures("well")
def test_the_whole_page_costs_few_queries(
    office: Client, django_assert_max_num_queries: Any
) -> None:
    rows.open_incident()
    rows.plan(steps=[("50", 60, timezone.now()), ("0", 0, None)])
    rows.samples(metric="requests", feature=CALENDAR, bads=[1] * 20)
    with django_assert_max_num_queries(29):
        assert office.get(ROOM).status_code == 200


@pytest.mark.usefixtures("well")
def test_what_is_off_since_when_and_why(office: Client) -> None:
    incident = rows.open_incident(title="Lessons are booked twice.", began=12)
    text = text_of(office)
    assert "Calendar is off for everybody since " in text
    assert f"incident {incident.pk}, “Lessons are booked twice.”." in text
    assert "Nothing is wrong" not in text
    assert f"Take incident {incident.pk} on" in text
    assert "For 12 minutes; the limit is 30 minutes." in text
    assert "Held by incident" in text


@pytest.mark.usefixtures("well")
def test_the_clock_says_when_it_is_too_late_and_when_it_is_over(office: Client) -> None:
    incident = rows.open_incident(began=31, contained_at=timezone.now())
    assert "the limit of 30 minutes is exceeded" in text_of(office)
    began = timezone.now() - timedelta(minutes=31)
    Incident.objects.filter(pk=incident.pk).update(verified_at=began + timedelta(minutes=6))
    assert "Recovered within 6 minutes" in text_of(office)


@pytest.mark.usefixtures("well")
def test_a_verification_that_failed_is_said(office: Client) -> None:
    now = timezone.now()
    incident = rows.open_incident(contained_at=now, acknowledged_at=now)
    assert "being verified" in text_of(office)
    Verification.objects.create(incident=incident, by_name="x", ended_at=now, passed=False)
    # A new one runs; until it ends the failed one counts.
    Verification.objects.create(incident=incident, by_name="x")
    text = text_of(office)
    assert "Verification failed" in text
    assert f"The verification of incident {incident.pk} failed" in text


@pytest.mark.usefixtures("well")
def test_a_share_is_a_share(office: Client, switches: Switches) -> None:
    Flag.objects.filter(name=MASTER).update(percent=25)
    switches.share(0, MASTER)
    text = text_of(office)
    assert "Teacher scheduling is on for 25 % of the users." in text
    assert "On for 0 of 1 users" in text


@pytest.mark.usefixtures("well")
def test_everything_off_is_one_sentence(office: Client) -> None:
    Flag.objects.filter(name=MASTER).update(everyone=False)
    assert "Everything is off for everybody since " in text_of(office)


# ---------------------------------------------------------------- what it never says


@pytest.mark.usefixtures("well")
def test_too_little_traffic_is_not_health(office: Client) -> None:
    unknown = rows.said(verdict="UNKNOWN", words="3 requests in five minutes.", total=3)
    rows.beat(errors_calendar=unknown)
    text = text_of(office)
    assert "Nothing is wrong" not in text
    assert "Nothing is known to be wrong; 1 of 19 measure has too little traffic to judge." in text
    assert "Too little traffic to judge 3 requests in five minutes." in text


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("verdict", ["", "FINE", None, 7, ["OK"], {}])
def test_a_verdict_that_is_none_is_no_health(office: Client, verdict: Any) -> None:
    rows.beat(errors_calendar={"verdict": verdict})
    text = text_of(office)
    assert "Nothing is wrong" not in text
    assert "1 of 19 measure cannot be judged." in text
    assert "too little traffic" not in text
    assert 'class="room-state unwell"' in office.get(ROOM).content.decode()
    Heartbeat.objects.update(verdicts=["not", "a", "mapping"])
    assert "Nothing is wrong" not in text_of(office)


@pytest.mark.usefixtures("well")
def test_a_rule_that_cannot_be_judged_is_not_said_to_lack_traffic(office: Client) -> None:
    rows.beat(
        errors_calendar=rows.said(verdict="UNKNOWN", words="Could not be judged: a time-out"),
        calendar_slow=rows.said(verdict="UNKNOWN", words="3 of 60.", total=3),
    )
    text = text_of(office)
    assert "1 of 19 measure has too little traffic to judge. 1 of 19 measure cannot be" in text
    assert "Cannot be judged Could not be judged: a time-out" in text
    assert 'class="room-state unwell"' in office.get(ROOM).content.decode()


@pytest.mark.usefixtures("well")
def test_who_judges_nothing_does_not_say_that_nothing_is_wrong(office: Client) -> None:
    assert 'class="room-state well"' in office.get(ROOM).content.decode()
    some = Trigger.objects.filter(name__in=["errors-calendar", "calendar-slow"])
    some.update(is_enabled=False)
    assert "Nothing is wrong. 2 triggers are switched off." in text_of(office)
    Trigger.objects.update(is_enabled=False)
    text = text_of(office)
    assert "Nobody judges anything: all triggers are switched off." in text
    assert "Nothing is wrong" not in text
    assert 'class="room-state unwell"' in office.get(ROOM).content.decode()


@pytest.mark.usefixtures("well")
def test_nobody_watching_is_said_above_everything(office: Client) -> None:
    rows.beat(ago=31)
    text = text_of(office)
    assert text.index("Nobody is watching: the triggers were last evaluated at ") < text.index(
        "Everything is on."
    )
    assert "Whether anything is wrong is not known." in text
    assert "Nothing is wrong" not in text
    assert "Start the worker and the beat again." in text
    assert "Last judged: In order" in text
    Heartbeat.objects.all().delete()
    assert "the triggers have never been evaluated" in text_of(office)


@pytest.mark.usefixtures("well")
def test_a_trigger_that_is_off_or_a_shadow_is_said_to_be(office: Client) -> None:
    Trigger.objects.filter(name="errors-calendar").update(is_enabled=False)
    Trigger.objects.filter(name="calendar-slow").update(is_shadow=True)
    breach = rows.said(verdict="BREACH", words="40 % slow.", rate=0.4, total=100, bad=40)
    rows.beat(calendar_slow=breach, errors_calendar=breach)
    text = text_of(office)
    assert "Not evaluated" in text
    assert "shadow: does nothing" in text
    # Nothing is taken away for a shadow, and for one that is off nothing is said.
    assert "Look at what is out of bounds: The calendar takes more than two seconds" in text
    assert text.count("Out of bounds 40 % slow.") == 1


@pytest.mark.usefixtures("well")
def test_an_incident_that_took_nothing_is_named_as_well(office: Client) -> None:
    Incident.objects.create(title="Somebody complains", kind="case", opened_by_name="a watch")
    text = text_of(office)
    assert "Everything is on. Open: incident " in text
    assert "“Somebody complains”." in text
    assert "Nothing is wrong" not in text
    assert "the limit is" not in text


# ---------------------------------------------------------------- numbers


@pytest.mark.usefixtures("well")
def test_a_measure_has_value_threshold_and_curve(office: Client) -> None:
    rows.samples(metric="requests", feature=CALENDAR, bads=[0, None, 2, 8])
    rows.samples(metric="requests", feature=CALENDAR, bads=[90] * 4, is_on=False)
    numbers = {"rate": 0.031, "total": 400, "bad": 12}
    rows.beat(errors_calendar=rows.said(verdict="OK", words="12 of 400.", **numbers))
    html = office.get(ROOM).content.decode()
    row = html[html.index("Errors above 2 % for more than five minutes: calendar") :]
    row = row[: row.index("</tr>")]
    assert "3.1\N{NO-BREAK SPACE}%" in row
    assert "at most 2\N{NO-BREAK SPACE}%" in row
    # Of those who have it; the minute without traffic is a gap.
    assert "300 in all; by minute 0 to 8 %, at last 8 %" in row
    assert row.count("<polyline") == 2
    assert "style=" not in row


@pytest.mark.usefixtures("well")
def test_completion_is_at_least_and_complaints_are_a_number(office: Client) -> None:
    rows.beat(
        completion=rows.said(verdict="OK", rate=0.8, total=50, bad=10),
        complaints=rows.said(verdict="OK", total=2),
    )
    text = text_of(office)
    assert "80 % at least 70 %" in text
    assert re.search(r"In order 2 at most 5", text)


# ---------------------------------------------------------------- plans


@pytest.mark.usefixtures("well")
def test_a_plan_shows_its_steps_and_when_the_next_is_due(office: Client) -> None:
    done = timezone.now() - timedelta(minutes=4)
    row = rows.plan(
        steps=[("50", 600, done), ("25", 600, None), ("0", 0, None)],
        state="paused",
        note="Looked at.",
    )
    text = text_of(office)
    assert "Paused, 1 of 3 steps done" in text
    assert "Looked at." in text
    assert "waits, for the plan is paused" in text
    assert "10 minutes after the one before" in text
    html = office.get(ROOM).content.decode()
    assert reverse("admin:rollback_flag_plan", args=[row.pk, "resume"]) in html
    assert reverse("admin:rollback_flag_plan", args=[row.pk, "pause"]) not in html
    Plan.objects.update(state="running")
    assert "due at " in text_of(office)


@pytest.mark.usefixtures("well")
def test_a_plan_without_steps_breaks_nothing(office: Client) -> None:
    rows.plan(steps=[])
    assert "Running, 0 of 0 steps done" in text_of(office)


# ---------------------------------------------------------------- it brings itself up to date


@pytest.mark.usefixtures("well")
def test_what_has_not_changed_is_not_sent_again(office: Client) -> None:
    page = office.get(ROOM).content.decode()
    known = re.search(r'data-etag="([^"]*&quot;|[^"]+)"', page)
    assert known
    etag = known[1].replace("&quot;", '"')
    same = office.get(ROOM, headers={**PART, "If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")
    assert re.fullmatch(r"\d\d:\d\d:\d\d", same.headers["Room-Time"])
    rows.open_incident()
    other = office.get(ROOM, headers={**PART, "If-None-Match": etag})
    assert other.status_code == 200
    text = other.content.decode()
    assert "csrf" not in text
    assert "<html" not in text
    assert other.headers["ETag"] != etag
    assert "no-cache" in other.headers["Cache-Control"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "missing"),
    [
        ("rollback_heartbeat", "verdicts"),
        ("rollback_sample", "the last hour"),
        ("rollback_plan", "plans"),
        ("rollback_process", "processes"),
        ("rollback_flagchange", "what has happened"),
        ("rollback_incident", "incidents, what the public was told"),
        ("rollback_flag", "what is on"),
    ],
)
def test_a_locked_table_costs_its_part_and_not_the_page(
    office: Client, table: str, missing: str
) -> None:
    rows.triggers()
    rows.all_on()
    rows.beat()
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(rows.lock(table))
        text = text_of(office)
        other.rollback()
    assert f"because something holds its table: {missing}." in text
    assert "Nothing is wrong" not in text


# ---------------------------------------------------------------- everything back


@pytest.mark.usefixtures("well")
def test_everything_is_taken_back_by_the_word_and_a_reason(office: Client, staff: User) -> None:
    answer = office.post(ROOM, {"word": " Everything ", "reason": "Nothing works."})
    assert answer.status_code == 302
    assert answer["Location"] == ROOM
    assert Flag.objects.filter(everyone=False).count() == 4
    incident = Incident.objects.get()
    assert incident.title == "Everything taken back: Nothing works."
    assert incident.opened_by == staff
    assert set(incidents.latches()) == set(Flag.objects.values_list("name", flat=True))
    assert "Everything is off for everybody since " in text_of(office)


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"word": "", "reason": "Nothing works."}, "This field is required."),
        ({"word": "all", "reason": "Nothing works."}, "Type the word “everything” here"),
        ({"word": "everything", "reason": " "}, "This field is required."),
    ],
)
def test_without_them_nothing_changes_and_nothing_typed_is_lost(
    office: Client, answers: dict[str, str], complaint: str
) -> None:
    page = office.post(ROOM, answers)
    html = page.content.decode()
    assert page.status_code == 422
    assert complaint in html
    assert re.search(r"<details[^>]* open", html)
    assert answers["reason"].strip() in html
    assert f'value="{answers["word"]}"' in html or not answers["word"]
    assert not Flag.objects.filter(everyone=False).exists()
    assert not Incident.objects.exists()


def test_taking_back_needs_a_token(staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert client.post(ROOM, {"word": "everything", "reason": "x"}).status_code == 403
    assert not Incident.objects.exists()


# ---------------------------------------------------------------- who may do what


@pytest.fixture
def looker(db: Any) -> User:
    """May see the switchboard, and change nothing."""
    user = make_user("looker@school.example", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_flag"))
    return user


@pytest.mark.usefixtures("well")
def test_who_may_not_change_a_flag_has_no_console(client: Client, looker: User) -> None:
    plan = rows.plan(steps=[("0", 0, None)])
    incident = rows.open_incident()
    client.force_login(looker)
    assert client.get(ROOM).status_code == 403
    assert client.get(ROOM, headers=PART).status_code == 403
    assert client.post(ROOM, {"word": "everything", "reason": "x"}).status_code == 403
    for url in (
        reverse("admin:rollback_flag_start_plan"),
        reverse("admin:rollback_flag_plan", args=[plan.pk, "abort"]),
        reverse("admin:rollback_flag_acknowledge", args=[incident.pk]),
    ):
        assert client.post(url, {"reason": "x"}).status_code == 403
    assert ROOM not in client.get("/admin/").content.decode()


@pytest.mark.usefixtures("well")
def test_who_may_only_turn_flags_reads_no_incident_and_no_reason(
    client: Client, looker: User
) -> None:
    looker.user_permissions.add(Permission.objects.get(codename="change_flag"))
    incident = rows.open_incident(title="Ada Lovelace was booked twice.")
    acknowledge = reverse("admin:rollback_flag_acknowledge", args=[incident.pk])
    client.force_login(looker)
    html = client.get(ROOM).content.decode()
    assert f"incident {incident.pk}." in html
    assert "Lovelace" not in html
    assert 'id="room-timeline"' not in html
    assert acknowledge not in html
    assert client.post(acknowledge).status_code == 403
    incident.refresh_from_db()
    assert incident.acknowledged_at is None
    for codename in ("view_incident", "view_flagchange"):
        before = html.count("Lovelace")
        looker.user_permissions.add(Permission.objects.get(codename=codename))
        html = client.get(ROOM).content.decode()
        assert html.count("Lovelace") > before
        assert 'id="room-timeline"' in html
    assert acknowledge not in html
    looker.user_permissions.add(Permission.objects.get(codename="change_incident"))
    assert acknowledge in client.get(ROOM).content.decode()


def test_it_stands_first_in_the_index(office: Client) -> None:
    html = office.get("/admin/").content.decode()
    links = re.findall(r'href="(/admin/\w+/\w+/(?:room/)?)"', html)
    assert links[0] == ROOM


@pytest.mark.usefixtures("well")
def test_only_who_may_raise_is_shown_how(office: Client, admin: User) -> None:
    Flag.objects.filter(name=CALENDAR).update(percent=50)
    raising = "direction=up"
    assert raising not in office.get(ROOM).content.decode()
    office.force_login(admin)
    assert raising in office.get(ROOM).content.decode()


def test_raising_a_share_is_refused_at_its_field(office: Client, admin: User) -> None:
    flag = Flag.objects.get(name=CALENDAR)
    page = reverse("admin:rollback_flag_set_share", args=[flag.pk])
    answers = {"percent": "5", "reason": "a step up"}
    refused = office.post(page, answers)
    assert refused.status_code == 200
    text = refused.content.decode()
    assert "Raising is for administrators" in text
    assert "a step up" in text
    flag.refresh_from_db()
    assert flag.percent == 0
    office.force_login(admin)
    assert office.post(page, answers).status_code == 302
    office.force_login(User.objects.get(email="staff@school.example"))
    assert office.post(page, {"percent": "4", "reason": "a step down"}).status_code == 302
    flag.refresh_from_db()
    assert flag.percent == 4


def test_only_who_may_raise_restores(office: Client, admin: User) -> None:
    flag = Flag.objects.get(name=CALENDAR)
    page = reverse("admin:rollback_flag_restore", args=[flag.pk])
    assert office.get(page).status_code == 403
    assert office.post(page, {"percent": "5", "reason": "x"}).status_code == 403
    changelist = reverse("admin:rollback_flag_changelist")
    assert "/restore/" not in office.get(changelist).content.decode()
    office.force_login(admin)
    assert office.get(page).status_code == 200


@pytest.mark.usefixtures("well")
def test_a_killed_flag_that_nobody_holds_is_brought_back_by_an_administrator(
    office: Client, admin: User
) -> None:
    Flag.objects.filter(name=CALENDAR).update(everyone=False)
    text = text_of(office)
    assert "No incident holds Calendar any more." in text
    assert "Raising is for administrators: ask one." in text
    office.force_login(admin)
    assert "Plan the way back …" in text_of(office)
