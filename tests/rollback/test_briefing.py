"""The management's page: figures against rows counted by hand, each change told once, in each language."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from time import sleep
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import gettext

from config.roles import give_permissions
from enrollment.models import Course, Enrollment, Student, Teacher, User
from enrollment.operations.office import plan_by_hand
from rollback import affected, briefing, incidents, outbox, runner, triggers
from rollback.briefing import facts as briefing_facts
from rollback.domain.decisions import Harm, recommend
from rollback.domain.incidents import IncidentState
from rollback.models import (
    Complaint,
    EnrollmentDraft,
    Heartbeat,
    Incident,
    IncidentAction,
    IncidentEvent,
    Notification,
    Sending,
    Stakeholder,
    Verification,
)
from rollback.outbox.message import build
from rollback.runner import Actor, ChangeRefused
from tests.conftest import make_student
from tests.enrollment.crowd import at_once

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
PERSON = Actor(name="a person")
AGO = "UPDATE rollback_incidentevent SET at = at - %s::interval WHERE incident_id = %s"
LIST = "/admin/rollback/incident/"


@pytest.fixture
def board(flag_rows: None) -> list[Stakeholder]:
    rows = [("Marta Rossi", "board@school.example", "en"), ("Jan", "jan@school.example", "de")]
    return [
        Stakeholder.objects.create(name=name, email=email, language=language, added_by_name="Ada")
        for name, email, language in rows
    ]


@pytest.fixture
def incident(flag_rows: None) -> Incident:
    watched(timezone.now())
    return taken_away()


def watched(beat_at: datetime) -> None:
    facts = {"by": "x", "beat_at": beat_at}
    Heartbeat.objects.update_or_create(name=triggers.HEARTBEAT, defaults=facts)


def taken_away() -> Incident:
    return runner.roll_back(
        flags=[CALENDAR], incident="Wrong times", actor=PERSON, reason="an hour late"
    ).incident


def older(incident: Incident, by: str) -> None:
    """As if all that has happened had happened so long ago. The timeline's guard is off meanwhile."""
    unguarded(AGO, by, incident.pk)


def unguarded(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def told(incident: Incident) -> list[Sending]:
    return list(incident.sendings.order_by("pk"))


def values_of(sending: Sending, language: str = "en") -> dict[str, str]:
    found: dict[str, str] = sending.notifications.get(language=language).values
    return found


# ---------------------------------------------------------------- when


@pytest.mark.django_db
def test_a_burst_of_changes_is_one_mail_with_the_latest_state(
    incident: Incident, board: list[Stakeholder]
) -> None:
    assert briefing.look(by="x") == 0  # it may go on within the minute
    incidents.acknowledge(incident=incident.pk, actor=PERSON)
    Incident.objects.filter(pk=incident.pk).update(contained_at=timezone.now())
    older(incident, "61 seconds")
    assert [briefing.look(by="x") for _again in range(3)] == [1, 0, 0]
    [sending] = told(incident)
    assert sending.letter == "briefing"
    assert sending.state == Sending.State.GOING
    assert values_of(sending)["state"] == "Off everywhere"
    assert set(sending.notifications.values_list("email", "language", "urgency")) == {
        ("board@school.example", "en", Notification.Urgency.STAFF),
        ("jan@school.example", "de", Notification.Urgency.STAFF),
    }


@pytest.mark.django_db
def test_each_change_after_that_is_told_and_nothing_twice(
    incident: Incident, board: list[Stakeholder]
) -> None:
    older(incident, "61 seconds")
    briefing.look(by="x")
    states = ["Open"]
    incidents.acknowledge(incident=incident.pk, actor=PERSON)
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: incidents.decide(
            incident=incident.pk, actor=PERSON, field="some-lost", reason="rows are gone"
        ),
        lambda: incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended"),
    ]
    for step in steps:
        step()
        older(incident, "61 seconds")
        assert briefing.look(by="x") == 1
        assert briefing.look(by="x") == 0
        states.append(values_of(told(incident)[-1])["state"])
    assert states == ["Open", "Acknowledged", "Acknowledged", "Resolved, not reviewed"]
    assert values_of(told(incident)[2])["severity"].startswith("1")


@pytest.mark.django_db
def test_a_decision_that_leaves_the_severity_is_no_news(
    incident: Incident, board: list[Stakeholder]
) -> None:
    older(incident, "61 seconds")
    incidents.acknowledge(incident=incident.pk, actor=PERSON)
    older(incident, "61 seconds")
    assert briefing.look(by="x") == 1
    incidents.decide(incident=incident.pk, actor=PERSON, field="few-lost", reason="as it is")
    assert Incident.objects.get(pk=incident.pk).severity == 2
    older(incident, "61 seconds")
    assert briefing.look(by="x") == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("severity", "pages"), [(1, 1), (2, 1), (3, 0), (4, 0)])
def test_a_case_concerns_the_management_from_severity_two(
    severity: int, pages: int, board: list[Stakeholder]
) -> None:
    case = incidents.open_case(
        title="Complaints", severity=severity, flags=[CALENDAR], actor=PERSON, cause="6 an hour"
    )
    assert case is not None
    older(case, "61 seconds")
    assert briefing.look(by="x") == pages
    # Who was told of the beginning hears of the end, whatever it has become.
    Incident.objects.filter(pk=case.pk).update(severity=4)
    incidents.resolve(incident=case.pk, actor=PERSON, reason="answered")
    older(case, "61 seconds")
    assert briefing.look(by="x") == pages


@pytest.mark.django_db
def test_while_nothing_changes_one_more_after_four_hours(
    incident: Incident, board: list[Stakeholder]
) -> None:
    older(incident, "61 seconds")
    briefing.look(by="x")
    older(incident, "3 hours 58 minutes")
    assert briefing.look(by="x") == 0
    older(incident, "2 minutes")
    assert [briefing.look(by="x") for _again in range(2)] == [1, 0]
    older(incident, "5 hours")
    assert briefing.look(by="x") == 0
    assert len(told(incident)) == 2


@pytest.mark.django_db
def test_what_was_over_long_ago_is_not_told_and_without_a_list_nothing_is_written(
    incident: Incident,
) -> None:
    older(incident, "61 seconds")
    assert briefing.look(by="x") == 0
    assert not told(incident)
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    older(incident, "2 days")
    unguarded("UPDATE rollback_incident SET resolved_at = resolved_at - interval '2 days'")
    Stakeholder.objects.create(name="Marta", email="board@school.example", language="en")
    assert briefing.look(by="x") == 0


@pytest.mark.django_db(transaction=True)
def test_twenty_that_look_at_once_write_it_once(
    real_switchboard: Any, flag_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback.briefing.mailing.SETTLED", "0 seconds")
    Stakeholder.objects.create(name="Marta", email="board@school.example", language="en")
    incident = taken_away()
    done: list[int] = []
    start = threading.Barrier(20)

    def look() -> None:
        try:
            start.wait()
            done.append(briefing.look(by="x"))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0] * 19 + [1]
    assert Notification.objects.count() == 1
    assert outbox.send_due() == {"sent": 1}
    [sent] = mail.outbox
    assert sent.to == ["board@school.example"]
    assert sent.subject == f"Incident {incident.pk}, Open: Wrong times"
    assert incidents.check_chain(Incident.objects.get(pk=incident.pk)) is None


@pytest.mark.django_db(transaction=True)
def test_a_look_and_two_who_press_at_once_mail_it_once(
    real_switchboard: Any, flag_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollback.briefing.mailing.SETTLED", "1 second")
    Stakeholder.objects.create(name="Marta", email="board@school.example", language="en")
    incident = taken_away()
    sleep(1.1)
    monkeypatch.setattr("rollback.briefing.mailing.STANDBY", "1 day")

    def press() -> Sending:
        return briefing.mail_now(incident=incident.pk, actor=PERSON)

    answers = at_once(press, press, lambda: briefing.look(by="x"), press)
    assert Notification.objects.count() == 1
    assert all(isinstance(one, int | Sending | ChangeRefused) for one in answers)
    assert len(told(incident)) == 1


# ---------------------------------------------------------------- what


@pytest.fixture
def week(course: Course, teacher: Teacher, flag_rows: None) -> datetime:
    """An incident's beginning: six enrollments in its two hours, usually ten."""
    since = datetime(2026, 11, 26, 10, tzinfo=UTC)
    for weeks, enrolled in enumerate((6, 8, 12, 10, 10)):
        for number in range(enrolled):
            at = since - timedelta(weeks=weeks) + timedelta(minutes=10 * number)
            enrolled_at(course, at, "original" if weeks == 0 and number < 4 else "scheduling")
    # Just before and just after these hours.
    enrolled_at(course, since - timedelta(weeks=1, seconds=1))
    enrolled_at(course, since - timedelta(weeks=2) + timedelta(hours=2))
    # Older than the four weeks: so they are known.
    enrolled_at(course, since - timedelta(weeks=5))
    return since


def enrolled_at(course: Course, at: datetime, flow: str = "scheduling") -> None:
    student = make_student(f"s{Student.objects.count()}@school.example")
    Enrollment.objects.create(student=student, course=course, flow=flow, created_at=at)


def opened_at(incident: Incident, at: datetime) -> Incident:
    unguarded("UPDATE rollback_incident SET opened_at = %s WHERE id = %s", at, incident.pk)
    return Incident.objects.get(pk=incident.pk)


@pytest.mark.django_db
def test_enrollments_missing_are_the_usual_ones_at_these_hours_less_those_that_came(
    week: datetime, incident: Incident
) -> None:
    began = opened_at(incident, week)
    found = briefing.gather(began, now=week + timedelta(hours=2))
    assert (found.pace.finished, found.pace.usual, found.pace.weeks) == (6, 10.0, 4)
    assert found.pace.missing == 4
    lines = dict(briefing.page(found).figures)
    assert lines["Enrollments finished, all ways"] == "6 (3 an hour)"
    assert lines["The same hours of the 4 weeks before, on average"] == "10 (5 an hour)"
    assert lines["Enrollments missing"].startswith("about 4 (courses have no prices here")
    assert lines["Enrollments finished through the original form since"] == "4"


@pytest.mark.django_db
def test_a_new_school_is_compared_with_the_weeks_it_has_been_there(
    course: Course, incident: Incident
) -> None:
    since = datetime(2026, 11, 26, 10, tzinfo=UTC)
    began = opened_at(incident, since)
    found = briefing.gather(began, now=since + timedelta(hours=1))
    assert (found.pace.usual, found.pace.missing) == (None, None)
    assert "nothing to compare with yet" in dict(briefing.page(found).figures).values()
    enrolled_at(course, since - timedelta(days=8))
    for minutes in (5, 10, 15):
        enrolled_at(course, since - timedelta(days=7) + timedelta(minutes=minutes))
    found = briefing.gather(began, now=since + timedelta(hours=1))
    assert (found.pace.usual, found.pace.weeks, found.pace.missing) == (3.0, 1, 3)


@pytest.mark.django_db
def test_the_same_hours_are_those_of_the_schools_clock_when_it_was_changed_meanwhile(
    course: Course, incident: Incident
) -> None:
    since = datetime(
        2026, 10, 27, 9, tzinfo=UTC
    )  # 10:00 in Berlin; a week before that was 08:00 UTC
    enrolled_at(course, since - timedelta(weeks=6))
    enrolled_at(course, datetime(2026, 10, 20, 8, 30, tzinfo=UTC))
    found = briefing.gather(opened_at(incident, since), now=since + timedelta(hours=1))
    assert found.pace.usual == 0.25


@pytest.mark.django_db
def test_more_than_usual_is_none_missing_and_a_long_one_is_compared_by_its_first_week(
    week: datetime, course: Course, incident: Incident
) -> None:
    for number in range(20):
        enrolled_at(course, week + timedelta(minutes=number))
    assert (
        briefing.gather(opened_at(incident, week), now=week + timedelta(hours=2)).pace.missing == 0
    )
    more = briefing.gather(opened_at(incident, week), now=week + timedelta(hours=2))
    assert dict(briefing.page(more).figures)["Enrollments missing"] == "none"
    found = briefing.gather(opened_at(incident, week), now=week + timedelta(days=30))
    assert found.pace.hours == 7 * 24


@pytest.mark.django_db
def test_figures_against_rows_counted_by_hand(
    incident: Incident, student: Student, teacher: Teacher, course: Course
) -> None:
    now = timezone.now()
    course.teachers.add(teacher)
    enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
    for days, hour in ((2, 15), (3, 15), (9, 15)):
        plan_by_hand(
            enrollment=enrollment, teacher=teacher, on=(now + timedelta(days=days)).date(),
            at=time(hour), now=now,
        )  # fmt: skip
    EnrollmentDraft.objects.create(
        student=make_student("d@school.example"), course=course, started_at=now, saved_at=now
    )
    opened_at(incident, now + timedelta(seconds=1))
    opened = Incident.objects.get(pk=incident.pk)
    affected.freeze(opened)
    for reporter in ("u:1", "u:1", "u:2"):
        Complaint.objects.create(kind="broken", text="x", reporter=reporter, reported_at=now)
    sending = outbox.prepare(incident=opened, letter="enrollment", actor=PERSON)
    sent = sending.notifications.order_by("pk")[0]
    Notification.objects.filter(pk=sent.pk).update(state="sent")
    opened_at(incident, now)
    found = briefing.gather(Incident.objects.get(pk=incident.pk), now=now)
    people = affected.counts(opened)
    assert (found.lessons, found.mails_sent) == (2, 1)
    assert found.mails_waiting == people["all"] - 1
    page = briefing.page(found)
    assert page.who.startswith(
        f"{people['all']} people: 1 in the middle of enrolling, 1 with lessons"
    )
    lines = dict(page.figures)
    assert lines["Mails to these people"] == f"1 sent, {people['all'] - 1} prepared or waiting"
    assert lines["People who complained"] == "2"


@pytest.mark.django_db
def test_as_many_queries_however_much_has_happened(
    incident: Incident, board: list[Stakeholder], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(9) as first:
        briefing.page(briefing.gather(incident, now=timezone.now()))
    for number in range(30):
        incidents.note(incident=incident.pk, actor=PERSON, text=str(number))
        IncidentAction.objects.create(incident=incident, text=str(number))
        not_verified(incident)
    with django_assert_num_queries(len(first)):
        briefing.page(briefing.gather(incident, now=timezone.now()))


# ---------------------------------------------------------------- in which words

AT = datetime(2026, 11, 26, 10, tzinfo=UTC)
TAKEN = "Somebody of the office has to take it on; whoever is on call is asked to."
NOTHING = "Nothing that a person has to do now."
GOES_OFF = "By itself it is being switched off in every process"
ACKNOWLEDGED = {"acknowledged_at": AT}
CONTAINED = {**ACKNOWLEDGED, "contained_at": AT}
OFF, RESOLVED = "Off everywhere", "Resolved, not reviewed"
# What is known → the state, and how the next step begins.
SAID: list[tuple[dict[str, Any], str, str]] = [
    ({}, "Open", f"{TAKEN} {GOES_OFF}"),
    (ACKNOWLEDGED, "Acknowledged", f"{NOTHING} {GOES_OFF}"),
    (CONTAINED, OFF, f"{NOTHING} By itself the school is being verified"),
    ({"contained_at": AT}, OFF, f"{TAKEN} By itself the school is being verified"),
    ({**CONTAINED, "failed": True}, OFF, "The verification has failed"),
    (
        {**CONTAINED, "verified_at": AT},
        "Verified, not resolved",
        "The school works without it. A person has to find the cause",
    ),
    ({**ACKNOWLEDGED, "silent": True}, "Acknowledged", "Nobody is watching"),
    ({"case": True}, "Open", f"{TAKEN} Nothing is taken away before a person decides."),
    (
        {"case": True, **ACKNOWLEDGED},
        "Acknowledged",
        "A person has to decide what is taken away; nothing is until then. Recommended: Take pages",
    ),
    ({"resolved": True}, RESOLVED, "What was taken away comes back in steps"),
    ({"case": True, "resolved": True}, RESOLVED, "A person writes the review"),
    ({"resolved": True, "reviewed": True}, "Reviewed", "2 things are to be done, the next by"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("what", "state", "step"), SAID)
def test_each_state_says_what_comes_next(
    what: dict[str, Any], state: str, step: str, flag_rows: None
) -> None:
    facts = dict(what)
    beat = timezone.now() - timedelta(minutes=10 if facts.pop("silent", False) else 0)
    Heartbeat.objects.update_or_create(
        name=triggers.HEARTBEAT, defaults={"by": "x", "beat_at": beat}
    )
    incident = case() if facts.pop("case", False) else taken_away()
    if facts.pop("failed", False):
        not_verified(incident)
    if facts.pop("resolved", False):
        incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    if facts.pop("reviewed", False):
        due = timezone.now().date() + timedelta(days=3)
        actions = [("Load test", None, due), ("Index", None, None)]
        incidents.review(
            incident=incident.pk, actor=PERSON, root_cause="x", lessons="x", actions=actions
        )
    Incident.objects.filter(pk=incident.pk).update(**facts)
    found = Incident.objects.get(pk=incident.pk)
    page = briefing.page(briefing.gather(found, now=timezone.now()))
    assert page.state == state
    assert page.next_step.startswith(step)


def not_verified(incident: Incident) -> None:
    Verification.objects.create(
        incident=incident, by_name="x", ended_at=timezone.now(), passed=False
    )


def case() -> Incident:
    found = incidents.open_case(
        title="Complaints", severity=2, flags=[CALENDAR], actor=PERSON, cause="6 an hour",
        recommendation=recommend(0.1, Harm.BOOKINGS),
    )  # fmt: skip
    assert found is not None
    return found


def test_each_state_has_a_name() -> None:
    assert set(briefing.STATES) == set(IncidentState)


@pytest.mark.django_db
@pytest.mark.parametrize("letter", ["briefing", "next_steps"])
def test_the_letter_renders_from_these_values_in_each_language(
    letter: str, incident: Incident, board: list[Stakeholder], settings: Any
) -> None:
    for language, _name in settings.LANGUAGES:
        Stakeholder.objects.get_or_create(
            email=f"{language}@school.example", defaults={"name": language, "language": language}
        )
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    older(incident, "61 seconds")
    if letter == "next_steps":
        incidents.review(
            incident=incident.pk, actor=PERSON, root_cause="An index was missing.",
            lessons="Test with holidays.", actions=[("Load test", None, None)],
        )  # fmt: skip
        older(incident, "61 seconds")
    briefing.look(by="x")
    [sending] = told(incident)
    assert sending.letter == letter
    for row in sending.notifications.select_related("sending"):
        body = build(row).mail.body
        assert str(incident.pk) in build(row).mail.subject
        assert ("An index was missing." in body) == (letter == "next_steps")
        assert "{{" not in body


@pytest.mark.django_db
def test_whoever_is_on_the_list_reads_who_put_them_there(
    incident: Incident, board: list[Stakeholder]
) -> None:
    older(incident, "61 seconds")
    briefing.look(by="x")
    said = values_of(told(incident)[0])["on_the_list"]
    assert said.startswith("Ada put you on the management's list on ")
    assert said.endswith("Answer this mail to be taken off it.")


@pytest.mark.django_db
def test_one_that_breaks_keeps_nobody_from_hearing_of_the_others(
    board: list[Stakeholder], flag_rows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = taken_away(), taken_away()
    for one in (first, second):
        older(one, "61 seconds")
    right = briefing_facts.gather

    def broken(incident: Incident, *, now: datetime) -> Any:
        if incident.pk == first.pk:
            raise RuntimeError("broken")
        return right(incident, now=now)

    monkeypatch.setattr("rollback.briefing.mailing.gather", broken)
    assert briefing.look(by="x") == 1
    assert (len(told(first)), len(told(second))) == (0, 1)


# ---------------------------------------------------------------- in the office


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


@pytest.mark.django_db
def test_the_page_in_each_language_and_on_paper(
    office: Client, incident: Incident, board: list[Stakeholder]
) -> None:
    page = office.get(f"{LIST}{incident.pk}/briefing/?language=de").content.decode()
    assert '<html lang="de">' in page
    with translation.override("de"):
        assert str(briefing.STATES[IncidentState.OPEN]) in page
    page = office.get(f"{LIST}{incident.pk}/briefing/?language=xx").content.decode()
    assert '<html lang="en">' in page
    assert "Wrong times" in page
    assert "<script" not in page
    assert "style=" not in page
    assert f"{LIST}{incident.pk}/briefing-mail/" in page


@pytest.mark.django_db
def test_mailed_now_it_is_told_and_the_look_has_nothing_left(
    office: Client, incident: Incident, board: list[Stakeholder]
) -> None:
    url = f"{LIST}{incident.pk}/briefing-mail/"
    assert "Marta Rossi (en)" in office.get(url).content.decode()
    assert not told(incident)
    assert office.post(url).status_code == 302
    [sending] = told(incident)
    assert sending.notifications.count() == 2
    again = office.post(url)  # pressed twice
    assert "was mailed within the last minute" in again.content.decode()
    assert len(told(incident)) == 1
    older(incident, "61 seconds")
    assert briefing.look(by="x") == 0
    incidents.acknowledge(incident=incident.pk, actor=PERSON)
    assert office.post(url).status_code == 302
    incidents.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    assert office.post(url).status_code == 302  # something has changed
    assert len(told(incident)) == 3
    Stakeholder.objects.update(is_active=False)
    refused = office.post(url)
    assert refused.status_code == 200
    assert "nobody on the management&#x27;s list" in refused.content.decode()
    with pytest.raises(ChangeRefused):
        briefing.mail_now(incident=incident.pk, actor=PERSON)


@pytest.mark.django_db
def test_the_list_is_kept_by_the_office(office: Client, board: list[Stakeholder]) -> None:
    add = "/admin/rollback/stakeholder/add/"
    row = {"name": "Eva", "email": "BOARD@school.example", "language": "es", "is_active": "on"}
    page = office.post(add, row)
    assert page.status_code == 200
    errors = page.context["adminform"].form.errors
    assert list(errors) == ["email"]
    assert "Marta Rossi" in errors["email"][0]
    assert (
        office.post(add, row | {"email": "eva@school.example", "language": "xx"}).status_code == 200
    )
    assert office.post(add, row | {"email": "eva@school.example"}).status_code == 302
    eva = Stakeholder.objects.get(name="Eva")
    assert eva.added_by_name == "staff@school.example"
    assert eva.language == "es"
    change = f"/admin/rollback/stakeholder/{eva.pk}/change/"
    assert (
        office.post(change, row | {"email": "EVA@school.example", "is_active": ""}).status_code
        == 302
    )
    eva.refresh_from_db()
    assert (eva.email, eva.is_active) == ("EVA@school.example", False)
    assert eva not in briefing.listed()


@pytest.mark.django_db
def test_a_test_says_that_it_is_one_in_their_language(
    office: Client, board: list[Stakeholder]
) -> None:
    url = f"/admin/rollback/stakeholder/{board[1].pk}/test/"
    assert office.get(url).status_code == 200
    assert not Notification.objects.exists()
    assert office.post(url).status_code == 302
    row = Notification.objects.get()
    assert (row.email, row.language) == ("jan@school.example", "de")
    built = build(row).mail
    with translation.override("de"):
        assert gettext("This is a test: nothing has happened") in built.subject
    assert Notification.objects.get().sending.incident is None
    assert not IncidentEvent.objects.exists()
