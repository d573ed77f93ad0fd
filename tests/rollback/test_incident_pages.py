"""An incident as people meet it: its page, the steps on it, paper, the exported file, the terminal."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from config.roles import give_permissions
from enrollment.models import Course, Student, User
from rollback import affected, incidents, plan_rules, runner
from rollback.console import event_words, markdown, story
from rollback.domain.decisions import Harm, recommend
from rollback.models import (
    AffectedPerson,
    EnrollmentDraft,
    Flag,
    Incident,
    IncidentAction,
    Judgment,
    Plan,
    PlanStep,
    ProbeResult,
    Verification,
)
from rollback.personal.engine import concerns_incidents, erase_incidents, export_incidents
from rollback.runner import Actor, actor_of
from rollback.verification import PROBES
from tests.conftest import make_student, make_user

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
API = "ENABLE_AVAILABILITY_API"
PERSON = Actor(name="a person")
LIST = "/admin/rollback/incident/"
EVIL = "<script>alert(1)</script> [x](javascript:1) | `a` **b**"

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


@pytest.fixture
def incident(flag_rows: None) -> Incident:
    return runner.roll_back(
        flags=[CALENDAR],
        incident="Wrong times",
        actor=PERSON,
        reason="an hour late",
        kind="errors",
        first_bad_at=datetime.now(UTC) - timedelta(minutes=12),
    ).incident


@pytest.fixture
def case(flag_rows: None) -> Incident:
    found = incidents.open_case(
        title="Complaints",
        trigger="complaints",
        flags=[CALENDAR],
        actor=Actor(name="trigger complaints", automatic=True),
        cause="6 in an hour",
        recommendation=recommend(0.1, Harm.BOOKINGS),
    )
    assert found is not None
    return found


def page(incident: Incident, step: str = "change") -> str:
    return f"{LIST}{incident.pk}/{step}/"


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def everything(incident: Incident) -> None:
    """What the other rooms write, each with something that must be escaped."""
    early = datetime.now(UTC) - timedelta(hours=1)
    EnrollmentDraft.objects.create(
        student=make_student(),
        course=Course.objects.create(title="Cello", slug="cello"),
        started_at=early,
        saved_at=early,
    )
    affected.freeze(incident)
    affected.refresh(incident)
    plan = Plan.objects.create(
        incident=incident, direction="down", flags=[CALENDAR], actor_name=EVIL, reason="x"
    )
    for number, percent in enumerate((50, 25, 0)):
        PlanStep.objects.create(plan=plan, number=number, percent=percent)
    run = Verification.objects.create(
        incident=incident, by_name="engine", ended_at=datetime.now(UTC), passed=False
    )
    ProbeResult.objects.create(
        verification=run,
        probe="flow",
        passed=False,
        words=EVIL,
        milliseconds=12,
        limit_milliseconds=500,
    )
    Judgment.objects.create(
        trigger_name="errors", version=1, verdict="BREACH", words=EVIL, incident=incident,
        evidence={"slots": [EVIL]},
    )  # fmt: skip
    IncidentAction.objects.create(incident=incident, text=EVIL, who_name="Marta")
    incidents.note(incident=incident.pk, actor=Actor(name=EVIL), text=f"{EVIL}\n# a heading")
    incidents.record(incident=incident.pk, kind="contained", actor=PERSON, milliseconds=14)


def test_the_page_shows_all_of_it_and_escapes_what_was_typed(
    office: Client, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    everything(incident)
    with django_assert_max_num_queries(30):
        shown = text(office, page(incident))
    assert "<script>alert" not in shown
    for words in (
        "an hour late", "0.00 % → killed", "12 min", "30 min", "1 person, as it was",
        "Switched off", "milliseconds: 14", "50.00 %", "12 of 500 ms", "BREACH", "Evidence",
        "minutes switched off", "the timeline is as it was written",
    ):  # fmt: skip
        assert words in shown, words
    assert shown.count("&lt;script&gt;alert") >= 6
    assert f"/admin/rollback/affectedperson/?incident__id__exact={incident.pk}" in shown
    assert 'aria-current="step"' in shown


def test_the_queries_do_not_grow_with_what_happened(
    office: Client, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        incidents.note(incident=incident.pk, actor=PERSON, text=f"note {number}")
    for number in range(20):
        run = Verification.objects.create(
            incident=incident, by_name="engine", ended_at=datetime.now(UTC), passed=True
        )
        ProbeResult.objects.create(
            verification=run, probe="x", passed=True, words="", milliseconds=1, limit_milliseconds=9
        )
        plan = Plan.objects.create(
            incident=incident, direction="down", flags=[CALENDAR], actor_name="x", reason="x",
            state="done", ended_at=datetime.now(UTC),
        )  # fmt: skip
        PlanStep.objects.create(plan=plan, number=1, percent=number)
    text(office, page(incident))
    with django_assert_max_num_queries(30):
        shown = text(office, page(incident))
    assert "note 39" in shown


def test_the_clock_says_when_it_is_over_the_objective(office: Client, incident: Incident) -> None:
    assert "Over the objective" not in text(office, page(incident))
    late = datetime.now(UTC) - timedelta(minutes=31)
    Incident.objects.filter(pk=incident.pk).update(first_bad_at=late)
    assert "Over the objective" in text(office, page(incident))
    Incident.objects.filter(pk=incident.pk).update(verified_at=late + timedelta(minutes=29))
    shown = text(office, page(incident))
    assert "29 min" in shown
    assert "Over the objective" not in shown


def test_a_tampered_timeline_is_said_on_the_page(office: Client, incident: Incident) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE rollback_incidentevent SET kind = 'note' WHERE number = 1")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "Line 1 of the timeline is not as it was written" in text(office, page(incident))
    with pytest.raises(CommandError, match="Line 1 of the timeline"):
        run("incident", "check", str(incident.pk))


# ---------------------------------------------------------------- what people do


def test_a_case_is_taken_acknowledged_decided_and_taken_away(
    office: Client, staff: User, case: Incident
) -> None:
    shown = text(office, page(case))
    assert "nothing was taken away" in shown
    assert "Recommended" in shown
    assert "first bad sample;" not in shown  # no clock where nothing was taken away
    office.post(page(case, "acknowledge"))
    case.refresh_from_db()
    assert case.acknowledged_by == staff
    assert page(case, "acknowledge") not in text(office, page(case))
    asked = text(office, page(case, "decide"))
    assert re.search(r'value="some-bookings"\s+checked', asked)
    office.post(page(case, "decide"), {"field": "many-none", "reason": "more than we thought"})
    case.refresh_from_db()
    assert case.severity == 2
    shown = text(office, page(case))
    assert "Decided:" in shown
    assert "more than we thought" in shown
    assert Flag.objects.get(name=CALENDAR).everyone is None
    done = office.post(
        page(case, "take-away"), {"flags": [CALENDAR, API], "reason": "decided so"}, follow=True
    )
    assert "stay so until the incident is resolved" in done.content.decode()
    assert set(incidents.latches()) == {CALENDAR, API}


@pytest.mark.parametrize(
    ("step", "asked", "complaints"),
    [
        ("note", {"text": "  "}, ["required"]),
        ("note", {"text": "x" * 4001}, ["at most 4000"]),
        ("decide", {"field": "", "reason": "kept words"}, ["Choose one field"]),
        ("decide", {"field": "nothing", "reason": "kept words"}, ["Choose one field"]),
        ("decide", {"field": "few-none", "reason": ""}, ["required"]),
        ("take-away", {"reason": "kept words"}, ["Choose at least one feature"]),
        ("take-away", {"flags": ["X"], "reason": "kept words"}, ["Select a valid choice"]),
        ("resolve", {"reason": ""}, ["required"]),
        ("review", {"root_cause": "kept words", "lessons": "too"}, ["is open"]),
    ],
)
def test_bad_input_is_said_at_its_field_and_nothing_typed_is_lost(
    office: Client, case: Incident, step: str, asked: dict[str, Any], complaints: list[str]
) -> None:
    before = list(case.events.values_list("kind"))
    shown = office.post(page(case, step), asked).content.decode()
    for words in complaints:
        assert words in shown
    for typed in asked.values():
        if typed == "kept words":
            assert typed in shown
    assert list(case.events.values_list("kind")) == before
    assert not incidents.latches()


def test_the_chosen_field_stays_chosen_when_the_reason_is_missing(
    office: Client, case: Incident
) -> None:
    shown = office.post(page(case, "decide"), {"field": "few-leak", "reason": ""}).content.decode()
    assert re.search(r'value="few-leak"\s+checked', shown)


def test_who_is_to_do_something_or_acknowledged_gets_a_copy_and_is_forgotten(
    office: Client, staff: User, incident: Incident
) -> None:
    assert not concerns_incidents(user=staff)
    Incident.objects.filter(pk=incident.pk).update(
        acknowledged_by=staff, acknowledged_at=datetime.now(UTC)
    )
    assert concerns_incidents(user=staff)
    Incident.objects.filter(pk=incident.pk).update(acknowledged_by=None, acknowledged_at=None)
    action = IncidentAction.objects.create(incident=incident, text="Test the clocks")
    assert not concerns_incidents(user=staff)
    address = f"/admin/rollback/incidentaction/{action.pk}/change/"
    student = make_student()
    refused = office.post(address, {"who": student.user_id, "due_on": ""}).content.decode()
    assert "not one of the available choices" in refused
    office.post(address, {"who": staff.pk, "due_on": ""})
    action.refresh_from_db()
    assert (action.who, action.who_name) == (staff, actor_of(staff).name)
    assert concerns_incidents(user=staff)
    (copied,) = export_incidents(user=staff)["to_be_done"]
    assert copied["text"] == "Test the clocks"
    erase_incidents(user=staff, now=datetime.now(UTC))
    action.refresh_from_db()
    assert action.who_name == f"person {staff.pk}"
    User.objects.filter(pk=staff.pk).update(is_active=False)
    office.force_login(make_user("root@school.example", is_staff=True, is_superuser=True))
    office.post(address, {"who": staff.pk, "due_on": "", "done_on": "2026-03-02"})
    action.refresh_from_db()
    assert (str(action.done_on), action.who_name) == ("2026-03-02", f"person {staff.pk}")


def test_resolving_counts_once_more_and_reviewing_ends_it(
    office: Client, staff: User, incident: Incident
) -> None:
    affected.freeze(incident)
    office.post(page(incident, "resolve"), {"reason": "clock mended"})
    incident.refresh_from_db()
    assert incident.impact["minutes"] == 1
    shown = text(office, page(incident))
    assert "The post-mortem is filled in but for: root cause, lessons learned, actions" in shown
    asked = {
        "root_cause": "A clock", "lessons": "Test clocks", "action_1": "Write the test",
        "who_1": str(staff.pk), "due_1": "2026-04-01", "action_2": "", "who_2": str(staff.pk),
        "due_3": "never",
    }  # fmt: skip
    shown = office.post(page(incident, "review"), asked).content.decode()
    assert "Say what is to be done" in shown
    assert "Enter a valid date" in shown
    assert all(value in shown for value in asked.values())
    assert shown.count(f'<option value="{staff.pk}" selected') == 2
    assert not IncidentAction.objects.exists()
    asked |= {"who_2": "", "due_3": ""}
    office.post(page(incident, "review"), asked)
    action = IncidentAction.objects.get()
    assert (action.text, action.who, str(action.due_on)) == ("Write the test", staff, "2026-04-01")
    assert action.who_name == actor_of(staff).name
    shown = text(office, page(incident))
    assert "filled in but for" not in shown
    assert f"/admin/rollback/incidentaction/{action.pk}/change/" in shown
    office.post(f"/admin/rollback/incidentaction/{action.pk}/change/", {"done_on": "2026-03-02"})
    action.refresh_from_db()
    assert (str(action.done_on), action.text) == ("2026-03-02", "Write the test")


OPENING = {"title": "Wrong times", "severity": "2", "cause": "an hour late", "kind": "slow"}


def test_a_person_opens_one_with_or_without_taking_something_away(
    office: Client, staff: User
) -> None:
    shown = office.post(f"{LIST}open/", OPENING, follow=True).content.decode()
    opened = Incident.objects.get()
    assert "The incident is open" in shown
    assert (opened.opened_by, opened.severity, opened.kind) == (staff, 2, "slow")
    assert not incidents.latches()
    office.post(f"{LIST}open/", OPENING | {"flags": [CALENDAR], "take_away": "on"})
    second = Incident.objects.exclude(pk=opened.pk).get()
    assert incidents.latches() == {CALENDAR: second}
    assert incidents.holding([CALENDAR]) == (second.pk, "slow")  # the words people read


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"title": " "}, "required"),
        ({"cause": ""}, "required"),
        ({"severity": "9"}, "Select a valid choice"),
        ({"kind": "case"}, "Select a valid choice"),
        ({"take_away": "on"}, "Choose what is to be taken away"),
    ],
)
def test_opening_says_what_is_wrong(office: Client, wrong: dict[str, str], complaint: str) -> None:
    shown = office.post(f"{LIST}open/", OPENING | wrong).content.decode()
    assert complaint in shown
    assert ("an hour late" in shown) == ("cause" not in wrong)
    assert not Incident.objects.exists()


def test_the_kill_page_chooses_the_words_too(office: Client) -> None:
    url = f"/admin/rollback/flag/{Flag.objects.get(name=CALENDAR).pk}/kill/"
    shown = office.post(url, {"reason": "x", "kind": "slow"}).content.decode()
    assert "Tick this to open the incident" in shown
    office.post(url, {"reason": "x", "kind": "slow", "latch": "on"})
    assert Incident.objects.get().kind == "slow"


def test_who_may_do_what(client: Client, student: Student, case: Incident) -> None:
    """Looking is not working, and working on an incident is not taking features away."""
    from django.contrib.auth.models import Permission

    def person(name: str, *codenames: str) -> User:
        found = make_user(f"{name}@school.example", is_staff=True)
        found.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return found

    looker = person("looker", "view_incident")
    worker = person("worker", "view_incident", "change_incident", "add_incident")
    steps = ("acknowledge", "note", "decide", "take-away", "resolve", "review")
    client.force_login(looker)
    shown = text(client, page(case))
    assert not any(page(case, step) in shown for step in steps)
    assert "Who they are" not in shown
    assert client.get("/admin/rollback/affectedperson/").status_code == 403
    assert client.get(f"{LIST}open/").status_code == 403
    for step in steps:
        assert client.get(page(case, step)).status_code == 403
        assert client.post(page(case, step), {"text": "x", "reason": "x"}).status_code == 403
    assert client.get(page(case, "print")).status_code == 200
    client.force_login(worker)
    assert page(case, "take-away") not in text(client, page(case))
    assert client.get(page(case, "take-away")).status_code == 403
    asked = OPENING | {"flags": [CALENDAR], "take_away": "on"}
    client.post(f"{LIST}open/", asked)
    assert Incident.objects.count() == 2
    assert not incidents.latches()
    client.force_login(student.user)
    for step in (*steps, "change", "print", "export"):
        assert client.get(page(case, step)).status_code == 302
    assert case.events.count() == 1


def test_the_people_are_listed_by_reason_for_who_may_see_them(
    office: Client, incident: Incident, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        user = make_user(f"{number}@school.example", last_name=f"Vogel {number}")
        AffectedPerson.objects.create(
            incident=incident, user=user, reasons=["lesson"] if number else ["draft", "lesson"]
        )
    people = f"/admin/rollback/affectedperson/?incident__id__exact={incident.pk}"
    with django_assert_max_num_queries(14):
        shown = text(office, people)
    assert "Vogel 29" in shown
    assert len(set(re.findall(r"Vogel \d+", shown))) == 30
    only = text(office, f"{people}&reason=draft")
    assert set(re.findall(r"Vogel \d+", only)) == {"Vogel 0"}
    assert "in the middle of enrolling, with lessons to come" in only


# ---------------------------------------------------------------- paper and file


def test_the_printed_page_has_everything_and_no_menus(office: Client, incident: Incident) -> None:
    everything(incident)
    shown = text(office, page(incident, "print"))
    assert "0.00 % → killed" in shown
    assert "<script" not in shown
    assert "style=" not in shown


def test_a_verification_that_runs_has_not_failed(incident: Incident) -> None:
    Verification.objects.create(incident=incident, by_name="engine")
    told = markdown.of(story.tell(incident, now=datetime.now(UTC)))
    assert ": running" in told
    assert "not passed" not in told


def test_the_file_names_states_and_probes_by_their_titles(
    incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(incident)
    probe = PROBES[0]
    ProbeResult.objects.update(probe=probe.name)
    for module in (plan_rules, event_words):
        monkeypatch.setattr(module, "_", lambda words: f"°{words}°")
    told = markdown.of(story.tell(incident, now=datetime.now(UTC)))
    assert markdown.safe(str(probe.title)) in told
    assert f", °{Plan.objects.get().state}°, " in told
    assert event_words._others({"direction": "down", "recovery_seconds": 7, "odd": True}) == [
        f"°direction°: {Plan.Direction.DOWN.label}",
        "°seconds to recover°: 7",
        "odd: °yes°",
    ]


def test_the_exported_file_holds_figures_and_obeys_nobody(
    office: Client, incident: Incident
) -> None:
    everything(incident)
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="# not a heading")
    answer = office.get(page(incident, "export"))
    assert answer["Content-Type"].startswith("text/markdown")
    assert f'filename="incident-{incident.pk}.md"' in answer["Content-Disposition"]
    exported = answer.content.decode()
    assert run("incident", "export", str(incident.pk)).strip() == exported.strip()
    html = MarkdownIt("commonmark").enable("table").render(exported)
    assert "<script" not in html
    assert "<a " not in html
    headings = re.findall(r"<h\d>(.*?)</h\d>", html)
    assert headings == [
        f"Incident {incident.pk}: Wrong times", "Impact", "Timeline", "Plans", "Verification",
        "What the triggers said", "How it was resolved", "Root cause", "Lessons learned", "Actions",
    ]  # fmt: skip
    assert "To be filled in by a person: root cause, lessons learned." in exported
    assert "| people concerned | 1 |\n| of them in the middle of enrolling | 1 |" in exported
    assert "minutes switched off" in exported
    assert incident.events.latest("number").hash in exported
    assert html.count("<table>") == 5


@given(st.text())
def test_whatever_is_typed_is_plain_text_in_the_file(typed: str) -> None:
    line = markdown.safe(typed)
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = renderer.render(line)
    plain = re.sub(r"^<p>|</p>\n$", "", shown)
    assert "<" not in plain
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        plain = plain.replace(name, character)
    expected = " ".join(typed.split())
    assert plain == expected.replace("\0", "\ufffd")
    row = renderer.render(f"| a | b |\n| --- | --- |\n| {line} | x |\n")
    assert row.count("<td>") == 2


@pytest.mark.parametrize(
    "typed",
    ["# x", "1. x", "12) x", "- x", "+ x", "===", "---", "> x", "a  \nb", "http://evil.example", "&copy;",
     "www.evil.example", "~~x~~", "a@b.example", "    code", ":--", "\\", "![x](y)", "$x$", "***", "__"],
)  # fmt: skip
def test_what_markdown_would_obey(typed: str) -> None:
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(markdown.safe(typed))
    assert re.fullmatch(r"<p>[^<]*</p>\n", shown), shown
    # No program makes an address of it by itself either.
    assert not re.search(r"https?://|www\.|\w@", markdown.safe(typed))


# ---------------------------------------------------------------- at the terminal


def run(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_the_terminal_can_do_all_of_it(flag_rows: None, tmp_path: Path) -> None:
    said = run("incident", "open", "Wrong times", "--reason", "late", "--flag", CALENDAR)
    number = str(Incident.objects.get().pk)
    assert "nothing was taken away" in said
    run("incident", "acknowledge", number)
    assert "line 3" in run("incident", "note", number, "--text", "seen again")
    assert "Take the pages away" in run("incident", "decide", number, "some-none", "--reason", "x")
    shown = run("incident", "show", number)
    assert "4. " in shown
    assert "decided by command line" in shown
    run("incident", "resolve", number, "--reason", "mended")
    run("incident", "review", number, "--root-cause", "a", "--lessons", "b", "--action", "c")
    assert "6 lines" in run("incident", "check", number)
    file = tmp_path / "incident.md"
    assert str(file) in run("incident", "export", number, "--to", str(file))
    assert "## Root cause\n\n> a" in file.read_text("utf-8")
    said = run(
        "incident",
        "open",
        "Slow",
        "--reason",
        "x",
        "--flag",
        CALENDAR,
        "--take-away",
        "--kind",
        "slow",
    )
    assert f"{CALENDAR}: kill done." in said
    assert incidents.latches()[CALENDAR].kind == "slow"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("open", " ", "--reason", "x"), "needs a title"),
        (("open", "x", "--reason", "x", "--take-away"), "Name what is to be taken away"),
        (("open", "x", "--reason", "x", "--flag", "ENABLE_X"), "There is no flag ENABLE_X"),
        (("open", "x", "--reason", "x", "--kind", "case"), "invalid choice"),
        (("check", "999"), "no incident 999"),
        (("note", "999", "--text", "x"), "no incident 999"),
        (("export", "999"), "no incident 999"),
        (("decide", "999", "few", "--reason", "x"), "invalid choice"),
    ],
)
def test_the_terminal_says_what_is_wrong(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("incident", *words)
    assert not Incident.objects.exists()


def test_a_file_that_cannot_be_written_is_told(incident: Incident, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run("incident", "export", str(incident.pk), "--to", str(tmp_path / "no" / "x.md"))
