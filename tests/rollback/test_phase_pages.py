"""The page of the phases: what holds, the one thing to do, who may ask and who may approve, and the proof."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import User
from rollback import doctor, incidents, processes
from rollback.audit import actor_of
from rollback.console import phase_shown
from rollback.doctor import Diagnosis, State
from rollback.models import Flag, Incident, PhaseRun, Rehearsal
from rollback.phases import PhaseRefused, reopen
from rollback.schema.graph import migration_graph_hash
from tests.conftest import make_user
from tests.rollback import console_rows as rows
from tests.rollback import phase_rows as phases

pytestmark = pytest.mark.usefixtures("well")

NOW = "/admin/rollback/phaserun/now/"
RUNS = "/admin/rollback/phaserun"
PART = {"HX-Request": "true"}
LONG_AGO = timezone.now() - timedelta(hours=2)
ASK = {"target": "3", "mode": "kill", "reason": "Too slow.", "ask": "1"}


@pytest.fixture
def well(flag_rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No table moves here, so the doctor would wonder at the rows that say so."""
    give_permissions()
    rows.all_on()
    phase_shown._known.clear()
    fine = Diagnosis(state=State.IN_PLACE, words="", next="")
    monkeypatch.setattr(phase_shown, "kept_diagnosis", lambda seen: fine)


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    """Of the office: may see, ask for a phase down and cancel; neither approve nor bring back."""
    client.force_login(staff)
    return client


@pytest.fixture
def head(db: Any) -> User:
    return make_user("head@school.example", "admin", is_staff=True)


@pytest.fixture
def principal(head: User) -> Client:
    browser = Client()
    browser.force_login(head)
    return browser


def text_of(client: Client, path: str = NOW) -> str:
    page = client.get(path)
    assert page.status_code == 200
    return words_of(page.content.decode())


def words_of(html: str) -> str:
    html = re.sub(r"(?s)<(script|style).*?</\1>", " ", html)
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))
        .replace("&quot;", '"')
        .replace("&#x27;", "'")
    )


# ---------------------------------------------------------------- what it says


def test_no_phase_is_taken(office: Client) -> None:
    text = text_of(office)
    assert "No phase is taken: everything is on for everybody. So since " in text
    assert "Nothing needs to be done. Changes nothing for anybody." in text
    assert "No phase has ever been taken here." in text


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Flag.objects.update(percent=40), "No phase is taken whole"),
        (lambda: phases.killed(3), "Phase 3 holds: the pages are off for everybody. So since"),
        (lambda: phases.killed(3, 2), "Phase 2 holds: pages, API and tasks are off for everybody."),
        (
            phases.archived,
            "Phase 1 holds: the tables are in the archive. There are 1,234 rows in 2 tables",
        ),
        (
            lambda: phases.archived("holidays"),
            "only of Holidays the tables are in the archive. There are 34",
        ),
        (lambda: phases.archived(rows=None), "are still being counted"),
        (
            lambda: phases.archived(purged_at=timezone.now()),
            "Their rows were deleted from there on",
        ),
    ],
)
def test_which_phase_holds(office: Client, make: Callable[[], Any], sentence: str) -> None:
    make()
    assert sentence in text_of(office)


def test_how_long_it_has_held(office: Client) -> None:
    phases.archived(days=3)
    assert "for 3 days." in text_of(office)


def test_what_was_decided_for_an_incident_is_what_comes_next(office: Client, staff: User) -> None:
    incident = rows.open_incident(title="Booked twice.")
    assert "Nothing more is taken away unless it is decided for incident" in text_of(office)
    actor = rows.SOMEBODY
    incidents.decide(incident=incident.pk, actor=actor, field="many-bookings", reason="Many.")
    text = text_of(office)
    assert f"For incident {incident.pk} it was decided: Phase 3: take the pages away." in text
    assert "Concerns 1 user" in text
    assert "no rehearsal has passed yet" in text
    assert 'href="?target=3#phase-ask"' in office.get(NOW).content.decode()
    phases.killed(3)
    assert "it was decided: Phase 2: switch off API and tasks as well." in text_of(office)


def test_the_tables_come_back_when_nothing_is_open_any_more(principal: Client) -> None:
    phases.killed(3, 2)
    phases.archived()
    text = text_of(principal)
    assert "No incident is open any more. When the cause is mended: Bring the tables back." in text
    assert "1,234 rows in 2 tables are moved as they are; none is deleted." in text
    assert "what is off stays off until somebody raises it" in text


def test_who_may_not_bring_back_is_told_who_does(office: Client) -> None:
    phases.archived()
    assert "An administrator does that: ask one." in text_of(office)


def test_what_a_rehearsal_lets_one_expect(principal: Client) -> None:
    figures = {"0": {"seconds": 1.5}}
    rehearsal = Rehearsal.objects.create(
        passed=True, finished_at=timezone.now(), graph="x", backup="b", figures=figures
    )
    phases.archived()
    text = text_of(principal)
    assert f"Takes about 1.5 s, says rehearsal {rehearsal.pk} of" in text
    assert "It was a rehearsal of other migrations." in text
    Rehearsal.objects.update(graph=migration_graph_hash())
    phase_shown._known.clear()
    text = text_of(principal)
    assert "Takes about 1.5 s" in text
    assert "other migrations" not in text


def test_rows_that_went_with_whoever_was_deleted_are_not_called_equal() -> None:
    one = {"before": [2, "5"], "after": [2, "5"], "deleted": 1, "nulled": False}
    same = phase_shown.proof({"equal": True, "compared": {"a": one}})
    went = phase_shown.proof({"equal": True, "compared": {"a": one | {"after": [1, "2"]}}})
    assert same is not None
    assert went is not None
    assert same["verdict"] == "1 table: every row is as it was before."
    assert went["verdict"].startswith("As before, but for rows")


def test_whoever_uses_a_table_now_is_named(principal: Client) -> None:
    """In the preview of phase 1; by a session of their own."""
    with psycopg.connect(**_here(), application_name="A report") as other:
        other.execute("SELECT count(*) FROM scheduling_timeoff")
        page = principal.post(
            NOW, {"target": "whole", "mode": "kill", "reason": "x", "word": "archive"}
        )
        other.rollback()
    text = words_of(page.content.decode())
    assert "Now in use by process" in text
    assert "(A report)" in text
    assert "scheduling_timeoff" in text


def _here() -> dict[str, Any]:
    found = connection.get_connection_params()
    return {
        name: found[name]
        for name in ("dbname", "user", "password", "host", "port")
        if name in found
    }


def test_no_runner_is_said_and_one_that_lives_is_not(office: Client) -> None:
    assert "No runner lives" in text_of(office)
    with psycopg.connect(**_here(), application_name=processes.RUNNER):
        assert "No runner lives" not in text_of(office)
    assert "No runner lives" in text_of(office)


def test_the_runner_says_who_it_is(db: Any) -> None:
    processes.be_the_runner()
    try:
        assert processes.runner_lives() is True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET application_name")
    assert processes.runner_lives() is False


def test_behind_a_pooler_nobody_knows(office: Client, settings: Any) -> None:
    settings.DATABASE_POOLED = True
    processes.be_the_runner()
    assert processes.runner_lives() is None
    assert "No runner lives" not in text_of(office)


def test_a_locked_table_costs_its_part_and_no_more(office: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT here; DROP TABLE rollback_orphan, rollback_ledgerentry")
        text = text_of(office)
        cursor.execute("ROLLBACK TO here")
    assert "Which phase holds cannot be read now." in text
    assert "Look from a terminal: manage.py rollback doctor." in text


@pytest.mark.parametrize("statement", ["DROP TABLE scheduling_waitlistentry CASCADE", ""])
def test_what_the_doctor_finds_comes_first(
    office: Client, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """The real one."""
    monkeypatch.undo()
    if statement:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    text, found = text_of(office), doctor.examine()
    assert found.sound is not bool(statement)
    assert (f"In a terminal: {found.next}" in text) is bool(statement)
    assert ("Nothing needs to be done." in text) is not bool(statement)


def test_what_was_true_of_another_moment_is_not_kept() -> None:
    """A run has ended since: what the doctor said of it would be a lie."""
    answers = iter("abcd")

    def ask(*seen: Any) -> str | None:
        return phase_shown._kept("x", seen, lambda: next(answers))

    assert [ask(1, "running"), ask(1, "running"), ask(1, "done"), ask(1, "done")] == list("aabb")
    assert phase_shown._kept("x", (2,), lambda: None) is None
    assert ask(2) == "c"


# ---------------------------------------------------------------- by itself


def test_it_brings_itself_up_to_date(office: Client) -> None:
    first = office.get(NOW, headers=PART)
    etag = first.headers["ETag"]
    assert office.get(NOW, headers={**PART, "If-None-Match": etag}).status_code == 304
    run = phases.run(3, "running", progress=[phases.step("pages", "running")])
    second = office.get(NOW, headers={**PART, "If-None-Match": etag})
    assert second.status_code == 200
    assert second.headers["Room-Time"]
    assert "Pages off" in second.content.decode()
    assert "csrfmiddlewaretoken" not in second.content.decode()
    run.progress = [phases.step("pages", "done", seconds=0.25)]
    run.save()
    assert "done, 0.25 s" in words_of(office.get(NOW, headers=PART).content.decode())


def test_the_steps_and_the_proof_of_a_run(
    office: Client, django_assert_max_num_queries: Any
) -> None:
    run = phases.run(
        1,
        "done",
        operator=make_user("a@school.example"),
        approver=make_user("b@school.example"),
        approver_name="b@school.example",
        approved_at=timezone.now(),
        progress=[
            phases.step("tables", "done", at="2026-11-26T14:00:00+00:00", seconds=0.4),
            phases.step("proof", "failed", words="Not the same <b>as before</b>."),
        ],
        proof={
            "ledger": [1, 2],
            "blocked": 0.31,
            "before": {"scheduling_timeoff": [1200, "17"]},
            "compared": {
                "scheduling_timeoff": {"before": [1200, "17"], "after": [1200, "17"]},
                "holidays_holiday": {"before": [34, "5"], "after": [33, "6"], "orphans": 1},
            },
            "different": ["holidays_holiday"],
            "equal": False,
        },
    )
    with django_assert_max_num_queries(40):
        text = text_of(office)
    for page in (text, text_of(office, f"{RUNS}/{run.pk}/change/")):
        assert "Tables into the archive" in page
        assert "Not the same &lt;b&gt;as before" in page
        assert "longest time that others waited at once, in seconds" in page
        assert "0.31" in page
        assert "scheduling_timeoff 1,200 1,200 equal 17" in page
        assert "holidays_holiday 34 33 NOT equal (1 row set aside) 6" in page
        assert "Not as before: holidays_holiday." in page
    assert "Approved by b@school.example" in text


def test_it_stands_in_its_incident_too(office: Client) -> None:
    incident = rows.open_incident()
    phases.run(3, "done", incident=incident, progress=[phases.step("pages", "done")])
    text = text_of(office, f"/admin/rollback/incident/{incident.pk}/change/")
    assert "Phase 3: take the pages away, done" in text
    page = office.get(f"/admin/rollback/incident/{incident.pk}/change/").content.decode()
    assert f"{NOW}?incident={incident.pk}" in page
    chosen = office.get(f"{NOW}?incident={incident.pk}").content.decode()
    assert re.search(rf'<option value="{incident.pk}"[^>]*selected', chosen)


def test_the_console_leads_there(office: Client) -> None:
    rows.triggers()
    rows.beat()
    page = office.get("/admin/rollback/flag/room/").content.decode()
    assert NOW in page
    assert "No phase is taken: everything is on for everybody." in page
    phases.run(2, "running")
    assert "Under way: phase 2: API and tasks off, under way." in words_of(
        office.get("/admin/rollback/flag/room/").content.decode()
    )


# ---------------------------------------------------------------- asking


def test_first_it_is_shown_what_it_means(office: Client) -> None:
    without = {name: value for name, value in ASK.items() if name != "ask"}
    page = office.post(NOW, without)
    assert page.status_code == 200
    text = words_of(page.content.decode())
    assert "What it means, read just now Concerns 1 user" in text
    assert "Do it" in text


def test_a_phase_is_asked_for_and_no_request_carries_it_out(office: Client) -> None:
    answer = office.post(NOW, ASK, follow=True)
    run = PhaseRun.objects.get()
    assert (run.target, run.mode, run.reason, run.status) == (3, "kill", "Too slow.", "ready")
    assert run.operator_name == "staff@school.example"
    assert not Flag.objects.filter(everyone=False).exists()
    text = words_of(answer.content.decode())
    assert "It is asked for; the runner takes it up at once." in text
    assert "No runner lives, so nothing is carried out" in text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"reason": ""}, "This field is required."),
        ({"reason": "x" * 501}, "At most 500 characters."),
        ({"target": ""}, "This field is required."),
        ({"target": "4"}, "Select a valid choice."),
        ({"mode": "slowly"}, "Select a valid choice."),
        ({"incident": "999999"}, "Select a valid choice."),
        ({"target": "1"}, "Type the word “archive” here; nothing was asked for yet."),
        ({"target": "whole", "word": "everything"}, "Type the word “archive” here"),
        ({"target": "0"}, "Bringing back is for administrators: ask one."),
    ],
)
def test_bad_input_keeps_what_was_typed(office: Client, change: dict[str, str], error: str) -> None:
    sent = {**ASK, "reason": "Booked twice.", **change}
    page = office.post(NOW, sent)
    assert page.status_code == 422
    html = page.content.decode()
    assert error in html
    assert sent["reason"][:100] in html
    assert not PhaseRun.objects.exists()


def test_what_cannot_be_is_refused_in_words(principal: Client) -> None:
    page = principal.post(NOW, {**ASK, "target": "0"})
    assert page.status_code == 422
    assert "Nothing is in the archive" in page.content.decode()
    phases.run(3, "ready")
    page = principal.post(NOW, ASK)
    assert page.status_code == 422
    assert "is at it already" in page.content.decode()
    assert PhaseRun.objects.count() == 1


def test_the_sequence_begins_without_the_second_person(office: Client, head: User) -> None:
    office.post(NOW, {**ASK, "target": "whole", "word": " “Archive” "})
    run = PhaseRun.objects.get()
    assert (run.target, run.status) == (1, "ready")
    assert run.before["whole"] is True
    text = text_of(office)
    assert "The whole sequence: phases 3, 2 and 1" in text
    assert (
        "You asked for it yourself: a second person looks at it. These may: head@school.example."
        in text
    )


def test_what_was_changed_in_the_archive_comes_back_only_when_it_is_said(
    principal: Client,
) -> None:
    phases.archived()
    principal.post(NOW, {**ASK, "target": "0", "accept_changes": "on"})
    run = PhaseRun.objects.get()
    assert (run.target, run.before["accept_changes"]) == (0, True)


def test_a_phase_belongs_to_the_incident_that_was_chosen(office: Client) -> None:
    incident = rows.open_incident()
    other = rows.open_incident(title="Another one.")
    office.post(NOW, {**ASK, "incident": str(other.pk)})
    assert PhaseRun.objects.get().incident == other
    assert Incident.objects.count() == 2
    assert not incident.phase_runs.exists()


def test_who_may_only_see_cannot_ask(client: Client) -> None:
    looker = make_user("looker@school.example", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_phaserun"))
    client.force_login(looker)
    run = phases.run(1, "asked")
    page = client.get(NOW)
    assert page.status_code == 200
    assert b'id="phase-ask"' not in page.content
    assert b"You have no permission to approve it." in page.content
    assert client.post(NOW, ASK).status_code == 403
    assert client.post(f"{RUNS}/{run.pk}/cancel/", {"reason": "x"}).status_code == 403
    assert client.post(f"{RUNS}/{run.pk}/approve/", {"word": "archive"}).status_code == 403


# ---------------------------------------------------------------- approving


def test_a_second_person_approves(principal: Client, head: User, staff: User) -> None:
    run = phases.run(1, "asked", operator=staff, operator_name=staff.email, reason="Lost rows.")
    assert "Look at it and approve …" in text_of(principal)
    path = f"{RUNS}/{run.pk}/approve/"
    text = text_of(principal, path)
    assert "“Lost rows.”" in text
    assert "moved as they are; none is deleted" in text
    wrong = principal.post(path, {"word": "yes"})
    assert wrong.status_code == 422
    assert b'value="yes"' in wrong.content
    run.refresh_from_db()
    assert run.approver is None
    assert principal.post(path, {"word": "archive"}).headers["Location"] == NOW
    run = PhaseRun.objects.get()
    assert (run.status, run.approver, run.approver_name) == ("ready", head, "head@school.example")


def test_nobody_approves_what_they_asked_for(principal: Client, head: User) -> None:
    run = phases.run(1, "asked", operator=head, operator_name=head.email)
    text = text_of(principal, f"{RUNS}/{run.pk}/approve/")
    assert "You asked for it yourself: a second person looks at it." in text
    assert "Nobody else may yet: somebody has to be put into the group “admin”." in text
    assert "Type “archive”" not in text
    answer = principal.post(f"{RUNS}/{run.pk}/approve/", {"word": "archive"}, follow=True)
    assert "You asked for it yourself" in words_of(answer.content.decode())
    run.refresh_from_db()
    assert run.approver is None
    assert run.status == "asked"


def test_after_an_hour_the_same_person_approves_it_again(principal: Client, head: User) -> None:
    run = phases.run(1, "asked", approver=head, approver_name=head.email, approved_at=LONG_AGO)
    other = Client()
    other.force_login(make_user("deputy@school.example", "admin", is_staff=True))
    path = f"{RUNS}/{run.pk}/approve/"
    again = "head@school.example approved it more than an hour ago: approve it again, or cancel it"
    assert again in text_of(other)
    answer = other.post(path, {"word": "archive"}, follow=True)
    assert again in words_of(answer.content.decode())
    assert PhaseRun.objects.get().status == "asked"
    assert "Look at it and approve …" in text_of(principal)
    assert principal.post(path, {"word": "archive"}).headers["Location"] == NOW
    run.refresh_from_db()
    assert run.status == "ready"
    assert run.approved_at is not None
    assert run.approved_at > LONG_AGO


def test_what_needs_no_approval_gets_none(principal: Client) -> None:
    run = phases.run(3, "ready")
    assert "There is nothing to be approved: it is ready." in text_of(
        principal, f"{RUNS}/{run.pk}/approve/"
    )


def test_the_office_without_the_right_is_told_who_has_it(office: Client, head: User) -> None:
    run = phases.run(1, "asked")
    text = text_of(office, f"{RUNS}/{run.pk}/approve/")
    assert "You have no permission to approve it. These may: head@school.example." in text
    assert office.post(f"{RUNS}/{run.pk}/approve/", {"word": "archive"}).status_code == 403
    assert office.get(f"{RUNS}/999999/approve/").status_code == 404


# ---------------------------------------------------------------- cancelling, trying again


def test_a_run_is_cancelled_with_a_reason(office: Client) -> None:
    run = phases.run(1, "asked")
    path = f"{RUNS}/{run.pk}/cancel/"
    assert office.post(path, {}).status_code == 422
    assert office.post(path, {"reason": "Mended."}).headers["Location"] == NOW
    run.refresh_from_db()
    assert run.status == "cancelled"
    again = office.post(path, {"reason": "Once more."})
    assert again.status_code == 422
    assert "Once more." in again.content.decode()


def test_what_failed_is_tried_again(office: Client) -> None:
    run = phases.run(
        3, "failed", error="The tables are in use.", progress=[phases.step("pages", "failed")]
    )
    text = text_of(office)
    assert "The last run failed: The tables are in use." in text
    path = f"{RUNS}/{run.pk}/retry/"
    assert "Try again" in text_of(office, path)
    assert office.post(path).headers["Location"] == NOW
    run.refresh_from_db()
    assert run.status == "ready"
    assert office.post(path).status_code == 403  # it has not failed


def test_an_older_run_that_failed_opens_no_other_one(office: Client, principal: Client) -> None:
    """The office may try this one again, and not the one that brings the tables back."""
    failed = [phases.step("pages", "failed")]
    old = phases.run(3, "failed", progress=failed)
    newest = phases.run(0, "failed", progress=[phases.step("home", "failed")])
    for browser in (office, principal):
        answer = browser.post(f"{RUNS}/{old.pk}/retry/")
        assert answer.status_code == 422
        assert f"Phase run {old.pk} is not the last one" in words_of(answer.content.decode())
    assert set(PhaseRun.objects.values_list("status", flat=True)) == {"failed"}
    assert office.post(f"{RUNS}/{newest.pk}/retry/").status_code == 403
    assert principal.post(f"{RUNS}/{newest.pk}/retry/").headers["Location"] == NOW
    newest.refresh_from_db()
    assert newest.status == "ready"


def test_whoever_may_not_bring_back_does_not_reopen_it_either(staff: User, head: User) -> None:
    """Also where no page has asked for the right."""
    run = phases.run(0, "failed", progress=[phases.step("home", "failed")])
    with pytest.raises(PhaseRefused, match="may raise flags"):
        reopen(run=run, actor=actor_of(staff))
    assert reopen(run=run, actor=actor_of(head)).status == "ready"


def test_the_list_says_who_and_why(office: Client) -> None:
    phases.run(1, "asked", operator_name="<i>somebody</i>")
    page = office.get(f"{RUNS}/").content.decode()
    assert "&lt;i&gt;somebody" in page
    assert "Phase 1: put the tables into the archive as well" in page
