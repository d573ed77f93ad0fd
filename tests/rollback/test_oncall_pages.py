"""“I am at it” from the mail, the roster and channels in the admin, the console's warnings, /watch/alive."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.core.signing import Signer
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import User
from rollback import incidents, triggers
from rollback.audit import actor_of
from rollback.health import alive
from rollback.models import (
    Channel,
    DeafAddress,
    Heartbeat,
    Incident,
    OnCallPolicy,
    OnCallShift,
    Page,
)
from rollback.oncall import pages, warnings
from rollback.oncall.acknowledging import token_for
from rollback.oncall.policy import clock
from rollback.reminders import off_token
from tests.conftest import make_student
from tests.rollback.hooks import hooks
from tests.rollback.oncall_rows import OFFICE, case, channel, shift, somebody
from tests.rollback.test_oncall import look

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_counted(db: Any) -> None:
    cache.clear()


@pytest.fixture
def mira() -> User:
    mira = somebody("mira")
    shift(mira)
    return mira


@pytest.fixture
def incident(mira: User) -> Incident:
    incident = case()
    look()
    return incident


def link(user: User) -> str:
    token = token_for(page=Page.objects.get().pk, user=user.pk)
    return reverse("oncall:acknowledge", args=[token])


# ---------------------------------------------------------------- the link


def test_with_one_press_and_no_login(client: Client, incident: Incident, mira: User) -> None:
    page = client.get(link(mira)).content.decode()
    assert "Calendar: errors" in page
    assert "2: a feature is off" in page
    # No link on it passes the key on; the choice of a language comes back here.
    key = link(mira).rpartition(".")[2].strip("/")
    assert not [one for one in re.findall(r'href="([^"]*)"', page) if key in one]
    response = client.post(link(mira))
    assert (response.status_code, response["Location"]) == (303, link(mira))
    incident.refresh_from_db()
    assert incident.acknowledged_by == mira
    assert "You are at it" in client.get(link(mira)).content.decode()
    assert not client.session.get("_auth_user_id")
    assert incidents.check_chain(incident) is None


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_mail_scanner_changes_nothing(
    client: Client, incident: Incident, mira: User, method: str
) -> None:
    for _scan in range(5):
        assert getattr(client, method)(link(mira)).status_code == 200
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_a_press_from_another_site_is_refused(incident: Incident, mira: User) -> None:
    assert Client(enforce_csrf_checks=True).post(link(mira)).status_code == 403
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_what_is_no_key_opens_nothing(client: Client, incident: Incident, mira: User) -> None:
    page = Page.objects.get()
    other = somebody("other")
    good = token_for(page=page.pk, user=mira.pk)
    forged = [
        "",
        "x",
        f"{page.pk}-{mira.pk}",
        good[:-1],
        good.replace(f"-{mira.pk}.", f"-{other.pk}."),
        Signer(salt="rollback.reminders", sep=".").sign(f"{page.pk}-{mira.pk}"),
        off_token(make_student()),
        token_for(page=page.pk + 1, user=mira.pk),
        token_for(page=page.pk, user=mira.pk + 1000),
    ]
    for token in forged[1:]:
        address = reverse("oncall:acknowledge", args=[token])
        assert client.get(address).status_code == 404, token
        assert client.post(address).status_code == 404, token
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_who_has_left_has_no_key_any_more(client: Client, incident: Incident, mira: User) -> None:
    address = link(mira)
    User.objects.filter(pk=mira.pk).update(is_active=False)
    assert client.post(address).status_code == 404
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_the_key_ends_with_the_page(client: Client, incident: Incident, mira: User) -> None:
    incidents.resolve(incident=incident.pk, actor=OFFICE, reason="x")
    page = client.get(link(mira)).content.decode()
    assert "nobody needs to answer any more" in page
    assert "csrfmiddlewaretoken" not in page.partition("<main")[2].partition("</main")[0]
    assert client.post(link(mira)).status_code == 409
    incident.refresh_from_db()
    assert incident.acknowledged_at is None


def test_who_was_faster_is_named_to_staff_only(
    client: Client, incident: Incident, mira: User, admin: User
) -> None:
    incidents.acknowledge(incident=incident.pk, actor=actor_of(admin))
    response = client.post(link(mira))
    assert response.status_code == 409
    assert "Somebody else acknowledged it" in response.content.decode()
    assert admin.email not in response.content.decode()
    client.force_login(mira)
    assert f"{admin.email} acknowledged it" in client.get(link(mira)).content.decode()


def test_nothing_else_of_the_incident_is_shown(
    client: Client, incident: Incident, mira: User
) -> None:
    Incident.objects.update(cause="Somebody's secret")
    assert "secret" not in client.get(link(mira)).content.decode()


def test_it_is_limited_by_where_it_comes_from(
    client: Client, incident: Incident, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST", 3)
    asked = [client.get("/on-call/acknowledge/1-1.forged/").status_code for _try in range(4)]
    assert asked == [404, 404, 404, 429]
    assert client.post(link(mira)).status_code == 429
    assert client.post(link(mira), REMOTE_ADDR="198.51.100.7").status_code == 303


def test_a_test_page_says_so_and_is_over_with_its_answer(client: Client, mira: User) -> None:
    page = Page.objects.create(kind=Page.Kind.TEST)
    assert "It has arrived" in client.get(link(mira)).content.decode()
    assert client.post(link(mira)).status_code == 303
    page.refresh_from_db()
    assert page.acknowledged_by == mira
    assert page.closed_at is not None


# ---------------------------------------------------------------- the roster


@pytest.fixture
def office(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def entered(user: User, starts: Any, ends: Any, level: int = 1) -> dict[str, Any]:
    starts, ends = timezone.localtime(starts), timezone.localtime(ends)
    return {
        "user": user.pk,
        "level": level,
        "starts_at_0": f"{starts:%Y-%m-%d}",
        "starts_at_1": f"{starts:%H:%M:%S}",
        "ends_at_0": f"{ends:%Y-%m-%d}",
        "ends_at_1": f"{ends:%H:%M:%S}",
    }


def errors(response: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    return found


ADD = "/admin/rollback/oncallshift/add/"


def test_a_shift_is_entered_and_an_overlap_is_said_at_its_field(office: Client, mira: User) -> None:
    jon, now = somebody("jon"), timezone.now().replace(microsecond=0)
    free = now + timedelta(days=400)
    assert office.post(ADD, entered(jon, free, free + 8 * HOUR)).status_code == 302
    begins = office.post(ADD, entered(mira, free + 4 * HOUR, free + 12 * HOUR))
    [words] = errors(begins)["starts_at"]
    assert words.startswith("jon is called as number 1 from")
    ends = office.post(ADD, entered(mira, free - 4 * HOUR, free + HOUR))
    assert "ends_at" in errors(ends)
    other = office.post(ADD, entered(mira, free + 4 * HOUR, free + 12 * HOUR, level=2))
    assert other.status_code == 302
    after = office.post(ADD, entered(mira, free + 8 * HOUR, free + 12 * HOUR))
    assert after.status_code == 302
    backwards = office.post(ADD, entered(mira, free + 90 * HOUR, free + 80 * HOUR))
    assert "ends_at" in errors(backwards)


@pytest.mark.parametrize("fields", [{"is_staff": False}, {"is_active": False}, {"email": ""}])
def test_only_who_can_be_called_is_entered(office: Client, fields: dict[str, Any]) -> None:
    nobody = somebody("nobody")
    User.objects.filter(pk=nobody.pk).update(**fields)
    response = office.post(ADD, entered(nobody, timezone.now(), timezone.now() + HOUR))
    assert errors(response)["user"] == [
        "Choose somebody of the active staff who has a mail address."
    ]


def test_four_weeks_with_their_gaps_by_the_schools_clock(office: Client, mira: User) -> None:
    OnCallShift.objects.all().delete()
    now = timezone.now()
    OnCallShift.objects.create(user=mira, starts_at=now - HOUR, ends_at=now + timedelta(days=3))
    OnCallShift.objects.create(
        user=mira, level=2, starts_at=now + timedelta(days=5), ends_at=now + timedelta(days=6)
    )
    page = office.get("/admin/rollback/oncallshift/")
    weeks = page.context["weeks"]
    assert [len(week) for week in weeks] == [7, 7, 7, 7]
    assert page.context["levels"] == [1, 2]
    gaps = [day["has_gap"] for day in weeks[0]]
    assert gaps[1:3] == [False, False]
    assert gaps[4]
    text = page.content.decode()
    assert "Europe/Berlin" in text
    assert "mira" in text


def test_a_shift_is_handed_over_in_the_admin(client: Client, mira: User) -> None:
    jon, other = somebody("jon"), somebody("other")
    OnCallShift.objects.all().delete()
    now = clock()
    row = OnCallShift.objects.create(user=mira, starts_at=now - HOUR, ends_at=now + HOUR)
    address = f"/admin/rollback/oncallshift/{row.pk}/hand-over/"
    client.force_login(other)  # of the office, but not hers
    assert client.post(address, {"to": jon.pk}).status_code == 403
    client.force_login(mira)
    assert "Choose somebody" in client.post(address, {}).content.decode()
    assert client.post(address, {"to": jon.pk}).status_code == 302
    before, after = OnCallShift.objects.order_by("starts_at")
    assert (before.user, after.user) == (mira, jon)
    assert before.ends_at == after.starts_at
    assert after.ends_at == now + HOUR


# ---------------------------------------------------------------- channels and the policy


def test_a_key_goes_in_and_never_comes_out(office: Client) -> None:
    add = "/admin/rollback/channel/add/"
    said = {"name": "Pager", "kind": "pagerduty", "url": "https://events.pagerduty.com/v2/enqueue"}
    assert "secret" in errors(office.post(add, said))
    assert office.post(add, {**said, "secret": "r0uting", "is_active": "on"}).status_code == 302
    row = Channel.objects.get()
    address = f"/admin/rollback/channel/{row.pk}/change/"
    assert "r0uting" not in office.get(address).content.decode()
    assert office.post(address, {**said, "name": "Other"}).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.secret) == ("Other", "r0uting")
    assert office.post(address, {**said, "secret": "new"}).status_code == 302
    row.refresh_from_db()
    assert row.secret == "new"
    assert "r0uting" not in office.get(f"{address[:-7]}history/").content.decode()


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"url": "https://events.pagerduty.com/v3"}, True),
        ({"url": "https://events.pagerduty.com:443/v2/enqueue"}, True),
        ({"url": "https://elsewhere.example/v2/enqueue"}, False),
        ({"url": "http://events.pagerduty.com/v2/enqueue"}, False),
        ({"url": "https://events.pagerduty.com:8443/v2/enqueue"}, False),
        ({"kind": "generic"}, False),
    ],
)
def test_a_key_goes_to_nobody_else(office: Client, change: dict[str, str], stays: bool) -> None:
    url = "https://events.pagerduty.com/v2/enqueue"
    row = Channel.objects.create(name="Pager", kind="pagerduty", url=url, secret="r0uting")
    address = f"/admin/rollback/channel/{row.pk}/change/"
    said = {"name": "Pager", "kind": "pagerduty", "url": url, **change}
    answer = office.post(address, said)
    assert answer.status_code == (302 if stays else 200)
    if not stays:
        assert "secret" in errors(answer)
        assert "r0uting" not in answer.content.decode()
        assert office.post(address, {**said, "secret": "new"}).status_code == 302
    row.refresh_from_db()
    assert row.secret == ("r0uting" if stays else "new")


def test_slack_gets_no_key_of_another(office: Client) -> None:
    url = "https://events.pagerduty.com/v2/enqueue"
    row = Channel.objects.create(name="Pager", kind="pagerduty", url=url, secret="r0uting")
    said = {"name": "Pager", "kind": "slack", "url": "https://hooks.slack.com/x"}
    assert office.post(f"/admin/rollback/channel/{row.pk}/change/", said).status_code == 302
    row.refresh_from_db()
    assert row.secret == ""


def test_in_production_an_address_begins_with_https(office: Client, settings: Any) -> None:
    settings.PRODUCTION = True
    said = {"name": "x", "kind": "slack", "url": "http://hooks.example/x"}
    response = office.post("/admin/rollback/channel/add/", said)
    assert errors(response)["url"] == ["The address has to begin with https://."]


def test_a_test_is_sent_and_a_refusal_said(office: Client) -> None:
    with hooks() as there:
        row = channel(there.url, kind="slack")
        address = f"/admin/rollback/channel/{row.pk}/test/"
        assert office.get(address).status_code == 200
        assert not there.got
        assert office.post(address).status_code == 302
        assert "Test of the channel slack" in there.bodies[0]["text"]
        there.status, there.answer = 404, "no_team"
        assert "It answered 404: no_team" in office.post(address).content.decode()


def test_the_policy_is_one_row_made_when_it_is_looked_for(office: Client) -> None:
    assert not OnCallPolicy.objects.exists()
    first = office.get("/admin/rollback/oncallpolicy/")
    assert first["Location"] == office.get("/admin/rollback/oncallpolicy/")["Location"]
    row = OnCallPolicy.objects.get()
    said = {
        "escalate_minutes": 0,
        "page_severity": 1,
        "test_weekday": 6,
        "test_hour": 24,
        "first_update_minutes": 0,
        "update_minutes": 20,
        "by_itself": ["simplified"],
    }
    found = errors(office.post(first["Location"], said))
    assert set(found) == {"escalate_minutes", "test_hour", "first_update_minutes"}
    said |= {"escalate_minutes": 3, "test_hour": 23, "first_update_minutes": 5}
    assert office.post(first["Location"], said).status_code == 302
    row.refresh_from_db()
    assert (row.escalate_minutes, row.test_weekday, row.by_itself) == (3, 6, ["simplified"])


def test_a_page_is_acknowledged_in_the_console(
    client: Client, incident: Incident, mira: User
) -> None:
    page = Page.objects.get()
    client.force_login(mira)
    address = f"/admin/rollback/page/{page.pk}/"
    assert "mira" in client.get(f"{address}change/").content.decode()
    assert client.post(f"{address}acknowledge/").status_code == 302
    incident.refresh_from_db()
    assert incident.acknowledged_by == mira


# ---------------------------------------------------------------- warnings


def said() -> list[str]:
    return [one.words for one in warnings.found(now=clock())]


def test_what_is_wrong_is_said_while_it_is() -> None:
    mira, now = somebody("mira"), clock()
    assert said()[0].startswith("Nobody is on call. What needs somebody")
    row = OnCallShift.objects.create(user=mira, starts_at=now + HOUR, ends_at=now + 60 * HOUR)
    assert said()[0].startswith("Nobody is on call until")
    OnCallShift.objects.filter(pk=row.pk).update(starts_at=now - HOUR, ends_at=now + 20 * HOUR)
    OnCallShift.objects.create(user=mira, starts_at=now + 22 * HOUR, ends_at=now + 60 * HOUR)
    [gap] = said()
    assert gap.startswith("Nobody is on call from")
    OnCallShift.objects.filter(pk=row.pk).update(ends_at=now + 22 * HOUR)
    assert said() == []
    test = Page.objects.create(kind=Page.Kind.TEST, opened_at=now - 23 * HOUR)
    assert said() == []
    Page.objects.filter(pk=test.pk).update(opened_at=now - 25 * HOUR)
    assert said()[0].startswith("Nobody has acknowledged the test page")
    Page.objects.filter(pk=test.pk).update(acknowledged_at=now)
    Page.objects.create(kind=Page.Kind.SILENT)
    assert said() == ["The watch has been silent, and somebody was called about it."]


def test_whose_address_no_mail_reaches_is_named_while_on_call() -> None:
    mira, now = somebody("mira"), clock()
    row = OnCallShift.objects.create(user=mira, starts_at=now - HOUR, ends_at=now + 60 * HOUR)
    jon = somebody("jon")
    DeafAddress.objects.create(email=jon.email, why="bounced")
    assert said() == []
    DeafAddress.objects.create(email=mira.email.upper(), why="bounced")
    [words] = said()
    assert words.startswith("On call with an address that no mail reaches: mira.")
    OnCallShift.objects.filter(pk=row.pk).update(user=jon)
    OnCallShift.objects.create(
        user=mira, level=2, starts_at=now + 49 * HOUR, ends_at=now + 50 * HOUR
    )
    [words] = said()
    assert "jon" in words
    assert "mira" not in words


def test_the_console_shows_them(office: Client) -> None:
    page = office.get(reverse("admin:rollback_flag_room")).content.decode()
    assert "Nobody is on call." in page


def test_the_command_says_who_is_called_and_where_the_holes_are(capsys: Any) -> None:
    mira, now = somebody("mira"), clock()
    OnCallShift.objects.create(user=mira, starts_at=now - HOUR, ends_at=now + HOUR)
    call_command("rollback", "oncall")
    found = capsys.readouterr().out
    assert "1: mira <mira@school.example>" in found
    assert "Nobody from" in found
    OnCallShift.objects.all().delete()
    call_command("rollback", "oncall")
    assert "Nobody is on call. Called instead: mira." in capsys.readouterr().out


# ---------------------------------------------------------------- for a dead man's switch


@pytest.mark.django_db(transaction=True)
def test_alive_while_somebody_judges(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "KEPT", -1.0)
    assert client.get("/watch/alive").status_code == 503
    Heartbeat.objects.create(name=triggers.HEARTBEAT, beat_at=timezone.now())
    for ago, status in ((0, 200), (55, 200), (65, 503), (4000, 503)):
        Heartbeat.objects.update(beat_at=Now() - timedelta(seconds=ago))
        response = client.get("/watch/alive", headers={"host": "10.1.2.3"})
        assert response.status_code == status, ago
        assert response.headers["Cache-Control"] == "no-store"
    assert client.post("/watch/alive").status_code == 405
