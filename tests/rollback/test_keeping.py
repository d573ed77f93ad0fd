"""What a person has in the archive is in their copy, and is erased with them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from enrollment import personal
from enrollment.models import Course, Teacher, User
from enrollment.operations.erase import erase_person
from enrollment.queries.personal import copy_of
from holidays.models import Holiday
from rollback import incidents, keeping
from rollback.audit import Actor
from rollback.keeping import purging, shelf
from rollback.keeping.purging import too_old
from rollback.management.archive_words import answer
from rollback.models import Incident, LedgerEntry, Orphan, PhaseRun
from rollback.runner import actor_of
from rollback.schema import reverse
from scheduling.models import AvailabilityRule, BookingPolicy, TimeOff, WaitlistEntry
from tests.conftest import Switches, make_student, make_teacher
from tests.personal.full_person import fill_student, fill_teacher
from tests.rollback import phase_rows
from tests.rollback.archiving import APPS, archived, bring_home
from tests.rollback.flag_rows import seed_flags

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    bring_home()
    _drop_what_was_kept()


@pytest.fixture
def marta(switches: Switches) -> Teacher:
    seed_flags()
    teacher = make_teacher()
    fill_teacher(teacher, now=timezone.now())
    return teacher


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@school.example", "correct horse")


def _drop_what_was_kept() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'archive\\_kept\\_%'")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP SCHEMA "{name}" CASCADE')


def the_copy(user: User) -> dict[str, Any]:
    found = copy_of(user=user, now=timezone.now())
    del found["about"]
    return found


def of(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def do(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def resolve_all(by: User) -> None:
    for incident in Incident.objects.filter(resolved_at=None):
        incidents.resolve(incident=incident.pk, actor=actor_of(by), reason="A test")


def erase(user: User, by: User) -> None:
    erase_person(user=user, by=by, now=timezone.now())


def test_the_copy_is_the_same_as_before(marta: Teacher) -> None:
    student = make_student()
    course = Course.objects.create(title="Violin", slug="violin")
    fill_student(student, teacher=marta, course=course, now=timezone.now())
    WaitlistEntry.objects.create(student=student, course=course, created_at=timezone.now())
    before = [the_copy(user) for user in (marta.user, student.user)]
    told = [personal.concerning(user) for user in (marta.user, student.user)]
    assert before[0]["teaching_hours"]["time_off"][0]["reason"] == "Marta's knee"
    assert before[0]["closures"]["closures_of_yours"]
    assert before[1]["waitlist"]["entries"]
    with archived():
        assert [the_copy(user) for user in (marta.user, student.user)] == before
        assert [personal.concerning(user) for user in (marta.user, student.user)] == told
        assert of("SELECT to_regclass('scheduling_timeoff') IS NULL"), "nothing stays within reach"


def test_erasing_reaches_the_archive_and_what_comes_back_is_believed(
    marta: Teacher, root: User
) -> None:
    other = make_teacher("other@school.example")
    AvailabilityRule.objects.create(teacher=other, weekday=1, starts=time(9), ends=time(10))
    TimeOff.objects.create(
        teacher=other, period=(timezone.now(), timezone.now() + timedelta(days=1)), reason="Hers"
    )
    shared = Holiday.objects.create(
        name="Both", first_on=date(2030, 1, 1), last_on=date(2030, 1, 1), scope="teachers"
    )
    shared.teachers.set([marta, other])
    with archived():
        erase(marta.user, root)
        entry = LedgerEntry.objects.get(table="scheduling_timeoff", back_at=None)
        assert entry.rows == 1
        (anew,) = entry.report["sealed anew"]
        assert (anew["because"], anew["rows"]) == ("a person was erased", 1)
        untouched = LedgerEntry.objects.get(table="holidays_region", back_at=None)
        assert untouched.report == {}
        reverse.bring_back(apps=APPS)
    assert list(TimeOff.objects.values_list("reason", flat=True)) == ["Hers"]
    assert [rule.teacher for rule in AvailabilityRule.objects.all()] == [other]
    assert list(Holiday.objects.values_list("name", flat=True)) == ["Both"]
    assert list(shared.teachers.all()) == [other]
    assert not Orphan.objects.exists()


def test_erasing_does_not_hide_what_somebody_changed_by_hand(marta: Teacher, root: User) -> None:
    with archived():
        do("UPDATE archive.scheduling_availabilityrule SET ends = '19:00'")
        do("UPDATE archive.holidays_region SET country = 'AT'")
        erase(marta.user, root)
        with pytest.raises(reverse.ArchiveChanged) as refused:
            reverse.bring_back(apps=APPS)
        assert "holidays_region" in refused.value.tables
        assert not reverse.present(APPS)


def test_what_somebody_took_out_of_the_archive_by_hand_is_found_and_erased(
    marta: Teacher, root: User
) -> None:
    before, told = the_copy(marta.user), personal.concerning(marta.user)
    with archived():
        do("ALTER TABLE archive.scheduling_timeoff SET SCHEMA public")
        assert the_copy(marta.user) == before
        assert personal.concerning(marta.user) == told
        erase(marta.user, root)
        assert of("SELECT count(*) FROM public.scheduling_timeoff") == 0
        do("ALTER TABLE public.scheduling_timeoff SET SCHEMA archive")
        reverse.bring_back(apps=APPS)


@pytest.mark.parametrize(
    "table", ["scheduling_timeoff", "holidays_holidaysource__difference"], ids=["table", "column"]
)
def test_what_is_lost_fails_copy_and_erasure_with_a_sentence_and_nothing_else(
    table: str, marta: Teacher, root: User, client: Client
) -> None:
    client.force_login(marta.user)
    with archived():
        do(f"ALTER TABLE archive.{table} RENAME TO lost")
        try:
            assert "teaching_hours" in {one.name for one in personal.concerning(marta.user)}
            assert client.get("/my/data/").status_code == 200
            for attempt in (lambda: the_copy(marta.user), lambda: erase(marta.user, root)):
                with pytest.raises(
                    personal.OutOfReach, match=rf"archive\.{table}.*rollback doctor"
                ):
                    attempt()
            page = client.get("/my/data/copy/", follow=True)
            assert "Please ask the office" in page.content.decode()
            words = {"password": "correct horse", "sure": "on"}
            assert client.post("/my/data/delete/", words).status_code in (409, 422)
            marta.user.refresh_from_db()
            assert marta.user.deleted_at is None
        finally:
            do(f"ALTER TABLE archive.lost RENAME TO {table}")
        assert the_copy(marta.user)
        erase(marta.user, root)


def test_a_copy_that_was_left_behind_and_is_lost_is_told_too(marta: Teacher, root: User) -> None:
    with archived():
        do("ALTER TABLE archive.scheduling_bookingpolicy ADD COLUMN mood text DEFAULT 'calm'")
    (kept,) = shelf()
    do(f"DROP TABLE {kept.schema}.scheduling_bookingpolicy")
    assert personal.concerning(marta.user)
    for attempt in (lambda: the_copy(marta.user), lambda: erase(marta.user, root)):
        with pytest.raises(personal.OutOfReach, match=f"{kept.schema}.*rollback doctor"):
            attempt()
    resolve_all(root)
    confirmed = too_old(timedelta())
    keeping.purge(
        confirmed=confirmed, older_than=timedelta(), actor=actor_of(root), reason="It was dropped"
    )
    erase(marta.user, root)


def test_rows_set_aside_are_in_the_copy_and_are_erased(marta: Teacher, root: User) -> None:
    course = Course.objects.create(title="Violin", slug="violin")
    student = make_student()
    BookingPolicy.objects.create(teacher=marta, course=course, buffer_after=5)
    now = timezone.now()
    WaitlistEntry.objects.create(
        student=student, course=course, teacher=marta, starts_at=now, created_at=now
    )
    with archived():
        course.delete()
    assert Orphan.objects.count() == 2
    mine = the_copy(marta.user)["archive"]["set_aside"]
    assert {one["table"] for one in mine} == {
        "scheduling_bookingpolicy",
        "scheduling_waitlistentry",
    }
    assert all("student_id" not in one["row"] for one in mine), "who waits is nobody else's"
    (theirs,) = the_copy(student.user)["archive"]["set_aside"]
    assert theirs["row"]["student_id"] == student.pk
    assert "teacher_id" not in theirs["row"]
    erase(student.user, root)
    assert [one.row["buffer_after"] for one in Orphan.objects.all()] == [5]
    erase(marta.user, root)
    assert not Orphan.objects.exists()


def test_copies_that_were_left_behind_are_in_the_copy_and_are_erased(
    marta: Teacher, root: User
) -> None:
    other = make_teacher("other@school.example")
    BookingPolicy.objects.create(teacher=other, buffer_after=7)
    with archived():
        for table in ("scheduling_bookingpolicy", "holidays_holiday"):
            do(f"ALTER TABLE archive.{table} ADD COLUMN mood text DEFAULT 'calm'")
    kept = {str(one): one for one in shelf()}
    assert set(kept) == {"scheduling_bookingpolicy", "holidays_holiday"}
    policies = f"{kept['scheduling_bookingpolicy'].schema}.scheduling_bookingpolicy"
    closures = f"{kept['holidays_holiday'].schema}.holidays_holiday"
    (left,) = the_copy(marta.user)["archive"]["left_behind"]
    assert (left["table"], left["row"]["mood"]) == ("scheduling_bookingpolicy", "calm")
    assert of(f"SELECT count(*) FROM {closures} WHERE name = 'Marta''s training'") == 1
    erase(marta.user, root)
    assert of(f"SELECT array_agg(buffer_after) FROM {policies}") == [7]
    assert of(f"SELECT count(*) FROM {closures}") == 0, "what it was a copy of is gone"
    report = LedgerEntry.objects.get(pk=kept["holidays_holiday"].entry).report
    assert report["rows of rows that are gone"] == 1


def archive(*words: str) -> str:
    out = StringIO()
    call_command("rollback", "archive", *words, stdout=out)
    return " ".join(out.getvalue().split())


def test_purging_for_good_is_remembered_and_what_comes_back_is_empty(
    marta: Teacher, root: User
) -> None:
    database = connection.settings_dict["NAME"]
    purge = ("purge", "--reason", "The school is closed", "--older-than")
    with archived():
        listed = archive("list")
        assert "scheduling_timeoff 1 row" in listed
        shown = archive("show", "scheduling_timeoff")
        assert "as it was put there" in shown
        assert "Marta's knee" not in shown, "what stands in a row is nobody's business"
        assert "Nothing in the archive is that old" in archive(*purge, "30d")
        with pytest.raises(CommandError, match=r"Incident \d+ is open"):
            archive(*purge, "0d", "--confirm", database)
        resolve_all(root)
        with pytest.raises(CommandError, match=f"this database is called {database}"):
            archive(*purge, "0d", "--confirm", "production")
        with pytest.raises(CommandError, match="--confirm DATABASE"):
            archive(*purge, "0d")  # nobody is at the terminal
        assert of("SELECT count(*) FROM archive.scheduling_timeoff") == 1
        assert "scheduling_timeoff: 1 rows" in archive(*purge, "0d", "--confirm", database)

        assert of("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text = 'archive'"
                  " AND relkind = 'r'") == 0  # fmt: skip
        entry = LedgerEntry.objects.get(table="scheduling_timeoff")
        assert (entry.rows, entry.purged_because) == (1, "The school is closed")
        assert entry.purged_by_name.startswith("command line")
        assert "deleted for good by command line" in archive("show", "scheduling_timeoff")

        # Who copies and erases finds nothing, and no error.
        copy = the_copy(marta.user)
        assert copy["teaching_hours"]["time_off"] == []
        assert copy["closures"]["region"] is None
        erase(marta.user, root)
        reverse.bring_back(apps=APPS)
        empty = {str(one) for one in LedgerEntry.objects.filter(report__purged=True)}
        assert {"scheduling_timeoff", "holidays_holidaysource.difference"} <= empty
    assert not TimeOff.objects.exists()
    assert (
        LedgerEntry.objects.get(table="scheduling_timeoff").report["deleted for good"]["rows"] == 1
    )
    assert keeping.shelf() == []


def test_who_purged_is_in_their_copy_and_is_forgotten(marta: Teacher, root: User) -> None:
    resolve_all(root)
    entry = LedgerEntry.objects.create(
        app="scheduling",
        kind="table",
        table="scheduling_gone",
        archived_as="archive.scheduling_gone",
        back_at=timezone.now(),
    )
    Orphan.objects.create(entry=entry, foreign_key="x", row={"id": 1})
    keeping.purge(
        confirmed=shelf(), older_than=timedelta(), actor=actor_of(root), reason="Long enough"
    )
    assert not Orphan.objects.exists()
    assert the_copy(root)["archive"]["purged"][0]["purged_because"] == "Long enough"
    other = User.objects.create_superuser("other@school.example", "correct horse")
    erase(root, other)
    entry.refresh_from_db()
    assert entry.purged_by_name == f"person {root.pk}"


def aside(name: str) -> LedgerEntry:
    """A table that is back home, with a row that found no place there."""
    entry = LedgerEntry.objects.create(
        app="scheduling",
        kind="table",
        table=name,
        archived_as=f"archive.{name}",
        back_at=timezone.now(),
    )
    Orphan.objects.create(entry=entry, foreign_key="x", row={"id": 1})
    return entry


def purge_after(meanwhile: Callable[[], object]) -> list[str]:
    """What happens while the name of the database is typed."""

    def ask(question: str) -> str:
        assert "scheduling_shown" in question
        meanwhile()
        return str(connection.settings_dict["NAME"])

    options = {"step": "purge", "older_than": timedelta(), "reason": "Old", "confirm": None}
    return answer(options, actor=Actor(name="somebody"), ask=ask)


def test_what_nobody_was_shown_is_not_purged() -> None:
    aside("scheduling_shown")
    (line,) = purge_after(lambda: aside("scheduling_later"))
    assert line.startswith("scheduling_shown: ")
    assert [one.entry.table for one in Orphan.objects.all()] == ["scheduling_later"]
    assert LedgerEntry.objects.get(table="scheduling_later").purged_at is None


def test_what_changed_after_it_was_shown_is_not_purged() -> None:
    entry = aside("scheduling_shown")
    (shown,) = shelf()
    with pytest.raises(keeping.PurgeRefused, match="scheduling_shown changed after it was shown"):
        purge_after(lambda: Orphan.objects.create(entry=entry, foreign_key="x", row={"id": 2}))
    assert Orphan.objects.count() == 2
    young: dict[str, Any] = {"confirmed": shelf(), "older_than": timedelta(days=30)}
    unknown: dict[str, Any] = {
        "confirmed": [replace(shown, entry=entry.pk + 1)],
        "older_than": timedelta(),
    }
    for asked in (young, unknown):
        with pytest.raises(keeping.PurgeRefused, match="changed after it was shown"):
            keeping.purge(**asked, actor=Actor(name="somebody"), reason="Old")
    assert Orphan.objects.count() == 2


@pytest.mark.parametrize("status", ["asked", "ready", "running"])
def test_while_a_phase_is_under_way_nothing_is_purged(status: str) -> None:
    aside("scheduling_shown")
    with pytest.raises(keeping.PurgeRefused, match=r"Phase run \d+ is not over"):
        purge_after(lambda: phase_rows.run(0, status))
    assert Orphan.objects.count() == 1
    PhaseRun.objects.update(status="cancelled")
    assert purge_after(lambda: None)


def test_a_phase_that_is_asked_for_during_the_purge_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    aside("scheduling_shown")
    purged = purging._purge

    def asked_meanwhile(*args: Any) -> Any:
        phase_rows.run(0, "ready")
        return purged(*args)

    monkeypatch.setattr(purging, "_purge", asked_meanwhile)
    with pytest.raises(keeping.PurgeRefused, match="is not over"):
        purge_after(lambda: None)
    assert Orphan.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"older_than": timedelta(-1)}, "not negative"),
        ({"reason": " "}, "A reason is needed"),
        ({"actor": Actor(name="the evaluator", automatic=True)}, "needs a person"),
    ],
)
def test_purging_needs_a_person_a_reason_and_an_age(change: dict[str, Any], words: str) -> None:
    asked: dict[str, Any] = {
        "confirmed": [],
        "older_than": timedelta(days=30),
        "actor": Actor(name="x"),
        "reason": "x",
    }
    with pytest.raises(keeping.PurgeRefused, match=words):
        keeping.purge(**asked | change)


def test_an_age_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="30 days"):
        archive("purge", "--reason", "x", "--older-than", "30 days")
    with pytest.raises(CommandError, match="There is no scheduling_rooms in the archive"):
        archive("show", "scheduling_rooms")
    assert archive("list") == "Nothing is in the archive."
