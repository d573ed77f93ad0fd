"""Each state the schema can be in, made for real, and what the doctor says to it."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from rollback import doctor
from rollback.doctor import Diagnosis, State
from rollback.domain import phases
from rollback.domain.phases import Phase
from rollback.models import LedgerEntry
from rollback.schema import found, reverse
from scheduling.models import IdempotencyKey
from tests.conftest import make_user

pytestmark = [pytest.mark.django_db(transaction=True)]

APPS = ("scheduling", "holidays")
LEAF = "0002_expand_calendar_changes"


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    if len(reverse.present(APPS)) < len(reverse.tables(APPS)) or LedgerEntry.objects.exists():
        with suppress(reverse.NothingToDo):
            reverse.bring_back(apps=APPS, accept_changes=True)


def examine() -> Diagnosis:
    return doctor.examine()


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def meanwhile(*, do: str, undo: str) -> Iterator[None]:
    run(do)
    try:
        yield
    finally:
        run(undo)


@pytest.fixture
def person() -> None:
    user = make_user("a@school.example")
    IdempotencyKey.objects.create(key="one", fingerprint="a", user=user)


@pytest.fixture
def archived() -> None:
    reverse.take_away(apps=APPS)


@contextmanager
def undone(*statements: str) -> Iterator[None]:
    """As another sees it who is in the middle: nothing of it stays."""
    with transaction.atomic():
        run(*statements)
        yield
        transaction.set_rollback(True)


def migrate(*targets: tuple[str, str | None]) -> None:
    MigrationExecutor(connection).migrate(list(targets))


def said(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_in_place() -> None:
    assert examine() == Diagnosis(
        state=State.IN_PLACE,
        words="All tables are in place, as the migrations make them.",
        next="",
    )
    assert "In place" in said("doctor").capitalize()


def test_archived_which_is_sound_and_what_may_be_wrong_with_it(person: None) -> None:
    reverse.take_away(apps=APPS)
    seen = doctor.examine(thorough=True)
    assert (seen.state, seen.next, seen.also) == (State.ARCHIVED, doctor.REAPPLY, ())
    assert "scheduling_availabilityrule" in seen.words
    assert doctor.REAPPLY in said("doctor", "--thorough")
    for change, state, command in (
        ("DROP TABLE archive.scheduling_timeoff", State.LOST, doctor.BACKUPS),
        (
            "DELETE FROM rollback_ledgerentry WHERE \"table\" = 'scheduling_timeoff'",
            State.STRAY,
            doctor.BACKUP,
        ),
        ("UPDATE rollback_ledgerentry SET rows = NULL", State.UNSEALED, doctor.FINISH),
        ("ALTER TABLE archive.scheduling_timeoff SET SCHEMA public", State.STRAY, doctor.FINISH),
    ):
        with undone(change):
            seen = examine()
        assert (seen.state, seen.next) == (state, command)
        assert "scheduling_timeoff" in seen.words
    with undone("UPDATE archive.scheduling_idempotencykey SET fingerprint = 'b'"):
        assert examine().state == State.ARCHIVED
        seen = doctor.examine(thorough=True)
        assert seen.state == State.CHANGED
        assert "scheduling_idempotencykey" in seen.words


def test_one_of_the_two_away() -> None:
    reverse.take_away(apps=["holidays"])
    seen = examine()
    assert (seen.state, seen.next) == (State.HALF, doctor.REAPPLY)
    assert f"scheduling ({LEAF})" in seen.words
    with pytest.raises(CommandError, match="Half of it is away"):
        call_command("rollback", "doctor")


def test_one_migration_of_several_undone() -> None:
    migrate(("holidays", LEAF))
    seen = examine()
    assert (seen.state, seen.next) == (State.HALF, doctor.REAPPLY)
    assert "holidays_holidaysource.difference" in seen.words


def test_faked_forwards_over_the_archive(archived: None) -> None:
    call_command("migrate", "scheduling", fake=True, verbosity=0)
    seen = examine()
    right = "python manage.py migrate --fake scheduling zero"
    assert (seen.state, seen.next) == (State.FAKED, right)
    call_command("migrate", "scheduling", "zero", fake=True, verbosity=0)
    assert examine().state == State.ARCHIVED


def test_faked_backwards_while_the_tables_are_there() -> None:
    call_command("migrate", "scheduling", "zero", fake=True, verbosity=0)
    seen = examine()
    right = f"python manage.py migrate --fake scheduling {LEAF}"
    assert (seen.state, seen.next) == (State.FAKED, right)
    call_command("migrate", "scheduling", LEAF, fake=True, verbosity=0)


def test_a_column_whose_migration_was_faked() -> None:
    run("ALTER TABLE holidays_holidaysource RENAME compared_at TO gone_at")
    try:
        assert examine().state == State.LOST
        with meanwhile(
            do="ALTER TABLE holidays_holidaysource RENAME gone_at TO compared_at",
            undo="ALTER TABLE holidays_holidaysource RENAME compared_at TO gone_at",
        ):
            call_command("migrate", "holidays", LEAF, fake=True, verbosity=0)
            seen = examine()
    finally:
        run("ALTER TABLE holidays_holidaysource RENAME gone_at TO compared_at")
        call_command("migrate", "holidays", fake=True, verbosity=0)
    right = "python manage.py migrate --fake holidays 0003_expand_differences"
    assert (seen.state, seen.next) == (State.FAKED, right)


def test_a_table_dropped_by_hand_with_its_feature_on(flag_rows: None) -> None:
    with undone("DROP TABLE scheduling_waitlistentry CASCADE"):
        seen = examine()
    assert (seen.state, seen.next) == (State.LOST, doctor.BACKUPS)
    assert "scheduling_waitlistentry" in seen.words
    with undone(
        "UPDATE rollback_flag SET percent = 5",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "DROP TABLE scheduling_waitlistentry CASCADE",
    ):
        assert examine().next == doctor.KILL


def test_all_moved_by_hand_and_faked(archived: None) -> None:
    for table in reverse.tables(["scheduling"]):
        run(f"ALTER TABLE archive.{table} SET SCHEMA public")
    assert (examine().state, examine().next) == (State.STRAY, doctor.FINISH)
    call_command("migrate", "scheduling", fake=True, verbosity=0)
    assert examine().next == "python manage.py migrate --fake scheduling zero"
    call_command("migrate", "scheduling", "zero", fake=True, verbosity=0)
    said("finish")
    assert examine().state == State.ARCHIVED


DRIFTS = {
    "a column more": "ALTER TABLE scheduling_timeoff ADD COLUMN extra text",
    "another type": "ALTER TABLE scheduling_timeoff ALTER COLUMN id TYPE integer",
    "may be empty": "ALTER TABLE scheduling_availabilityrule ALTER COLUMN weekday DROP NOT NULL",
    "no check": "ALTER TABLE scheduling_availabilityrule DROP CONSTRAINT availability_weekday",
    "another check": (
        "ALTER TABLE scheduling_availabilityrule DROP CONSTRAINT availability_weekday;"
        "ALTER TABLE scheduling_availabilityrule"
        " ADD CONSTRAINT availability_weekday CHECK (weekday < 99)"
    ),
    "an index more": "CREATE INDEX too_much ON enrollment_course (title)",
    "a foreign key that lets its rows stay": (
        "ALTER TABLE holidays_teacherregion DROP CONSTRAINT {key};"
        "ALTER TABLE holidays_teacherregion ADD CONSTRAINT {key} FOREIGN KEY (teacher_id)"
        " REFERENCES enrollment_teacher (id) DEFERRABLE INITIALLY DEFERRED"
    ),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_a_table_changed_by_hand(what: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f'"
            " AND conrelid = 'holidays_teacherregion'::regclass"
            " AND confrelid = 'enrollment_teacher'::regclass"
        )
        (key,) = cursor.fetchone()
    with undone(DRIFTS[what].format(key=key)):
        seen = examine()
    assert (seen.state, seen.next) == (State.DRIFT, doctor.BACKUP)


def test_a_migration_that_waits() -> None:
    [newest] = MigrationLoader(connection).graph.leaf_nodes("rollback")
    before = max(name for _app, name in _names("rollback") if name < newest[1])
    call_command("migrate", "rollback", before, verbosity=0)
    try:
        seen = examine()
    finally:
        call_command("migrate", "rollback", verbosity=0)
    assert (seen.state, seen.next) == (State.WAITING, "python manage.py setup")


def _names(app: str) -> list[tuple[str, str]]:
    return [key for key in MigrationLoader(connection).disk_migrations if key[0] == app]


def test_a_database_of_another_version_and_a_start_with_it() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("scheduling", "0007_expand_waitlist")
    try:
        seen = examine()
        with pytest.raises(CommandError, match="Another version of the school"):
            call_command("setup")
    finally:
        recorder.record_unapplied("scheduling", "0007_expand_waitlist")
    way = "git log --all --oneline -- scheduling/migrations/0007_expand_waitlist.py"
    assert (seen.state, seen.next) == (State.UNKNOWN, way)


def test_a_migration_recorded_without_what_it_builds_on() -> None:
    with undone(
        f"DELETE FROM django_migrations WHERE app = 'enrollment' AND name = '{'0001_expand_school'}'"
    ):
        seen = examine()
        older = doctor.older()
    assert seen.state == State.UNKNOWN
    assert older
    assert "enrollment.0001_expand_school" in older.words


def test_without_any_table_of_ours() -> None:
    with undone("ALTER TABLE django_migrations RENAME TO elsewhere"):
        assert examine().next == "python manage.py setup"
    with undone(
        "DROP TABLE rollback_orphan, rollback_ledgerentry, rollback_phaserun CASCADE",
        "DROP TABLE rollback_flag CASCADE",
    ):
        seen = examine()
    assert seen.state == State.LOST
    assert "rollback_ledgerentry" in seen.words


def test_foreign_keys_not_looked_at_and_finished() -> None:
    reverse.take_away(apps=APPS)
    with without_what_follows():
        migrate(*MigrationLoader(None).graph.leaf_nodes())
    seen = examine()
    assert (seen.state, seen.next) == (State.UNCHECKED, doctor.FINISH)
    assert "The foreign keys of scheduling_timeoff are checked." in said("finish")
    assert said("finish").strip() == "There is nothing to finish."


def test_an_archive_that_was_not_counted_and_finished() -> None:
    with without_what_follows():
        migrate(*((app, None) for app in APPS))
    seen = examine()
    assert (seen.state, seen.next) == (State.UNSEALED, doctor.FINISH)
    assert "scheduling_timeoff counted in the archive: 0 rows." in said("finish")
    assert examine().state == State.ARCHIVED
    reverse.bring_back(apps=APPS)
    assert examine().state == State.IN_PLACE


@contextmanager
def without_what_follows() -> Iterator[None]:
    """As if the process had been killed right after its COMMIT."""
    usual = connection.run_and_clear_commit_hooks

    def killed() -> None:
        connection.run_on_commit.clear()

    connection.run_and_clear_commit_hooks = killed  # type: ignore[method-assign]
    try:
        yield
    finally:
        connection.run_and_clear_commit_hooks = usual  # type: ignore[method-assign]


PHASE_RUN = """
    INSERT INTO rollback_phaserun (target, mode, status, reason, operator_name, approver_name, progress,
                                   before, proof, error, lease_owner, lease_until)
    VALUES ({target}, 'kill', '{status}', 'test', 'Ada', '', '{progress}', '{{}}', '{{}}', '', 'host 12',
            {until})
"""


def phase_run(
    until: str, *, at: str = "tables", status: str = "running", target: Phase = Phase.TABLES
) -> str:
    """As far as that step, of all that such a run has."""
    planned = phases.planned(target, whole=False, guarded=True)
    where = [step.value for step in planned].index(at)
    states = ["done"] * where + [status] + ["waiting"] * (len(planned) - where - 1)
    progress = [
        {"name": step.value, "state": state} for step, state in zip(planned, states, strict=True)
    ]
    return PHASE_RUN.format(
        progress=json.dumps(progress), until=until, status=status, target=int(target)
    )


@pytest.mark.parametrize(
    ("until", "state", "command"),
    [
        ("now() + interval '1 hour'", State.UNDER_WAY, doctor.AGAIN),
        ("now() - interval '1 second'", State.STOPPED, doctor.RESUME),
        ("NULL", State.STOPPED, doctor.RESUME),
    ],
)
def test_a_phase_run_in_the_middle(until: str, state: State, command: str) -> None:
    with undone(phase_run(until)):
        seen = examine()
    assert (seen.state, seen.next) == (state, command)
    assert "(tables)" in seen.words
    assert "host 12" in seen.words


@pytest.mark.parametrize(
    "at", [step.value for step in phases.planned(1, whole=False, guarded=True)]
)
def test_the_step_that_is_named_is_the_first_that_is_not_done(at: str) -> None:
    with undone(phase_run("NULL", at=at)):
        assert f"({at})" in examine().words


@pytest.mark.parametrize(("at", "target"), [("proof", Phase.TABLES), ("home", Phase.BACK)])
def test_a_run_that_failed_and_left_tables_away(archived: None, at: str, target: Phase) -> None:
    with undone(phase_run("NULL", at=at, status="failed", target=target)):
        seen = examine()
    assert (seen.state, seen.next) == (State.STOPPED, doctor.RESUME)
    assert f"failed ({at})" in seen.words
    assert "scheduling_timeoff" in seen.words


def test_a_run_that_failed_and_moved_nothing_is_over() -> None:
    with undone(phase_run("NULL", at="quiet", status="failed")):
        assert examine().state == State.IN_PLACE


def test_what_else_was_seen_is_said_as_well() -> None:
    reverse.take_away(apps=["holidays"])
    with undone(phase_run("NULL"), DRIFTS["a column more"]):
        seen = examine()
    assert seen.state == State.STOPPED
    assert any("Half of it is away" in one for one in seen.also)
    assert any("scheduling_timeoff" in one for one in seen.also)


def test_nothing_is_changed_and_no_table_is_left() -> None:
    query = "SELECT count(*), max(oid::bigint) FROM pg_class"
    with connection.cursor() as cursor:
        cursor.execute(query)
        before = cursor.fetchone()
        examine()
        cursor.execute(query)
        assert cursor.fetchone() == before


def test_drift_is_judged_by_this_server_in_its_own_words() -> None:
    """Every table of ours, not only the features'."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts = found.look(cursor)
    assert found.drifted(facts) == {}


def test_what_it_says_to_type_can_be_typed() -> None:
    """Each command that begins with manage.py rollback is one."""
    parser = load_command_class("rollback", "rollback").create_parser("manage.py", "rollback")
    for one in (doctor.AGAIN, doctor.FINISH, doctor.REAPPLY, doctor.RESUME, doctor.KILL):
        _python, _manage, _rollback, *words = shlex.split(one)
        assert parser.parse_args(words).what == words[0]
