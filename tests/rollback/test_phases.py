"""Down through the phases and back: who may, in which order, with what proof, and one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from enrollment.models import Course, Teacher, User
from holidays.models import Holiday, HolidaySource
from rollback import (
    acknowledging,
    audit,
    backups,
    incidents,
    phases,
    plans,
    runner,
    switchboard,
    verification,
)
from rollback.audit import Actor, ChangeRefused, actor_of
from rollback.domain.phases import Step, ended_at, is_explained
from rollback.management.plan_runner import Runner
from rollback.models import (
    EnrollmentDraft,
    Flag,
    FlagChange,
    Incident,
    IncidentEvent,
    LedgerEntry,
    Orphan,
    PhaseRun,
    Plan,
    Rehearsal,
)
from rollback.phases import (
    PhaseRefused,
    PhaseRuns,
    carrying,
    holding,
    looking,
    parents,
    proving,
    steps,
)
from rollback.schema import locking, reverse
from rollback.schema.graph import migration_graph_hash
from scheduling.models import AvailabilityRule
from tests.conftest import make_student, make_teacher, make_user
from tests.enrollment.crowd import at_once
from tests.rollback import backed
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import eventually, other_session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

APPS = ("scheduling", "holidays")
MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
AVAILABILITY = "ENABLE_AVAILABILITY_API"
WATCH = Actor(name="trigger errors", automatic=True)
Target = PhaseRun.Target


@pytest.fixture(autouse=True)
def home_again(transactional_db: Any) -> Iterator[None]:
    yield
    if LedgerEntry.objects.filter(back_at=None).exists():
        reverse.bring_back(apps=APPS, accept_changes=True)


@pytest.fixture(autouse=True)
def school(home_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """All features on, a row in some of their tables. Verifications only look at the database."""
    seed_flags()
    with audit.told(actor=Actor(name="a test"), reason="a test begins"):
        Flag.objects.update(everyone=None, percent=100)
    monkeypatch.setattr(verification, "PROBES", verification.PROBES[:2])
    monkeypatch.setattr(locking, "PAUSE", (0.05, 0.1))
    teacher = make_teacher()
    course = Course.objects.create(title="Violin", slug="violin")
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(9), ends=time(12))
    HolidaySource.objects.create(
        title="Bavaria",
        kind="library",
        country="DE",
        difference={"a": 1},
        compared_at=timezone.now(),
    )
    closed = Holiday.objects.create(
        name="Founders' day", first_on=date(2030, 5, 1), last_on=date(2030, 5, 2), scope="teachers"
    )
    closed.teachers.add(teacher)
    closed.courses.add(course)


@pytest.fixture
def operator() -> Actor:
    return actor_of(make_user("operator@school.example", "staff", is_staff=True))


@pytest.fixture
def approver() -> Actor:
    user = User.objects.create_superuser("approver@school.example", "correct horse")
    return actor_of(user)


def ask(target: int, actor: Actor, **options: Any) -> PhaseRun:
    return phases.ask(target=target, actor=actor, reason="double bookings", **options)


def done(run: PhaseRun) -> PhaseRun:
    said: list[str] = []
    run = phases.carry_out(run=run, by="a test", say=said.append)
    assert run.status == "done", (run.error, said)
    return run


def down(operator: Actor, approver: Actor) -> PhaseRun:
    run = ask(Target.TABLES, operator, whole=True)
    phases.approve(run=run, approver=approver)
    return done(run)


def states(run: PhaseRun) -> dict[str, str]:
    return {one["name"]: one["state"] for one in run.progress}


def killed() -> set[str]:
    return set(Flag.objects.filter(everyone=False).values_list("name", flat=True))


# ---------------------------------------------------------------- the whole way
def test_three_two_one_and_back_with_the_proof(operator: Actor, approver: Actor) -> None:
    three = done(ask(Target.PAGES, operator))
    assert killed() == {MASTER, CALENDAR, "ENABLE_HOLIDAY_MANAGEMENT"}
    two = done(ask(Target.LOGIC, operator))
    assert killed() == set(Flag.objects.values_list("name", flat=True))
    assert two.incident_id == three.incident_id
    assert two.proof["before"]["scheduling_availabilityrule"][0] == 1
    one = ask(Target.TABLES, operator)
    assert one.status == "asked"
    assert phases.carry_out(run=one, by="a test").status == "asked"
    assert reverse.present(APPS)
    phases.approve(run=one, approver=approver)
    one = done(one)
    assert not reverse.present(APPS)
    assert one.error == ""
    assert one.proof["equal"] is True
    assert one.proof["verified"] is True
    compared = one.proof["compared"]
    # Also of a table one column of which lies beside it in the archive.
    assert (
        compared["holidays_holidaysource"]["after"] == two.proof["before"]["holidays_holidaysource"]
    )
    assert set(compared) == set(two.proof["before"])
    assert LedgerEntry.objects.filter(pk__in=one.proof["ledger"]).count() == len(
        one.proof["ledger"]
    )
    back = done(ask(Target.BACK, approver))
    assert back.proof["equal"] is True
    assert (
        back.proof["compared"]["holidays_holidaysource"]["after"]
        == (two.proof["before"]["holidays_holidaysource"])
    )
    assert AvailabilityRule.objects.count() == 1
    assert killed() == set(Flag.objects.values_list("name", flat=True)), "people switch on, later"
    assert_timeline(three.incident_id)


def assert_timeline(incident: int | None) -> None:
    assert incident is not None
    found = Incident.objects.get(pk=incident)
    assert incidents.check_chain(found) is None
    events = found.events.filter(kind=IncidentEvent.Kind.PHASE).order_by("number")
    told = [(one.payload["target"], one.payload["what"]) for one in events]
    assert told[0] == (3, "asked")
    assert (1, "approved") in told
    assert told.index((1, "approved")) < told.index((1, "tables")) < told.index((1, "proof"))
    assert told[-1] == (0, "done")
    assert found.events.filter(kind=IncidentEvent.Kind.VERIFIED).exists()


def test_the_sequence_takes_the_pages_away_before_anybody_approves(
    operator: Actor, approver: Actor
) -> None:
    run = phases.carry_out(run=ask(Target.TABLES, operator, whole=True), by="a test")
    assert run.status == "asked"
    assert states(run)["quiet"] == "done"
    assert states(run)["tables"] == "waiting"
    assert len(killed()) == 4
    phases.approve(run=run, approver=approver)
    assert done(run).proof["equal"]


def test_nobody_raises_anything_from_the_moment_it_is_asked_for(operator: Actor) -> None:
    run = ask(Target.PAGES, operator)
    with audit.told(actor=operator, reason="smaller"):
        Flag.objects.filter(name=CALENDAR).update(percent=10)
    with pytest.raises(ChangeRefused, match="incident"):
        runner.set_share(flag=CALENDAR, percent=Decimal(100), actor=operator, reason="again")
    assert run.incident is not None
    assert run.incident.is_open


# ---------------------------------------------------------------- who, and in which order
def test_phase_one_before_the_others_is_refused(operator: Actor) -> None:
    with pytest.raises(PhaseRefused, match="rollback phase 3"):
        ask(Target.TABLES, operator)
    done(ask(Target.PAGES, operator))
    with pytest.raises(PhaseRefused, match="rollback phase 2"):
        ask(Target.TABLES, operator)
    assert reverse.present(APPS)


def test_a_flag_that_was_raised_past_its_guards_stops_it_at_the_last_moment(
    operator: Actor, approver: Actor
) -> None:
    done(ask(Target.LOGIC, operator))
    run = ask(Target.TABLES, operator)
    phases.approve(run=run, approver=approver)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE rollback_flag SET everyone = NULL WHERE name = %s", [AVAILABILITY])
        cursor.execute("SET session_replication_role = DEFAULT")
    PhaseRun.objects.filter(pk=run.pk).update(
        progress=[
            one | {"state": "done"} if one["name"] == "quiet" else one for one in run.progress
        ]
    )
    run = phases.carry_out(run=run, by="a test")
    assert run.status == "failed"
    assert AVAILABILITY in run.error
    assert reverse.present(APPS)


def test_it_takes_two_people(operator: Actor, approver: Actor) -> None:
    boss = User.objects.create_superuser("boss@school.example", "correct horse")
    run = ask(Target.TABLES, actor_of(boss), whole=True)
    with pytest.raises(PhaseRefused, match="second person"):
        phases.approve(run=run, approver=actor_of(boss))
    with pytest.raises(PhaseRefused, match="Only who may approve"):
        phases.approve(run=run, approver=operator)
    with pytest.raises(PhaseRefused, match="logged in"):
        phases.approve(run=run, approver=Actor(name="command line"))
    phases.approve(run=run, approver=approver)
    with pytest.raises(PhaseRefused, match="approved already"):
        phases.approve(
            run=run, approver=actor_of(User.objects.create_superuser("c@school.example"))
        )


def test_the_database_wants_two_people_as_well(operator: Actor, approver: Actor) -> None:
    run = ask(Target.TABLES, operator, whole=True)
    row = PhaseRun.objects.filter(pk=run.pk)
    for change in (
        {"approver": operator.user},
        {"operator": approver.user},
        {"operator": None},
        {"target": 2},
        {"status": "done"},
        {"automatic": True},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            row.update(**change)
    phases.approve(run=run, approver=approver)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.update(approver=None)


def test_who_is_not_known_cannot_be_one_of_two(operator: Actor) -> None:
    with pytest.raises(PhaseRefused, match="two people who are known"):
        ask(Target.TABLES, Actor(name="command line"), whole=True)


def test_no_machine_moves_tables(operator: Actor) -> None:
    with pytest.raises(PhaseRefused, match="moved by people"):
        ask(Target.TABLES, WATCH, whole=True)
    with pytest.raises(PhaseRefused, match="moved by people"):
        ask(Target.BACK, WATCH)
    assert done(ask(Target.LOGIC, WATCH)).automatic
    assert {one.actor_kind for one in FlagChange.objects.filter(action="kill")} == {"automatic"}


def test_while_the_tables_are_away_nothing_is_raised_and_nothing_archived_again(
    operator: Actor, approver: Actor
) -> None:
    with pytest.raises(PhaseRefused, match="Nothing is in the archive"):
        ask(Target.BACK, approver)
    run = down(operator, approver)
    with pytest.raises(PhaseRefused, match="in the archive already"):
        ask(Target.TABLES, operator, whole=True)
    assert run.incident_id is not None
    incidents.resolve(incident=run.incident_id, actor=operator, reason="put right")
    common: dict[str, Any] = {"actor": operator, "reason": "again"}
    with pytest.raises(ChangeRefused, match="rollback reapply"):
        runner.restore(flag=MASTER, **common)
    with pytest.raises(ChangeRefused, match="rollback reapply"):
        runner.restore(flag=CALENDAR, **common)
    with pytest.raises(ChangeRefused, match="rollback reapply"):
        plans.start(direction="up", steps=[(Decimal(100), 0)], **common)
    # A person of the ground floor goes meanwhile; their rows in the archive have no other half then.
    stays = make_teacher("new@school.example")
    Teacher.objects.exclude(pk=stays.pk).delete()
    back = done(ask(Target.BACK, approver))
    assert back.proof["orphans"] == Orphan.objects.count() > 0
    assert back.proof["equal"], back.proof["compared"]
    assert "other half is gone" in _words(back, "proof")
    assert runner.restore(flag=MASTER, **common)


def test_cancelled_what_is_off_stays_off(operator: Actor, approver: Actor) -> None:
    run = phases.carry_out(run=ask(Target.TABLES, operator, whole=True), by="a test")
    phases.cancel(run=run, actor=operator, reason="a mistake")
    with pytest.raises(PhaseRefused, match="is over"):
        phases.approve(run=run, approver=approver)
    assert len(killed()) == 4
    assert phases.carry_out(run=run, by="a test").status == "cancelled"
    assert reverse.present(APPS)


# ---------------------------------------------------------------- one at a time
def test_of_twenty_that_ask_one_is_heard_and_the_others_get_its_number(operator: Actor) -> None:
    answers = at_once(*[lambda: ask(Target.LOGIC, operator) for _ in range(20)])
    runs = [one for one in answers if isinstance(one, PhaseRun)]
    refused = [one for one in answers if isinstance(one, PhaseRuns)]
    assert len(runs) == 1
    assert len(refused) == 19
    assert {one.number for one in refused} == {runs[0].pk}
    assert Incident.objects.count() == 1


def test_of_twenty_that_carry_it_out_one_does(operator: Actor) -> None:
    run = ask(Target.LOGIC, operator)
    answers = at_once(*[lambda: phases.carry_out(run=run, by="the same name") for _ in range(20)])
    assert {one.status for one in answers if isinstance(one, PhaseRun)} == {"done"}, answers
    told = IncidentEvent.objects.filter(kind="phase").values_list("payload__what", flat=True)
    assert sorted(told) == sorted(["asked", "done", *(one["name"] for one in run.progress)])


def test_what_was_asked_for_in_the_office_is_done_by_the_runner(operator: Actor) -> None:
    said: list[str] = []
    run = ask(Target.PAGES, operator)
    Runner(say=said.append).look()
    run.refresh_from_db()
    assert run.status == "done"
    assert "Pages off: done." in said


def test_a_lease_is_taken_over_when_it_is_over_and_not_before(operator: Actor) -> None:
    run = ask(Target.PAGES, operator)
    dead = holding.claim(run.pk, by="who died")
    assert dead is not None
    assert holding.claim(run.pk, by="another") is None
    assert phases.resume_due(by="another") == 0
    PhaseRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert phases.resume_due(by="another") == 1
    with pytest.raises(holding.LeaseLost), dead.step():
        pass
    run.refresh_from_db()
    assert run.status == "done"


# ---------------------------------------------------------------- waiting
def test_whoever_is_in_the_middle_finishes_first(operator: Actor) -> None:
    student = make_student()
    draft = EnrollmentDraft.objects.create(
        student=student, course=Course.objects.get(), saved_at=timezone.now()
    )
    run = ask(Target.PAGES, operator, mode="drain")
    assert phases.resume_due(by="the runner") == 1
    run.refresh_from_db()
    assert states(run) == {"pages": "done", "gone": "running"}
    assert "1 person" in run.progress[1]["words"]
    assert Plan.objects.get().mode == "drain"
    draft.finished_at = timezone.now()
    draft.save()
    assert done(run).status == "done"


def test_phase_two_waits_for_what_is_under_way(
    operator: Actor, real_switchboard: switchboard.Switchboard
) -> None:
    """A task that was let in before, and a transaction that has one of the tables."""
    assert real_switchboard.snapshot().flags
    acknowledging.begin(MASTER)
    try:
        run = ask(Target.LOGIC, operator)
        assert eventually(lambda: bool(looking._busy()), within=3)
        phases.resume_due(by="the runner")
        run.refresh_from_db()
        assert states(run)["quiet"] == "running"
        assert MASTER in run.progress[3]["words"]
    finally:
        acknowledging.end(MASTER)
    assert eventually(lambda: not looking._busy(), within=3)
    with reading("holidays_holiday"):
        phases.resume_due(by="the runner")
        run.refresh_from_db()
        assert "a forgotten report" in run.progress[3]["words"]
    done(run)


@contextmanager
def reading(table: str) -> Iterator[psycopg.Connection[Any]]:
    with other_session(application_name="a forgotten report") as session:
        session.execute(f"SELECT count(*) FROM {table}")
        yield session


def test_a_long_reader_is_named_and_waited_for(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "PATIENCE", 0.2)
    done(ask(Target.LOGIC, operator))
    run = ask(Target.TABLES, operator)
    phases.approve(run=run, approver=approver)
    _skip_to(run, "tables")
    said: list[str] = []

    def work() -> None:
        try:
            phases.carry_out(run=run, by="a test", say=said.append)
        finally:
            connection.close()

    thread = Thread(target=work)
    with reading("scheduling_availabilityrule") as session:
        thread.start()
        assert eventually(lambda: "a forgotten report" in _words(run, "tables"), within=10), (
            run.progress
        )
        assert reverse.present(APPS)
        session.rollback()
    thread.join(20)
    run.refresh_from_db()
    assert run.status == "done", run.error
    assert run.proof["tries"] > 1
    assert run.proof["equal"]


def _skip_to(run: PhaseRun, step: str) -> None:
    """As if what stands before it had been done a moment ago."""
    before = looking.apps()
    steps = [one["name"] for one in run.progress]
    done_already = steps[: steps.index(step)]
    PhaseRun.objects.filter(pk=run.pk).update(
        proof={"before": proving.digests(before)},
        progress=[
            one | {"state": "done"} if one["name"] in done_already else one for one in run.progress
        ],
    )


def _words(run: PhaseRun, step: str) -> str:
    run.refresh_from_db()
    return next(str(one["words"]) for one in run.progress if one["name"] == step)


def test_held_for_too_long_it_fails_with_the_name_and_is_resumed(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    monkeypatch.setattr(
        reverse.take_away, "__kwdefaults__", {"deadline": 0.2, "along": reverse.ALONE}
    )
    done(ask(Target.LOGIC, operator))
    run = ask(Target.TABLES, operator)
    phases.approve(run=run, approver=approver)
    _skip_to(run, "tables")
    with reading("scheduling_availabilityrule"):
        run = phases.carry_out(run=run, by="a test")
    assert run.status == "failed"
    assert "a forgotten report" in run.error
    assert reverse.present(APPS)
    again = phases.reopen(run=run, actor=operator)
    assert done(again).proof["equal"]
    with pytest.raises(PhaseRefused, match=f"Phase run {run.pk} is over"):
        phases.reopen(run=run, actor=operator)


def test_an_approval_of_long_ago_is_asked_for_again(operator: Actor, approver: Actor) -> None:
    run = ask(Target.TABLES, operator, whole=True)
    phases.approve(run=run, approver=approver)
    long_ago = timezone.now() - timedelta(hours=2)
    PhaseRun.objects.update(status="failed", approved_at=long_ago)
    with pytest.raises(PhaseRefused, match="more than an hour ago"):
        phases.reopen(run=run, actor=operator)


@pytest.mark.parametrize("whole", [False, True])
def test_nobody_archives_by_an_approval_of_long_ago(
    whole: bool, operator: Actor, approver: Actor
) -> None:
    """Approved days ago, or before pages took long to drain; and then the runner comes by."""
    if not whole:
        done(ask(Target.LOGIC, operator))
    run = ask(Target.TABLES, operator, whole=whole)
    phases.approve(run=run, approver=approver)
    PhaseRun.objects.update(approved_at=timezone.now() - timedelta(minutes=61))
    assert eventually(lambda: _resumed(run) == "asked", within=20), run.progress
    assert states(run)["quiet"] == "done"
    assert "approve it again" in _words(run, "digests")
    assert reverse.present(APPS)
    boss = actor_of(User.objects.create_superuser("boss@school.example", "correct horse"))
    with pytest.raises(PhaseRefused, match=r"Only approver@school\.example can approve it again"):
        phases.approve(run=run, approver=boss)
    run = phases.approve(run=run, approver=approver)
    assert run.status == "ready"
    assert done(run).proof["equal"]


def _resumed(run: PhaseRun) -> str:
    phases.resume_due(by="the runner")
    run.refresh_from_db()
    return run.status


def test_an_approval_that_ends_while_the_locks_are_waited_for_moves_nothing(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(ask(Target.LOGIC, operator))
    run = phases.approve(run=ask(Target.TABLES, operator), approver=approver)
    first = steps._first

    def later(hand: holding.Hand) -> PhaseRun:
        PhaseRun.objects.update(approved_at=timezone.now() - timedelta(minutes=61))
        return first(hand)

    with monkeypatch.context() as patched:
        patched.setattr(steps, "_first", later)
        run = phases.carry_out(run=run, by="a test")
    assert (run.status, states(run)["tables"]) == ("asked", "waiting")
    assert reverse.present(APPS)
    # What `first` had changed is undone with it: the approval is as it was.
    with pytest.raises(PhaseRefused, match="approved already"):
        phases.approve(run=run, approver=approver)
    PhaseRun.objects.update(approved_at=timezone.now() - timedelta(minutes=61))
    assert done(phases.approve(run=run, approver=approver)).proof["equal"]


def test_who_asks_is_of_the_office_and_may(approver: Actor) -> None:
    """Also who logs in at the terminal."""
    student = make_user("student@school.example", "student")
    outside = make_user("outside@school.example", "staff")
    looker = make_user("looker@school.example", is_staff=True)
    left = make_user("left@school.example", "staff", is_staff=True, is_active=False)
    for user in (student, outside, looker, left):
        with pytest.raises(PhaseRefused, match="somebody of the office who may change flags"):
            ask(Target.PAGES, actor_of(user))
    office = make_user("office@school.example", "staff", is_staff=True)
    with pytest.raises(PhaseRefused, match="bring features back"):
        ask(Target.BACK, actor_of(office))
    run = ask(Target.TABLES, actor_of(office), whole=True)
    principal = make_user("principal@school.example", "admin")
    with pytest.raises(PhaseRefused, match="Only who may approve"):
        phases.approve(run=run, approver=actor_of(principal))
    principal.is_staff = True
    assert phases.approve(run=run, approver=actor_of(principal)).status == "ready"


# ---------------------------------------------------------------- rows
def test_rows_that_went_with_their_teacher_are_no_error(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted between the digests and the tables; and another one came."""
    done(ask(Target.LOGIC, operator))
    run = phases.approve(run=ask(Target.TABLES, operator), approver=approver)
    digests = steps.STEPS[Step.DIGESTS]

    def then_deleted(hand: holding.Hand) -> bool:
        answer = digests(hand)
        make_teacher("new@school.example")
        Teacher.objects.exclude(user__email="new@school.example").delete()
        return answer

    monkeypatch.setattr(carrying, "STEPS", {**steps.STEPS, Step.DIGESTS: then_deleted})
    run = done(run)
    assert run.error == ""
    assert run.proof["equal"] is True
    rule = run.proof["compared"]["scheduling_availabilityrule"]
    assert (rule["before"][0], rule["after"][0], rule["deleted"]) == (1, 0, 1)
    assert "went with whoever was deleted" in _words(run, "proof")


def test_a_deleted_teacher_explains_neither_other_tables_nor_other_rows() -> None:
    gone = {"enrollment_teacher": 1}
    assert parents.explains("holidays_holidaysource", gone) == {"deleted": 0, "nulled": False}
    assert parents.explains("scheduling_availabilityrule", gone)["deleted"] == 1
    assert is_explained({"before": [3, "1"], "after": [2, "2"], "deleted": 1})
    assert not is_explained({"before": [3, "1"], "after": [3, "2"], "deleted": 1})
    assert not is_explained({"before": [3, "1"], "after": [4, "2"], "deleted": 1, "nulled": True})
    assert is_explained({"before": [3, "1"], "after": [3, "2"], "deleted": 0, "nulled": True})
    assert not is_explained({"before": [3, "1"], "after": [2, "2"], "deleted": 0, "nulled": True})


def test_a_row_that_changed_between_is_told(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a teacher deletes their account in the second between the digests and the tables."""
    done(ask(Target.LOGIC, operator))
    run = ask(Target.TABLES, operator)
    phases.approve(run=run, approver=approver)
    _skip_to(run, "tables")
    AvailabilityRule.objects.all().delete()
    run = phases.carry_out(run=run, by="a test")
    assert run.status == "done"
    assert run.proof["equal"] is False
    assert run.proof["different"] == ["scheduling_availabilityrule"]
    assert "scheduling_availabilityrule: 1 rows before, 0 after" in run.error


def test_before_says_whom_which_rows_and_how_long(operator: Actor) -> None:
    known = phases.before(target=Target.TABLES)
    assert known["rows"]["scheduling_availabilityrule"] == 1
    assert known["blast"]["users"] >= 2
    assert known["forecast"] is None
    figures = {
        "3": {"seconds": 1.0},
        "1": {"seconds": 3.0},
        "forecast": {"1": {"constant": 0.5, "per_million": 1_000_000.0}},
    }
    Rehearsal.objects.create(passed=False, graph="x", backup="b", figures={})
    Rehearsal.objects.create(passed=True, graph="x", backup="b", figures=figures)
    with reading("holidays_holiday"):
        known = phases.before(target=Target.TABLES)
    assert known["forecast"]["seconds"] == 1.0 + 0.5 + known["total"]
    assert known["forecast"]["of_others"] is True
    Rehearsal.objects.update(graph=migration_graph_hash())
    assert phases.before(target=Target.TABLES)["forecast"]["of_others"] is False
    assert [one["application"] for one in known["holders"]] == ["a forgotten report"]
    with other_session() as session:
        session.execute("LOCK TABLE holidays_holiday IN ACCESS EXCLUSIVE MODE")
        rows = phases.before(target=Target.TABLES)["rows"]
    assert rows["holidays_holiday"] is None
    assert ask(Target.PAGES, operator).before["total"] == known["total"]


# ---------------------------------------------------------------- the terminal
def command(monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = "") -> str:
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_from_the_terminal(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = connection.settings_dict["NAME"]
    first = f"{operator.name}\ncorrect horse\n"
    second = f"{approver.name}\ncorrect horse\n"
    with pytest.raises(CommandError, match="Nothing was done"):
        command(monkeypatch, "phase", "3", "--reason", "x")
    with pytest.raises(CommandError, match="nobody has logged in"):
        command(monkeypatch, "sequence", "--reason", "x", typed=f"{operator.name}\nwrong\n{name}\n")
    with pytest.raises(CommandError, match="not its name"):
        command(monkeypatch, "sequence", "--reason", "x", typed=f"{first}production\n")
    assert not PhaseRun.objects.exists()
    said = command(monkeypatch, "sequence", "--reason", "x", typed=f"{first}{name}\n")
    assert "waits: manage.py rollback resume" in said
    assert "waits for approval" in command(monkeypatch, "phases").lower()
    with pytest.raises(CommandError, match="second person"):
        command(monkeypatch, "resume", typed=first)
    said = command(monkeypatch, "resume", typed=second)
    assert "every one is the same as before" in said
    run = PhaseRun.objects.get()
    assert (run.operator, run.approver) == (operator.user, approver.user)
    assert "Approved by approver@school.example" in command(monkeypatch, "phases", str(run.pk))
    said = command(monkeypatch, "reapply", "--reason", "put right", "--yes")
    assert "Rows: " in said
    assert AvailabilityRule.objects.exists()
    with pytest.raises(CommandError, match="nothing to go on with"):
        command(monkeypatch, "resume")


def test_at_the_terminal_a_database_that_is_gone_is_one_sentence(
    operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the session in the middle of a step."""
    run = ask(Target.PAGES, operator)

    def ends(hand: holding.Hand) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return True

    with monkeypatch.context() as patched:
        patched.setattr(carrying, "STEPS", {**steps.STEPS, Step.PAGES: ends})
        with pytest.raises(CommandError, match="rollback resume goes on"):
            command(monkeypatch, "resume")
    connection.close()
    PhaseRun.objects.update(lease_until=None)
    assert "Pages off: done." in command(monkeypatch, "resume")
    run.refresh_from_db()
    assert run.status == "done"


# ---------------------------------------------------------------- with a proved backup
@pytest.fixture
def guarded(settings: Any, tmp_path: Path) -> Path:
    settings.SCHEMA_GUARD, settings.BACKUP_DIR = True, tmp_path / "backups"
    return tmp_path


def test_guarded_it_makes_a_backup_of_after_the_pages_went(
    guarded: Path, operator: Actor, approver: Actor
) -> None:
    old = backups.make(say=lambda words: None)
    done(ask(Target.LOGIC, operator))
    run = phases.approve(run=ask(Target.TABLES, operator), approver=approver)
    assert [one["name"] for one in run.progress][:2] == ["quiet", "backup"]
    run = done(run)
    newest = backups.newest_verified()
    assert newest is not None
    assert run.proof["backup"] == newest.name != old.name, "what was proved before lacks bookings"
    quiet_since = ended_at(run.progress, Step.QUIET)
    assert quiet_since is not None
    assert newest.as_of > quiet_since
    assert newest.fingerprint.tables["public.scheduling_availabilityrule"].rows == 1
    assert not reverse.present(APPS)


def test_guarded_it_takes_one_that_is_young_enough_and_none_moves_without(
    guarded: Path, operator: Actor, approver: Actor, settings: Any
) -> None:
    done(ask(Target.LOGIC, operator))
    run = phases.approve(run=ask(Target.TABLES, operator), approver=approver)
    settings.PG_BIN = str(backed.spoiled(guarded / "tools", dump="sys.exit(1)"))
    run = phases.carry_out(run=run, by="a test")
    assert run.status == "failed"
    assert "No table is moved without a proved backup" in run.error
    assert reverse.present(APPS)
    settings.PG_BIN = ""
    made = backups.make(say=lambda words: None)
    again = phases.reopen(run=run, actor=operator)
    assert done(again).proof["backup"] == made.name
    assert len(list((guarded / "backups").glob("*.dump"))) == 1
