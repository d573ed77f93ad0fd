"""What a phase run proves, and what it makes of what others did meanwhile or what went wrong."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from enrollment.models import Teacher, User
from holidays.models import Holiday, HolidayImport, HolidaySource
from rollback import audit, backups, phases, verification
from rollback.audit import Actor, actor_of
from rollback.backups import receipts
from rollback.domain.phases import Step, is_explained, taken_up_again
from rollback.management.plan_runner import Runner
from rollback.models import Flag, LedgerEntry, Orphan, PhaseRun
from rollback.phases import carrying, steps
from rollback.phases.holding import Hand
from rollback.safely import permits
from rollback.schema import finishing, ledger, locking, returning, reverse
from scheduling.models import AvailabilityRule
from tests.conftest import make_teacher, make_user
from tests.rollback.flag_rows import seed_flags

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

APPS = ("scheduling", "holidays")
RULES = "scheduling_availabilityrule"
SOURCES = "holidays_holidaysource"
Target = PhaseRun.Target


@pytest.fixture(autouse=True)
def home_again(transactional_db: Any) -> Iterator[None]:
    yield
    if LedgerEntry.objects.filter(back_at=None).exists():
        reverse.bring_back(apps=APPS, accept_changes=True)


@pytest.fixture(autouse=True)
def school(home_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_flags()
    with audit.told(actor=Actor(name="a test"), reason="a test begins"):
        Flag.objects.update(everyone=None, percent=100)
    monkeypatch.setattr(verification, "PROBES", verification.PROBES[:2])
    monkeypatch.setattr(locking, "PAUSE", (0.05, 0.1))
    for number in range(3):
        teacher = make_teacher(f"teacher{number}@school.example")
        AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(9), ends=time(12))
    source = HolidaySource.objects.create(
        title="Bavaria", kind="library", country="DE", difference={"a": 1}
    )
    maker = make_user("maker@school.example", "staff")
    HolidayImport.objects.create(source=source, made_by=maker, first_year=2030, last_year=2030)
    Holiday.objects.create(
        name="Founders' day", first_on=date(2030, 5, 1), last_on=date(2030, 5, 2), scope="school"
    )


@pytest.fixture
def operator() -> Actor:
    return actor_of(make_user("operator@school.example", "staff", is_staff=True))


@pytest.fixture
def approver() -> Actor:
    return actor_of(User.objects.create_superuser("approver@school.example", "correct horse"))


def ask(target: int, actor: Actor, **options: Any) -> PhaseRun:
    return phases.ask(target=target, actor=actor, reason="double bookings", **options)


def carried(run: PhaseRun) -> PhaseRun:
    return phases.carry_out(run=run, by="a test")


def approved(operator: Actor, approver: Actor) -> PhaseRun:
    """Phases 3 and 2 hold."""
    assert carried(ask(Target.LOGIC, operator)).status == "done"
    return phases.approve(run=ask(Target.TABLES, operator), approver=approver)


def down(operator: Actor, approver: Actor) -> PhaseRun:
    run = carried(approved(operator, approver))
    assert (run.status, run.error) == ("done", "")
    return run


def reopened(actor: Actor) -> PhaseRun:
    last = PhaseRun.objects.latest("pk")
    return phases.reopen(run=last, actor=actor)


def state(run: PhaseRun, step: str) -> str:
    return next(str(one["state"]) for one in run.progress if one["name"] == step)


def words(run: PhaseRun, step: str) -> str:
    return next(str(one["words"]) for one in run.progress if one["name"] == step)


def migrate(*, back: bool) -> None:
    for app in APPS if back else reversed(APPS):
        call_command("migrate", app, *([] if back else ["zero"]), verbosity=0)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


# ---------------------------------------------------------------- somebody else migrates
def test_back_by_a_plain_migrate_is_proved_by_the_ledger(operator: Actor, approver: Actor) -> None:
    down(operator, approver)
    run = ask(Target.BACK, approver)
    migrate(back=True)
    Runner(say=lambda words: None).look()
    run.refresh_from_db()
    assert (run.status, run.error) == ("done", "")
    assert words(run, "home") == "It was so already."
    assert run.proof["equal"] is True
    assert run.proof["compared"][RULES]["before"][0] == 3
    # Also a table one column of which lay beside it.
    assert run.proof["compared"][SOURCES]["before"][0] == 1


def test_what_is_missing_after_a_plain_migrate_is_told(operator: Actor, approver: Actor) -> None:
    down(operator, approver)
    run = ask(Target.BACK, approver)
    migrate(back=True)
    sql(f"DELETE FROM {RULES} WHERE id = (SELECT min(id) FROM {RULES})")
    run = carried(run)
    assert run.status == "done"
    assert run.proof["different"] == [RULES]
    assert "3 rows before, 2 after" in run.error


def test_one_app_by_a_plain_migrate_and_the_other_by_the_run(
    operator: Actor, approver: Actor
) -> None:
    down(operator, approver)
    run = ask(Target.BACK, approver)
    call_command("migrate", "scheduling", verbosity=0)
    run = carried(run)
    assert (run.status, run.error) == ("done", "")
    assert {RULES, SOURCES} <= set(run.proof["compared"])
    assert run.proof["equal"] is True


def test_away_by_a_plain_migrate_is_proved_all_the_same(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = approved(operator, approver)
    digests = steps.STEPS[Step.DIGESTS]

    def then_migrated(hand: Any) -> bool:
        answer = digests(hand)
        migrate(back=False)
        return answer

    monkeypatch.setattr(carrying, "STEPS", {**steps.STEPS, Step.DIGESTS: then_migrated})
    run = carried(run)
    assert (run.status, run.error) == ("done", "")
    assert words(run, "tables") == "It was so already."
    assert run.proof["equal"] is True
    assert set(run.proof["compared"]) == set(run.proof["before"]) != set()


def test_what_others_archived_before_it_was_counted_is_not_proved(
    operator: Actor, approver: Actor
) -> None:
    run = approved(operator, approver)
    migrate(back=False)
    run = carried(run)
    assert run.status == "failed"
    assert "Somebody else has archived" in run.error


def test_whatever_a_step_raises_ends_the_run_with_words_and_not_the_runner(
    operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(hand: Any) -> bool:
        raise KeyError("ledger")

    run = ask(Target.PAGES, operator)
    with monkeypatch.context() as patched:
        patched.setattr(carrying, "STEPS", {**steps.STEPS, Step.PAGES: breaks})
        Runner(say=lambda words: None).look()
    run.refresh_from_db()
    assert (run.status, state(run, "pages")) == ("failed", "failed")
    assert "KeyError" in run.error
    assert carried(ask(Target.PAGES, operator)).status == "done", "another may be asked for"


# ---------------------------------------------------------------- after COMMIT
@pytest.mark.parametrize("error", [OSError("no memory"), OperationalError("statement timeout")])
def test_what_breaks_after_commit_leaves_the_tables_moved_and_is_made_up_for(
    error: Exception, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_args: Any, **_named: Any) -> None:
        raise error

    run = approved(operator, approver)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "seal", _at_first(breaks, ledger.seal))
        run = carried(run)
    assert (run.status, run.error, state(run, "tables")) == ("done", "", "done")
    assert run.proof["equal"] is True
    with monkeypatch.context() as patched:
        patched.setattr(returning, "finish", _at_first(breaks, returning.finish))
        run = carried(ask(Target.BACK, approver))
    assert (run.status, run.error, state(run, "home")) == ("done", "", "done")
    sql_unchecked = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
    with connection.cursor() as cursor:
        cursor.execute(sql_unchecked)
        assert cursor.fetchone() == (0,)
    assert finishing.finish_all() == []


def _at_first(breaks: Any, does: Any) -> Any:
    """The first time it is called for each, as it is after COMMIT."""
    seen: set[Any] = set()

    def either(*args: Any, **named: Any) -> Any:
        if args not in seen:
            seen.add(args)
            return breaks()
        return does(*args, **named)

    return either


def test_what_breaks_when_the_step_is_done_does_not_undo_that(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_facts: Any) -> None:
        raise ValueError("a broken clock")

    run = approved(operator, approver)
    monkeypatch.setattr(steps, "_measured", breaks)
    run = carried(run)
    assert (run.status, state(run, "tables"), run.proof["equal"]) == ("done", "done", True)


# ---------------------------------------------------------------- rows, one by one
def test_what_explains_a_difference() -> None:
    same = {"before": [3, "5"], "after": [3, "5"]}
    assert is_explained(same)
    assert not is_explained({"before": None, "after": [3, "5"]})
    assert not is_explained({"before": [3, "5"], "after": None})
    # Neither a number of orphans nor another shape explains anything by itself.
    assert not is_explained({"before": [100, "5"], "after": [97, "4"], "orphans": 3})
    assert not is_explained({"before": [100, "5"], "after": [97, "4"], "orphans": 3, "moved": True})
    assert not is_explained({"before": [3, "5"], "after": [3, "6"], "orphans": 0, "moved": False})
    back = {"before": [100, "5"], "after": [97, "4"], "orphans": 3, "unlike": 0}
    assert is_explained(back | {"whole": [100, "5"]})
    assert not is_explained(back | {"whole": [97, "5"]})
    assert not is_explained(back | {"whole": [100, "6"]})
    assert not is_explained(back | {"whole": [100, "5"], "unlike": 1})
    assert not is_explained(same | {"whole": [4, "6"]})


def home_with(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch, then: str = ""
) -> PhaseRun:
    """A teacher and a maker of imports are gone; and then, before the proof, somebody's statement."""
    down(operator, approver)
    Teacher.objects.get(user__email="teacher0@school.example").delete()
    User.objects.get(email="maker@school.example").delete()
    keys = steps.STEPS[Step.KEYS]

    def then_lost(hand: Any) -> bool:
        answer = keys(hand)
        if then:
            sql(then)
        return answer

    monkeypatch.setattr(carrying, "STEPS", {**steps.STEPS, Step.KEYS: then_lost})
    run = carried(ask(Target.BACK, approver))
    assert run.status == "done"
    assert Orphan.objects.count() == 2
    return run


def test_orphans_are_put_back_for_the_proof(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = home_with(operator, approver, monkeypatch)
    assert (run.error, run.proof["equal"], run.proof["orphans"]) == ("", True, 2)
    rules = run.proof["compared"][RULES]
    assert (rules["before"][0], rules["after"][0]) == (3, 2)
    assert rules["whole"] == rules["before"] != rules["after"]
    imports = run.proof["compared"]["holidays_holidayimport"]
    assert (imports["before"][0], imports["after"][0]) == (1, 1), "it keeps its row"
    assert imports["whole"] == imports["before"] != imports["after"]


@pytest.mark.parametrize(
    ("then", "table"),
    [
        ("DELETE FROM holidays_holidayimport", "holidays_holidayimport"),
        (
            "UPDATE holidays_holidayimport SET version = 'x'",
            "holidays_holidayimport",
        ),
        (f"DELETE FROM {RULES} WHERE id = (SELECT max(id) FROM {RULES})", RULES),
        (f"UPDATE {RULES} SET weekday = 3", RULES),
    ],
)
def test_no_orphan_explains_another_row(
    then: str,
    table: str,
    operator: Actor,
    approver: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = home_with(operator, approver, monkeypatch, then)
    assert run.proof["equal"] is False
    assert run.proof["different"] == [table]
    assert table in run.error


@pytest.mark.parametrize("spoiled", [False, True])
def test_of_a_copy_the_columns_that_both_have_are_compared(
    spoiled: bool, operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has widened a column in the archive, so that the table no longer fits in place of the new."""
    down(operator, approver)
    sql(f"ALTER TABLE archive.{RULES} ADD COLUMN note text DEFAULT 'x'")
    sql(f"ALTER TABLE archive.{RULES} ALTER COLUMN weekday TYPE integer")
    Teacher.objects.get(user__email="teacher0@school.example").delete()
    keys = steps.STEPS[Step.KEYS]

    def then_spoiled(hand: Any) -> bool:
        answer = keys(hand)
        if spoiled:
            sql(f"UPDATE {RULES} SET weekday = 3 WHERE id = (SELECT max(id) FROM {RULES})")
        return answer

    monkeypatch.setattr(carrying, "STEPS", {**steps.STEPS, Step.KEYS: then_spoiled})
    run = carried(ask(Target.BACK, approver, accept_changes=True))
    rules = run.proof["compared"][RULES]
    assert rules["moved"] is False
    assert (rules["before"][0], rules["after"][0], rules["orphans"]) == (3, 2, 1)
    assert run.proof["equal"] is not spoiled
    assert run.proof["different"] == ([RULES] if spoiled else [])


def test_a_value_that_did_not_find_its_row_is_told(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = down(operator, approver)
    entry = LedgerEntry.objects.get(table=SOURCES, column="difference", back_at=None)
    sql(f"INSERT INTO {entry.archived_as} (id, difference) VALUES (99, '{{}}')")
    run = carried(ask(Target.BACK, approver, accept_changes=True))
    assert run.proof["different"] == [f"{SOURCES}.difference"]
    assert f"{SOURCES}.difference: 2 rows before, 1 after" in run.error


def test_what_was_deleted_for_good_is_named(operator: Actor, approver: Actor) -> None:
    run = down(operator, approver)
    entry = LedgerEntry.objects.get(table=RULES, back_at=None)
    sql(f"DROP TABLE archive.{RULES}")
    LedgerEntry.objects.filter(pk=entry.pk).update(
        purged_at=timezone.now(), purged_by_name="a test", purged_because="a test"
    )
    run = carried(ask(Target.BACK, approver))
    assert (run.status, run.error) == ("done", "")
    assert run.proof["purged"] == [RULES]
    assert words(run, "proof").endswith(f"and empty now: {RULES}.")


# ---------------------------------------------------------------- the backup
@pytest.fixture
def guarded(settings: Any, tmp_path: Path) -> Path:
    settings.SCHEMA_GUARD, settings.BACKUP_DIR = True, tmp_path / "backups"
    return tmp_path


def test_a_backup_of_another_schema_or_of_tomorrow_is_none(
    guarded: Path, operator: Actor, approver: Actor
) -> None:
    run = approved(operator, approver)
    made = backups.make(say=lambda words: None)
    hand = _hand(run)
    assert steps._fits(hand, made)
    sql("INSERT INTO django_migrations (app, name, applied) VALUES ('x', '0001', now())")
    try:
        assert not steps._fits(hand, made)
        with pytest.raises(permits.PermitRefused, match="other migrations"):
            permits.check(made)
    finally:
        sql("DELETE FROM django_migrations WHERE app = 'x'")
    tomorrow = _of(made, timezone.now() + timedelta(days=1))
    assert backups.newest_verified(within=timedelta(minutes=30)) == made
    with pytest.raises(permits.PermitRefused, match="is of later than now"):
        permits.check(tomorrow)


def _hand(run: PhaseRun) -> Any:
    return Hand(number=run.pk, by="a test", owner="a test")


def _of(made: Any, at: Any) -> Any:
    """A copy of it, of another time."""
    path = made.path.with_name("school-20300101-000000-000.dump")
    path.write_bytes(made.path.read_bytes())
    other = replace(made, path=path, as_of=at)
    receipts.write(other)
    return other


def test_taken_up_again_the_backup_and_the_digests_are_done_again_while_nothing_moved() -> None:
    names = ["quiet", "backup", "digests", "tables", "proof"]
    progress = [{"name": name, "state": "done", "words": ""} for name in names]
    progress[3]["state"] = "failed"
    progress[4]["state"] = "waiting"
    again = [one["state"] for one in taken_up_again(progress)]
    assert again == ["done", "waiting", "waiting", "waiting", "waiting"]
    progress[3]["state"], progress[4]["state"] = "done", "failed"
    again = [one["state"] for one in taken_up_again(progress)]
    assert again == ["done", "done", "done", "done", "waiting"]
    assert progress[4]["state"] == "failed", "what was given is left as it was"


def test_reopened_it_counts_once_more(
    operator: Actor, approver: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were rightly changed since it failed are no difference."""
    run = approved(operator, approver)

    def breaks(hand: Any) -> bool:
        raise ValueError("no")

    with monkeypatch.context() as patched:
        patched.setattr(carrying, "STEPS", {**steps.STEPS, Step.TABLES: breaks})
        run = carried(run)
    assert run.status == "failed"
    AvailabilityRule.objects.update(weekday=2)
    run = carried(reopened(operator))
    assert (run.status, run.error, run.proof["equal"]) == ("done", "", True)
