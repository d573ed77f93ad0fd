"""The office's pages for what everybody reads: publishing, planned work, banners, and when a word is due."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import User
from rollback import incidents
from rollback.audit import Actor, actor_of
from rollback.console import cadence
from rollback.console.wording import local
from rollback.models import Banner, Incident, Maintenance, OnCallPolicy, PublicUpdate
from rollback.public import board, updates
from tests.conftest import make_user
from tests.rollback.test_public_updates import TEXTS, grown_old

OFFICE = Actor(name="office")
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
ROOM = "/admin/rollback/flag/room/"
MAINTENANCE, BANNER = "/admin/rollback/maintenance/", "/admin/rollback/banner/"
CODES = ("en", "de", "es")

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


@pytest.fixture
def incident(flag_rows: Any) -> Incident:
    return incidents.open_with_latches(
        title="Calendar: errors", flags=[CALENDAR], actor=OFFICE, cause="test"
    )


def page_of(incident: Incident) -> str:
    return f"/admin/rollback/incident/{incident.pk}/publish/"


def publish(incident: Incident, state: str = "investigating", **more: Any) -> PublicUpdate:
    return updates.publish(
        incident=incident.pk,
        state=state,
        actor=OFFICE,
        now=timezone.now(),
        texts=TEXTS,
        **more,
    )


def filled(answer: Any) -> dict[str, Any]:
    """What a browser would send of the form as it stands there."""
    form = answer.context["form"]
    sent = {}
    for field in form:
        value = field.value()
        if isinstance(value, datetime):  # as the field shows it: without a zone
            value = value.strftime("%Y-%m-%dT%H:%M")
        if value is not None and value is not False:
            sent[field.html_name] = value
    return sent


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code in (200, 422), "as other pages of the admin, or as other steps"
    return dict(answer.context["form"].errors)


# ------------------------------------------------------------ publishing


def test_the_page_is_filled_in_and_one_click_publishes(office: Client, incident: Incident) -> None:
    incidents.acknowledge(incident=incident.pk, actor=OFFICE)
    page = office.get(page_of(incident))
    sent = filled(page)
    assert sent["state"] == "investigating"
    assert "Kalender" in sent["heading_de"]
    promised = timezone.now() + timedelta(minutes=20)
    assert sent["next_at"] in {local(promised), local(promised - timedelta(minutes=1))}
    text = page.content.decode()
    assert text.count('class="site-notice ') == text.count('class="publish-entry"') == 3
    answer = office.post(page_of(incident), {**sent, "publish": ""})
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/admin/rollback/incident/{incident.pk}/change/",
    )
    update = incident.public_updates.get()
    assert update.headings["de"] == sent["heading_de"]
    assert update.texts["es"] == sent["text_es"]
    assert update.components == ["calendar"]
    assert update.published_by_name == "staff@school.example"


def test_the_words_can_be_others(office: Client, incident: Incident) -> None:
    sent = filled(office.get(page_of(incident))) | {"text_de": "Wir\r\nsind dran."}
    preview = office.post(page_of(incident), {**sent, "preview": ""})
    assert preview.status_code == 200
    assert preview.content.decode().count("Wir<br>sind dran.") == 2, "banner and status entry"
    assert not PublicUpdate.objects.exists()
    office.post(page_of(incident), {**sent, "publish": ""})
    assert incident.public_updates.get().texts["de"] == "Wir\nsind dran."


def test_another_state_brings_its_own_words(office: Client, incident: Incident) -> None:
    sent = filled(office.get(page_of(incident))) | {"state": "identified"}
    answer = office.post(page_of(incident), {**sent, "fill": ""})
    assert "found the problem" in filled(answer)["heading_en"]
    assert not PublicUpdate.objects.exists()
    # Whoever presses the other button at once sees them first.
    answer = office.post(page_of(incident), {**sent, "publish": ""})
    assert "filled in for what you have chosen" in answer.content.decode()
    assert not PublicUpdate.objects.exists()
    office.post(page_of(incident), {**filled(answer), "publish": ""})
    assert incident.public_updates.get().state == "identified"


def test_own_words_are_kept_and_to_be_checked_when_the_time_is_another(
    office: Client, incident: Incident
) -> None:
    later = local(timezone.now() + timedelta(hours=2))
    sent = filled(office.get(page_of(incident))) | {"text_en": "Mine", "next_at": later}
    answer = office.post(page_of(incident), {**sent, "publish": ""})
    assert "Check" in errors_of(answer)["__all__"][0]
    again = filled(answer)
    assert again["text_en"] == "Mine"
    assert office.post(page_of(incident), {**again, "publish": ""}).status_code == 302
    assert incident.public_updates.get().texts["en"] == "Mine"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text_de": "  "}, "text_de"),
        ({"heading_es": ""}, "heading_es"),
        ({"heading_en": "x" * 121}, "heading_en"),
        ({"text_en": "x" * 1001}, "text_en"),
        ({"text_de": "a\x0bb"}, "text_de"),
        ({"next_at": "2020-01-01T10:00"}, "next_at"),
        ({"next_at": "soon"}, "next_at"),
        ({"next_at": "9999-99-99T10:00"}, "next_at"),
        ({"state": "resolved"}, "state"),
        ({"state": "x"}, "state"),
        ({"components": []}, "components"),
        ({"components": ["kitchen"]}, "components"),
        ({"seen": "x"}, "seen"),
    ],
)
@pytest.mark.parametrize("button", ["publish", "fill"])
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    office: Client, incident: Incident, change: dict[str, Any], field: str, button: str
) -> None:
    sent = filled(office.get(page_of(incident))) | {"text_en": "Typed by hand"} | change
    answer = office.post(page_of(incident), {**sent, button: ""})
    assert not PublicUpdate.objects.exists()
    if button == "fill" and field.partition("_")[0] in ("text", "heading"):
        assert answer.status_code == 200, "that is what is filled in"
        return
    assert field in errors_of(answer)
    if "text_en" not in change:
        assert "Typed by hand" in answer.content.decode()


def test_nobody_adds_to_what_they_have_not_read(office: Client, incident: Incident) -> None:
    sent = filled(office.get(page_of(incident)))
    publish(incident, "identified")
    answer = office.post(page_of(incident), {**sent, "publish": ""})
    assert "meanwhile" in errors_of(answer)["state"][0]
    assert "Text de" in answer.content.decode(), "what the other one has said"


def test_after_resolving_the_last_word_is_offered(
    office: Client, incident: Incident, admin: User
) -> None:
    publish(incident)
    incident_page = f"/admin/rollback/incident/{incident.pk}"
    answer = office.post(f"{incident_page}/resolve/", {"reason": "mended"})
    assert answer["Location"] == page_of(incident)
    sent = filled(office.get(page_of(incident)))
    assert sent["state"] == "resolved"
    assert not sent.get("next_at")
    office.post(page_of(incident), {**sent, "publish": ""})
    assert updates.newest_of(incident).state == "resolved"  # type: ignore[union-attr]


def test_where_nobody_was_told_resolving_ends_it(office: Client, incident: Incident) -> None:
    answer = office.post(f"/admin/rollback/incident/{incident.pk}/resolve/", {"reason": "mended"})
    assert answer["Location"] == f"/admin/rollback/incident/{incident.pk}/change/"


def test_who_only_reads_incidents_tells_nobody(client: Client, incident: Incident) -> None:
    reader = make_user("reader@school.example", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_incident"))
    client.force_login(reader)
    assert client.get(page_of(incident)).status_code == 403
    assert client.post(page_of(incident), {"publish": ""}).status_code == 403
    assert (
        "publish/"
        not in client.get(f"/admin/rollback/incident/{incident.pk}/change/").content.decode()
    )


def test_who_only_tells_sees_no_incident(client: Client, incident: Incident) -> None:
    teller = make_user("teller@school.example", is_staff=True)
    teller.user_permissions.add(Permission.objects.get(codename="add_publicupdate"))
    client.force_login(teller)
    assert client.get(page_of(incident)).status_code == 403


def test_there_is_no_such_incident(office: Client) -> None:
    assert office.get("/admin/rollback/incident/4711/publish/").status_code == 404
    assert office.get("/admin/rollback/incident/x/publish/").status_code == 404


# ------------------------------------------------------------ when a word is due


def due_in(client: Client, path: str = ROOM) -> list[str]:
    text = client.get(path).content.decode()
    return re.findall(r'<div class="(word-due[^"]*)"', text)


def test_the_console_counts_down_and_turns_red(office: Client, incident: Incident) -> None:
    assert due_in(office) == ["word-due"]
    grown_old(incident, minutes=7)
    text = office.get(ROOM).content.decode()
    assert 'class="word-due late"' in text
    assert "overdue for 2 minutes" in text
    assert page_of(incident) in text
    assert "we are looking into a problem" in text, "ready to be published"
    publish(incident)
    text = office.get(ROOM).content.decode()
    assert re.search(r"in (19|20) minutes", text)
    assert "Last word: Investigating" in text
    own = f"/admin/rollback/incident/{incident.pk}/change/"
    assert due_in(office, own) == ["word-due"]


def test_it_brings_itself_up_to_date(office: Client, incident: Incident) -> None:
    live = {"HX-Request": "true"}
    first = office.get(ROOM, headers=live)
    assert 'id="room-words"' in first.content.decode()
    grown_old(incident, minutes=9)
    again = office.get(ROOM, headers={**live, "If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert "overdue" in again.content.decode()


def test_nothing_counts_down_where_nothing_was_taken_away(office: Client, flag_rows: Any) -> None:
    case = incidents.open_case(title="Odd", flags=[CALENDAR], actor=OFFICE, cause="x")
    assert case is not None
    assert due_in(office) == []
    assert due_in(office, f"/admin/rollback/incident/{case.pk}/change/") == []
    publish(case)
    assert due_in(office) == ["word-due"]


def test_what_is_over_is_to_be_said_once(office: Client, incident: Incident, admin: User) -> None:
    publish(incident)
    incidents.resolve(incident=incident.pk, actor=actor_of(admin), reason="mended")
    assert "has not heard yet that it is over" in office.get(ROOM).content.decode()
    publish(incident, "resolved")
    assert due_in(office) == []


def test_the_oldest_debt_stands_first(incident: Incident) -> None:
    other = incidents.open_with_latches(
        title="API", flags=["ENABLE_AVAILABILITY_API"], actor=OFFICE, cause="x"
    )
    grown_old(other, minutes=3)
    OnCallPolicy.objects.update_or_create(defaults={"first_update_minutes": 4}, pk=1)
    now = timezone.now()
    words = cadence.all_due(now)
    assert [word.incident.pk for word in words] == [other.pk, incident.pk]
    assert words[0].due.at - words[0].incident.opened_at == timedelta(minutes=4)


def test_who_may_not_tell_sees_when_but_no_button(client: Client, incident: Incident) -> None:
    watcher = make_user("watcher@school.example", is_staff=True)
    watcher.user_permissions.set(
        Permission.objects.filter(codename__in=("view_incident", "change_flag", "view_flag"))
    )
    client.force_login(watcher)
    grown_old(incident, minutes=9)
    text = client.get(ROOM).content.decode()
    assert "overdue" in text
    assert "publish/" not in text


# ------------------------------------------------------------ planned work


def planned(office: Client, **change: Any) -> Any:
    sent = filled(office.get(f"{MAINTENANCE}add/"))
    return office.post(f"{MAINTENANCE}add/", {**sent, **change, "save": ""})


def test_planned_in_every_language_with_one_click(office: Client) -> None:
    assert planned(office).status_code == 302
    row = Maintenance.objects.get()
    assert set(row.texts) == set(CODES)
    assert "22:00" in row.texts["de"]
    assert row.components == ["school"]
    assert row.planned_by_name == "staff@school.example"
    assert "Planned maintenance" in office.get(MAINTENANCE).content.decode()


def test_another_time_stands_in_the_words_as_well(office: Client) -> None:
    starts = timezone.localtime().replace(hour=6, minute=15) + timedelta(days=3)
    change = {"starts_at": local(starts), "ends_at": local(starts + timedelta(hours=2))}
    answer = planned(office, **change)
    assert answer.status_code == 200
    again = filled(answer)
    assert all("6:15" in again[f"text_{code}"] for code in CODES)
    assert not Maintenance.objects.exists()
    office.post(f"{MAINTENANCE}add/", {**again, "save": ""})
    assert Maintenance.objects.get().starts_at == starts.replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starts_at": ""}, "starts_at"),
        ({"starts_at": "x"}, "starts_at"),
        ({"ends_at": "2020-01-01T10:00"}, "ends_at"),
        ({"announced_from": "2999-01-01T10:00"}, "announced_from"),
        ({"components": []}, "components"),
        ({"text_es": ""}, "text_es"),
        ({"heading_de": "x" * 121}, "heading_de"),
        ({"heading_de": "x\x0cy"}, "heading_de"),
    ],
)
def test_a_plan_that_is_wrong_says_where(
    office: Client, change: dict[str, Any], field: str
) -> None:
    answer = planned(office, **change)
    assert field in errors_of(answer)
    assert not Maintenance.objects.exists()


def test_it_is_changed_while_it_lasts_and_cancelled_once(office: Client) -> None:
    planned(office)
    row = Maintenance.objects.get()
    own = f"{MAINTENANCE}{row.pk}/change/"
    sent = filled(office.get(own)) | {"heading_en": "Longer than we thought"}
    assert office.post(own, {**sent, "save": ""}).status_code == 302
    row.refresh_from_db()
    assert row.headings["en"] == "Longer than we thought"
    cancel = f"{MAINTENANCE}{row.pk}/cancel/"
    assert office.get(cancel).status_code == 200
    row.refresh_from_db()
    assert row.cancelled_at is None, "it asks first"
    office.post(cancel)
    row.refresh_from_db()
    at = row.cancelled_at
    assert at is not None
    office.post(cancel)
    row.refresh_from_db()
    assert row.cancelled_at == at
    page = office.get(own)
    assert page.status_code == 200
    assert 'name="save"' not in page.content.decode(), "only read now"
    assert office.post(f"{MAINTENANCE}{row.pk}/delete/").status_code == 403


def test_what_is_over_is_not_cancelled(office: Client) -> None:
    planned(office)
    now = timezone.now()
    hour = timedelta(hours=1)
    Maintenance.objects.update(
        announced_from=now - 3 * hour, starts_at=now - 2 * hour, ends_at=now - hour
    )
    office.post(f"{MAINTENANCE}{Maintenance.objects.get().pk}/cancel/")
    assert Maintenance.objects.get().cancelled_at is None


# ------------------------------------------------------------ banners


def written(office: Client, **change: Any) -> Any:
    sent = filled(office.get(f"{BANNER}add/"))
    texts = {f"text_{code}": f"Word {code}" for code in CODES}
    return office.post(f"{BANNER}add/", {**sent, **texts, **change, "save": ""})


def test_a_banner_is_written_seen_changed_and_taken_down(
    office: Client, django_capture_on_commit_callbacks: Any
) -> None:
    def done(answer: Any) -> None:
        assert answer.status_code == 302

    with django_capture_on_commit_callbacks(execute=True):
        done(written(office, level="danger"))
    row = Banner.objects.get()
    assert (row.level, row.is_dismissible) == ("danger", True)
    assert "Word en" in office.get("/").content.decode()
    own = f"{BANNER}{row.pk}/change/"
    sent = {**filled(office.get(own)), "text_en": "Another", "save": ""}
    with django_capture_on_commit_callbacks(execute=True):
        done(office.post(own, sent))
    assert "Another" in office.get("/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        done(office.post(f"{BANNER}{row.pk}/delete/", {"post": "yes"}))
    assert "Another" not in office.get("/").content.decode()
    assert board.notices() == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text_de": ""}, "text_de"),
        ({"text_en": "x" * 401}, "text_en"),
        ({"text_en": "x\x08y"}, "text_en"),
        ({"ends_at": "2020-01-01T10:00"}, "ends_at"),
        ({"starts_at": "x"}, "starts_at"),
        ({"level": "purple"}, "level"),
        ({"audience": "cats"}, "audience"),
    ],
)
def test_a_banner_that_is_wrong_says_where(
    office: Client, change: dict[str, Any], field: str
) -> None:
    answer = written(office, **change)
    assert field in errors_of(answer)
    assert not Banner.objects.exists()


def test_who_may_only_look_changes_nothing(client: Client, office: Client) -> None:
    planned(office)
    written(office)
    looker = make_user("looker@school.example", is_staff=True)
    looker.user_permissions.set(
        Permission.objects.filter(codename__in=("view_maintenance", "view_banner"))
    )
    client.force_login(looker)
    row, banner = Maintenance.objects.get(), Banner.objects.get()
    for path in (f"{MAINTENANCE}{row.pk}/change/", f"{BANNER}{banner.pk}/change/"):
        assert client.get(path).status_code == 200
        assert client.post(path, {"save": ""}).status_code == 403
    for path in (f"{MAINTENANCE}add/", f"{BANNER}add/", f"{MAINTENANCE}{row.pk}/cancel/"):
        assert client.get(path).status_code == 403
    assert client.get(f"{MAINTENANCE}4711/change/").status_code == 404
