"""The school into files, and files into a school: nothing is lost, nothing is written twice."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import ServerCursor
from structlog.testing import capture_logs

from enrollment.models import Course, Enrollment, Lesson, Message, Reader, Teacher, User
from enrollment.operations.import_school import ImportRefused
from enrollment.operations.personal import erase_account
from rollback import preserving, trips
from rollback.audit import Actor
from rollback.management import preserving_words
from rollback.models import EnrollmentDraft
from rollback.preserving import exporting, importing, manifest, staging
from rollback.preserving.ground import GROUND
from rollback.schema import reverse
from tests import emptying
from tests.conftest import make_student, make_teacher
from tests.rollback import preserved
from tests.rollback.poison import poison

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("preserving")]

APPS = ("scheduling", "holidays")


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    with suppress(reverse.NothingToDo):
        reverse.bring_back(apps=APPS, accept_changes=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A full school, exported."""
    preserved.fill()
    preserving.export(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: Any) -> Path:
    """Where one export of the full school lies, once a test has made it."""
    return Path(tmp_path_factory.mktemp("kept")) / "out"


@pytest.fixture
def emptied(kept: Path, tmp_path: Path) -> Path:
    """An export of a full school, and an empty one."""
    if not kept.exists():
        preserved.fill()
        preserving.export(kept)
        emptying._delete()
    return Path(shutil.copytree(kept, tmp_path / "out"))


def sums(folder: Path) -> dict[str, str]:
    found = manifest.read(folder)
    return {entry.name: entry.sha256 for entry in found.files if not entry.where}


def change(folder: Path, name: str, old: str, new: str) -> None:
    """As somebody would who also knows how to correct a manifest."""
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text, name
    path.write_bytes(text.replace(old, new, 1).encode())
    seal(folder, name)


def seal(folder: Path, name: str) -> None:
    path = folder / manifest.NAME
    found = json.loads(path.read_text())
    for entry in found["files"]:
        if entry["name"] == name:
            entry["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(found))


def refused(folder: Path, **options: Any) -> list[str]:
    """What is said; and nothing was written."""
    before = counted()
    with pytest.raises(ImportRefused) as caught:
        preserving.bring_in(folder, **options)
    assert counted() == before
    return [str(problem) for problem in caught.value.problems]


def counted() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for file in GROUND:
            cursor.execute(f"SELECT count(*) FROM {file.table}")
            found[file.name] = cursor.fetchone()[0]
    return found


def test_from_a_full_school_into_an_empty_one(emptied: Path, tmp_path: Path) -> None:
    report = preserving.bring_in(emptied)
    assert all(one.made and not one.changed for one in report.counts.values()), report.counts
    preserving.export(tmp_path / "again")
    assert sums(tmp_path / "again") == sums(emptied)


def test_again_and_into_the_school_it_is_from_nothing_changes(folder: Path) -> None:
    """Also nobody's password: who is known here is known."""
    before = User.objects.get(email="ada@school.example").password
    for _n in range(2):
        report = preserving.bring_in(folder)
        assert report.is_nothing
        assert report.closed == 0
    assert sum(one.same for one in report.counts.values()) == sum(
        entry.rows for entry in manifest.read(folder).files if not entry.where
    )
    assert User.objects.get(email="ada@school.example").password == before


def test_twice_into_an_empty_school_is_as_good_as_once(emptied: Path) -> None:
    preserving.bring_in(emptied)
    assert preserving.bring_in(emptied).is_nothing


def test_texts_money_and_instants_are_as_they_were(emptied: Path) -> None:
    preserving.bring_in(emptied)
    mine = Enrollment.objects.get(flow="scheduling")
    assert mine.payment_reference == "=PAY-2026-17 "
    assert mine.wished_times == "  Mondays,\r\nafter 17:00\n"
    assert (mine.note, mine.office_note) == ("'=already harmless", "+49 30 1")
    assert mine.created_at == preserved.NOW - 5 * preserved.DAY
    assert [one.body for one in Message.objects.order_by("pk")][0::2] == ["@Marta, “hi”\n", "…"]
    read = {one.user.email: one for one in Reader.objects.all()}
    last = Message.objects.order_by("pk").last()
    assert last is not None
    assert read["marta@school.example"].seen_to == last.pk
    assert read["ada@school.example"].told_to == 0
    ada, zoe = EnrollmentDraft.objects.order_by("student__user__email")
    with connection.cursor() as cursor:
        cursor.execute("SELECT answers::text = %s::jsonb::text FROM rollback_enrollmentdraft WHERE id = %s",
                       [preserved.DEEP, ada.pk])  # fmt: skip
        assert cursor.fetchone() == (True,)
    assert zoe.answers == {"note": "=1", "slot": None}


def test_a_folder_of_the_first_release_says_nothing_of_languages(emptied: Path) -> None:
    text = (emptied / "people.csv").read_text("utf-8")
    assert "Ada,Vogel,de,yes" in text
    (emptied / "people.csv").write_text(
        text.replace(",language", "").replace("Vogel,de,", "Vogel,").replace(",,yes", ",yes"),
        "utf-8",
    )
    seal(emptied, "people.csv")
    preserving.bring_in(emptied)
    assert set(User.objects.values_list("language", flat=True)) == {""}


def test_people_come_without_passwords_and_rights(emptied: Path) -> None:
    assert not any(b"md5$" in path.read_bytes() for path in emptied.iterdir())
    preserving.bring_in(emptied)
    office = User.objects.get(email="office@school.example")
    assert not office.is_staff
    assert not office.groups.exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
    assert not User.objects.filter(email="nobody@school.example").exists(), "named nowhere"
    teacher = User.objects.get(email="marta@school.example")
    assert [group.name for group in teacher.groups.all()] == ["teacher"]


def test_who_was_deleted_stays_so_and_the_next_can_be(emptied: Path) -> None:
    """A deleted person's address has a number of the school it is from, which here is another's."""
    preserving.bring_in(emptied)
    ada, zoe = (User.objects.get(email=f"{name}@school.example") for name in ("ada", "zoe"))
    User.objects.filter(pk=ada.pk).update(
        email=f"deleted-{zoe.pk}@deleted.invalid", deleted_at=preserved.NOW
    )
    erase_account(user=zoe, now=preserved.NOW)
    zoe.refresh_from_db()
    assert zoe.email.startswith(f"deleted-{zoe.pk}-")


def test_who_signed_up_with_anothers_address_does_not_get_in(emptied: Path) -> None:
    same = {"first_name": "Ada", "last_name": "Vogel", "language": "de"}
    User.objects.create_user("ada@school.example", "stranger", **same)
    assert preserving.bring_in(emptied).closed == 1
    assert not User.objects.get(email="ada@school.example").has_usable_password()


def stranger(email: str, *, confirmed: bool = False) -> User:
    """Who signs up is a student at once, whosever address they typed."""
    user = make_student(email).user
    EmailAddress.objects.create(user=user, email=email, verified=confirmed, primary=True)
    return user


def alone_in(tmp_path: Path, what: str) -> Path:
    """An export in which Eve has one thing, and is in no enrollment."""
    preserved.fill()
    eve = make_student("eve@school.example")
    choir = Course.objects.get(slug="choir")
    if what == "draft":
        poison(eve, choir, '{"note": "private"}', started_at=preserved.NOW)
    elif what == "lesson":
        teacher = Teacher.objects.get()
        starts = preserved.NOW + 6 * preserved.DAY
        preserved.a_lesson(student=eve, teacher=teacher, course=choir, starts=starts)
    else:
        mine = Enrollment.objects.get(flow="scheduling")
        Message.objects.create(enrollment=mine, sender=eve.user, body="hi", sent_at=preserved.NOW)
    preserving.export(tmp_path / "out")
    emptying._delete()
    return tmp_path / "out"


@pytest.mark.parametrize("what", ["draft", "lesson", "message"])
def test_a_strangers_login_is_closed_whatever_comes_to_it(tmp_path: Path, what: str) -> None:
    """Their student's row is in the school as it is in the file: it is not new, what hangs on it is."""
    folder = alone_in(tmp_path, what)
    eve = stranger("eve@school.example")
    assert preserving.bring_in(folder).closed == 1
    eve.refresh_from_db()
    assert not eve.has_usable_password()
    assert not EmailAddress.objects.exists(), "no reset mail to whoever waits for a confirmation"


def test_who_confirmed_the_address_keeps_the_password(tmp_path: Path) -> None:
    folder = alone_in(tmp_path, "draft")
    eve = stranger("eve@school.example", confirmed=True)
    assert preserving.bring_in(folder).closed == 0
    eve.refresh_from_db()
    assert eve.has_usable_password()


def test_what_comes_into_a_strangers_conversation_or_is_changed_counts_too(folder: Path) -> None:
    """Named by an enrollment alone; and in the second case by a row that was there."""
    Message.objects.filter(body="…").delete()
    assert preserving.bring_in(folder, update=True).closed == 1
    ada, zoe = (User.objects.get(email=f"{name}@school.example") for name in ("ada", "zoe"))
    assert (ada.has_usable_password(), zoe.has_usable_password()) == (False, True)
    EnrollmentDraft.objects.filter(student__user=zoe).update(version=7)
    assert preserving.bring_in(folder, update=True).closed == 1
    zoe.refresh_from_db()
    assert not zoe.has_usable_password()


def test_facts_are_read_from_the_archive_and_where_there_are_none_it_says_so(
    folder: Path, tmp_path: Path
) -> None:
    here = {entry.name: entry for entry in manifest.read(folder).files if entry.where}
    assert all(entry.rows and entry.where == "schema" for entry in here.values()), here
    reverse.take_away(apps=APPS)
    preserving.export(tmp_path / "away")
    away = {entry.name: entry for entry in manifest.read(tmp_path / "away").files if entry.where}
    assert {entry.sha256 for entry in away.values()} == {one.sha256 for one in here.values()}
    assert {entry.where for entry in away.values() if entry.name != "holds.csv"} == {"archive"}
    assert sums(tmp_path / "away") == sums(folder)
    assert preserving.bring_in(folder).is_nothing, "the ground floor needs none of them"
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA archive RENAME TO elsewhere")
        try:
            preserving.export(tmp_path / "none")
        finally:
            cursor.execute("ALTER SCHEMA elsewhere RENAME TO archive")
    none = {entry.name: entry for entry in manifest.read(tmp_path / "none").files if entry.where}
    assert {entry.where for entry in none.values() if entry.name != "holds.csv"} == {"absent"}
    assert not (tmp_path / "none" / "weekly_hours.csv").exists()
    assert preserving.bring_in(tmp_path / "none").is_nothing


def test_a_column_that_went_alone_is_read_from_where_it_waits(tmp_path: Path) -> None:
    preserved.fill()
    with connection.cursor() as cursor:
        # As `rollback.schema.archive` puts one away, in the same words.
        cursor.execute("CREATE SCHEMA IF NOT EXISTS archive")
        cursor.execute(
            "CREATE TABLE archive.scheduling_timeoff__reason AS SELECT id, reason FROM scheduling_timeoff"
        )
        cursor.execute("ALTER TABLE scheduling_timeoff RENAME reason TO hidden")
        try:
            preserving.export(tmp_path / "aside")
            cursor.execute("DROP TABLE archive.scheduling_timeoff__reason")
            found = preserving.export(tmp_path / "without")
        finally:
            cursor.execute("ALTER TABLE scheduling_timeoff RENAME hidden TO reason")
            cursor.execute("DROP TABLE IF EXISTS archive.scheduling_timeoff__reason")
    assert ",knee" in (tmp_path / "aside" / "time_off.csv").read_text("utf-8-sig")
    assert next(e for e in found.files if e.name == "time_off.csv").without == ["reason"]
    assert "knee" not in (tmp_path / "without" / "time_off.csv").read_text("utf-8-sig")


# ---------------------------------------------------------------------- what is refused


def test_a_file_that_is_not_as_it_was_exported_is_refused(folder: Path) -> None:
    path = folder / "lessons.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"planned", b"done", 1))
    assert refused(folder) == [
        "lessons.csv: is not as it was exported: its checksum is another. Export again; or, if you "
        "changed it on purpose, say so: --changed lessons.csv"
    ]
    path.write_bytes(whole[:-40])
    assert "its checksum is another" in refused(folder)[0]
    path.unlink()
    assert refused(folder) == [
        "lessons.csv: is named in the manifest and cannot be opened (No such file or directory); "
        "export again."
    ]


def test_with_a_key_only_what_was_signed_with_it_comes_in(
    folder: Path, tmp_path: Path, settings: Any
) -> None:
    settings.PRESERVATION_KEY = "a key"
    assert "manifest.hmac: does not fit" in refused(folder)[0]
    preserving.export(tmp_path / "signed")
    assert preserving.bring_in(tmp_path / "signed").is_nothing
    lessons = tmp_path / "signed" / "lessons.csv"
    whole = lessons.read_bytes()
    lessons.write_bytes(whole.replace(b"planned", b"done", 1))
    assert refused(tmp_path / "signed") == [
        "lessons.csv: is not as it was exported: its checksum is another. Export again."
    ]
    (said,) = refused(tmp_path / "signed", changed=["lessons.csv"], update=True)
    assert said.startswith("--changed: this school takes only what was signed")
    lessons.write_bytes(whole)
    seal(tmp_path / "signed", "lessons.csv")
    assert "manifest.hmac: does not fit" in refused(tmp_path / "signed")[0]


@pytest.mark.parametrize("name", ["messages.csv", "drafts.jsonl"])
def test_a_file_that_becomes_another_after_its_checksum_was_compared(
    emptied: Path, name: str, monkeypatch: Any
) -> None:
    """Put in its place, in the moment between looking and reading; found out before anything stays."""
    path, forged = emptied / name, emptied.parent / "forged"
    text = path.read_text("utf-8")
    changed = text.replace("“hi”", "“ho”").replace('"step": ""', '"step": "x"')
    assert changed != text
    forged.write_bytes(changed.encode())
    lock = importing._lock
    monkeypatch.setattr(importing, "_lock", lambda: (lock(), forged.replace(path)))
    assert refused(emptied) == [
        f"{name}: became another while it was read; export again, to where nobody else writes."
    ]


def test_links_and_pipes_are_not_followed(folder: Path) -> None:
    path, elsewhere = folder / "lessons.csv", folder.parent / "elsewhere.csv"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    (said,) = refused(folder)
    assert "cannot be opened (is a link, which may lead anywhere" in said
    path.unlink()
    os.mkfifo(path)
    (said,) = refused(folder)
    assert "cannot be opened (is no file)" in said
    path.unlink()
    elsewhere.rename(path)
    (folder / manifest.NAME).rename(elsewhere)
    (folder / manifest.NAME).symlink_to(elsewhere)
    assert "is a link" in refused(folder)[0]


def test_every_bad_line_is_named_with_what_to_do(emptied: Path) -> None:
    """And nobody complains of what only follows from it."""
    at = "2026-03-03T10:15:15.123456Z"
    bad = (
        ("lessons.csv", f",{at}", ",2026-02-30T10:15Z", "line 2, column ends_at: “2026-02-30T10:15Z”: write"),
        ("lessons.csv", f",{at}", ",2026-03-03T10:15", "line 3, column ends_at: “2026-03-03T10:15”: write"),
        ("courses.csv", "2026-01-01", "2026-13-01", "column opens_on: “2026-13-01”: there is no such day"),
        ("enrollments.csv", ",marta@school", ",marat@school", "“marat@school.example”: is neither in te"),
        ("enrollments.csv", ",declined,", ",maybe,", "column status: “maybe”: write one of requested"),
        ("students.csv", "Europe/Paris", "Europe/Pari", "line 3, column zone: “Europe/Pari”: no such t"),
        ("units.csv", "violin Scales", "violin Scale", "line 2, column key: “violin Scale,  slow”: does not"),
        ("drafts.jsonl", '"[7]"', '"[7"', "line 2, column set_aside: “[7”: is no JSON; take the value from"),
        ("drafts.jsonl", '"\\"ü\\""', '"[NaN]"', "line 1, column key: “ada@school.example choir 2026"),
    )  # fmt: skip
    for name, old, new, _words in bad:
        change(emptied, name, old, new)
    said = refused(emptied)
    expected = [f"{name}, {words}" for name, _old, _new, words in bad if words.startswith("line")]
    for words in [words for *_rest, words in bad] + expected:
        assert any(words in one for one in said), (words, said)
    assert len(said) == len(bad)
    assert not User.objects.exists()


def test_a_line_that_stands_there_twice(emptied: Path) -> None:
    path = emptied / "no_reminders.csv"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    assert refused(emptied, changed=["no_reminders.csv"]) == [
        "no_reminders.csv, line 3, column student: “zoe@school.example”: already stands in line 2; "
        "keep one of the two."
    ]


def test_a_lesson_that_collides_is_named_and_the_database_decides(emptied: Path) -> None:
    teacher = make_teacher()
    other = make_student("eve@school.example")
    course = Course.objects.create(title="Choir", slug="choir", seats=3, opens_on="2026-01-01")
    preserved.a_lesson(
        student=other, teacher=teacher, course=course, starts=preserved.NOW + preserved.DAY
    )
    (said,) = refused(emptied)
    assert said.startswith("lessons.csv, line 3, column key:")
    assert "The teacher already has a lesson at this time." in said
    assert (
        "In its way is choir, 2026-03-03T09:30:15.123456+00:00, eve@school.example with marta"
        in said
    )
    assert Lesson.objects.count() == 1


def test_a_group_that_would_be_too_full(emptied: Path) -> None:
    teacher = make_teacher()
    course = Course.objects.create(title="Choir", slug="choir", seats=3, opens_on="2026-01-01")
    for number in range(2):
        preserved.a_lesson(
            student=make_student(f"eve{number}@school.example"),
            teacher=teacher,
            course=course,
            starts=preserved.NOW + 3 * preserved.DAY,
            seats=3,
        )
    (said,) = refused(emptied)
    assert "its group would have more students than seats" in said


def test_what_differs_is_refused_and_taken_over_when_asked(folder: Path) -> None:
    Enrollment.objects.filter(flow="scheduling").update(note="other", payment_reference="")
    Message.objects.filter(body="…").update(body="changed")
    said = refused(folder)
    assert [one.partition("; with")[0] for one in said] == [
        "enrollments.csv, line 2, column note: “'=already harmless”: the school has “other”",
        "enrollments.csv, line 2, column payment_reference: “=PAY-2026-17 ”: the school has “”",
        "messages.csv, line 5, column body: “…”: the school has “changed”",
    ]
    report = preserving.bring_in(folder, update=True)
    assert (report.counts["enrollments.csv"].changed, report.counts["messages.csv"].changed) == (
        1,
        1,
    )
    assert Enrollment.objects.get(flow="scheduling").payment_reference == "=PAY-2026-17 "
    assert preserving.bring_in(folder).is_nothing


def test_what_no_import_may_change_stays(folder: Path) -> None:
    User.objects.filter(email="ada@school.example").update(deleted_at=preserved.NOW)
    (said,) = refused(folder, update=True)
    assert "column deleted_at" in said
    assert "and an import never changes that" in said


def test_who_was_dismissed_stays_so_and_nobody_is_locked_out(folder: Path) -> None:
    User.objects.filter(email="office@school.example").update(is_active=False, is_superuser=True)
    User.objects.filter(email="zoe@school.example").update(is_active=False)
    change(
        folder,
        "people.csv",
        "ada@school.example,Ada,Vogel,de,yes",
        "ada@school.example,Ada,Vogel,de,no",
    )
    said = refused(folder, update=True)
    assert [one.partition(": the school")[0] for one in said] == [
        "people.csv, line 2, column is_active: “no”",
        "people.csv, line 4, column is_active: “yes”",
        "people.csv, line 5, column is_active: “yes”",
    ]
    assert "the school has “no”, this is an account of the office, and an import never" in said[1]
    assert "and an import never changes that" in said[2]


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("update", [True, False])
def test_an_account_of_the_office_is_not_changed_at_all(
    folder: Path, right: str, update: bool
) -> None:
    """Also not its name; and nobody is told that --update would do it."""
    rights = {"is_staff": False, "is_superuser": False, right: True}
    User.objects.filter(email="office@school.example").update(**rights)
    change(folder, "people.csv", "office@school.example,,", "office@school.example,Mallory,")
    assert refused(folder, update=update) == [
        "people.csv, line 4, column first_name: “Mallory”: the school has “”, this is an account of the "
        "office, and an import never changes one; change it in the office, or leave the line out."
    ]


def test_what_may_not_be_changed_is_found_among_many_that_may(
    folder: Path, monkeypatch: Any
) -> None:
    """A thousand harmless changes before it are no way past."""
    monkeypatch.setattr(staging, "MOST_PROBLEMS", 0)
    User.objects.filter(email="ada@school.example").update(first_name="Adah")
    User.objects.filter(email="zoe@school.example").update(is_active=False)
    with pytest.raises(ImportRefused) as caught:
        preserving.bring_in(folder, update=True)
    assert [str(one) for one in caught.value.problems] == ["people.csv: has more than 0 problems."]
    assert not User.objects.get(email="zoe@school.example").is_active


def test_who_imported_what_is_in_the_log(folder: Path) -> None:
    text = (folder / manifest.NAME).read_bytes()
    Message.objects.filter(body="…").delete()
    actor = Actor(name="Olga of the office")
    with capture_logs() as lines:
        preserving.bring_in(folder, actor=actor, update=True)
    (line,) = [line for line in lines if line["event"] == "preserving.imported"]
    assert line["by"] == "Olga of the office"
    assert line["manifest"] == hashlib.sha256(text).hexdigest()
    assert (line["created"], line["changed"]) == ({"messages.csv": 1}, {"readers.csv": 1})
    assert (line["update"], line["dry_run"], line["logins_closed"]) == (True, False, 1)
    (folder / "units.csv").unlink()
    with capture_logs() as lines, pytest.raises(ImportRefused):
        preserving.bring_in(folder)
    (line,) = [line for line in lines if line["event"] == "preserving.refused"]
    assert line["by"].startswith("command line")
    assert line["problems"] == 1


def test_a_dry_run_writes_nothing(emptied: Path) -> None:
    report = preserving.bring_in(emptied, dry_run=True)
    assert report.counts["lessons.csv"].made == 4
    assert not any(counted().values())


def test_a_connection_that_is_cut_leaves_nothing_half_done(emptied: Path, tmp_path: Path) -> None:
    other = connection.copy()

    def cut(words: str) -> None:
        if words.startswith("lessons.csv"):
            with other.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                )

    try:
        for what, folder in (("import", emptied), ("export", tmp_path / "new")):
            options = {
                "folder": folder,
                "dry_run": False,
                "update": False,
                "changed": (),
                "columns": 0,
            }
            with pytest.raises(CommandError, match="Nothing is half done: start the same again"):
                preserving_words.answer(what, options, say=cut)
            trips.forget()
            connection.close()
            assert not any(counted().values())
    finally:
        other.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not preserving.bring_in(emptied).is_nothing


def test_who_writes_just_now_is_waited_for_and_then_named(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("rollback.preserving.importing.PATIENCE", "50ms")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE enrollment_lesson IN ROW EXCLUSIVE MODE")
            (said,) = refused(folder)
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert (
        said
        == "the school: others are writing into it, for more than 50ms; try again. Nothing was changed."
    )


# ---------------------------------------------------------------------- the folder


def test_a_folder_that_is_not_empty_and_other_bad_places(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    (tmp_path / "link").symlink_to(tmp_path)
    places = {
        folder: "is not empty",
        tmp_path / "no" / "parent": "Make it first",
        folder / "lessons.csv": "is no folder",
        tmp_path / "link": "is no folder",
    }
    for place, words in places.items():
        with pytest.raises(preserving.ExportRefused, match=words):
            preserving.export(place)
    (tmp_path / "link").unlink()
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "empty").mkdir()
    preserving.export(tmp_path / "empty")
    assert sums(tmp_path / "empty") == sums(folder)


@pytest.mark.parametrize("fails", [False, True])
def test_another_exports_folder_stays(tmp_path: Path, monkeypatch: Any, fails: bool) -> None:
    """Of a process with our number, on another machine that shares the disk."""
    theirs = tmp_path / f".out.unfinished-{os.getpid()}"
    theirs.mkdir()
    (theirs / "people.csv").write_text("theirs")
    if fails:
        monkeypatch.setattr(manifest, "signature", lambda text: os.mkdir(tmp_path))
        with pytest.raises(preserving.ExportRefused, match="cannot be written: File exists"):
            preserving.export(tmp_path / "out")
    else:
        preserving.export(tmp_path / "out")
    assert (theirs / "people.csv").read_text() == "theirs"
    left = {path.name for path in tmp_path.iterdir()} - {theirs.name}
    assert left == (set() if fails else {"out"})


def test_the_folder_is_for_its_owner_only(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    """As far as the system lets a process write, which is a real limit."""
    import resource
    import signal

    preserved.fill()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, before[1]))
    try:
        with pytest.raises(preserving.ExportRefused, match="cannot be written: File too large"):
            preserving.export(tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(tmp_path.iterdir())


def test_everything_is_of_one_moment(tmp_path: Path) -> None:
    """Written by others while the export runs: not in it."""
    preserved.fill()
    expected = counted()["messages.csv"]
    other = connection.copy()

    def meanwhile(words: str) -> None:
        if words.startswith("people.csv"):
            with other.cursor() as cursor:
                cursor.execute("DELETE FROM enrollment_message")

    try:
        found = preserving.export(tmp_path / "out", say=meanwhile)
    finally:
        other.close()
    assert next(e for e in found.files if e.name == "messages.csv").rows == expected > 0
    assert not Message.objects.exists()


def test_no_table_is_locked_longer_than_it_is_read(tmp_path: Path, monkeypatch: Any) -> None:
    """Phase 1 need not wait for a long export: once a file is written its tables are free."""
    preserved.fill()
    reached: list[str] = []
    other = connection.copy()
    rows_of = exporting.rows_of

    def between(file: Any) -> Any:
        if file.name in ("lesson_changes.csv", "regions.csv"):
            with other.cursor() as cursor:
                cursor.execute(
                    "BEGIN; LOCK TABLE enrollment_teacher, scheduling_timeoff"
                    " IN ACCESS EXCLUSIVE MODE NOWAIT; ROLLBACK"
                )
            reached.append(file.name)
        return rows_of(file)

    monkeypatch.setattr(exporting, "rows_of", between)
    try:
        preserving.export(tmp_path / "out")
    finally:
        other.close()
    assert reached == ["lesson_changes.csv", "regions.csv"]


def test_rows_come_from_the_server_bit_by_bit(tmp_path: Path, monkeypatch: Any) -> None:
    """Never all at once: the cursor is the server's, and is asked for a few rows at a time."""
    preserved.fill()
    monkeypatch.setattr(exporting, "CHUNK", 2)
    fetched: list[int] = []
    asked: list[str] = []
    execute, iterate = ServerCursor.execute, ServerCursor._fetch_gen

    def noted(self: Any, query: Any, *args: Any, **named: Any) -> Any:
        asked.append(str(query))
        return execute(self, query, *args, **named)

    def counted_rows(self: Any, num: int | None) -> Any:
        rows = yield from iterate(self, num)
        fetched.append(len(rows))
        return rows

    monkeypatch.setattr(ServerCursor, "execute", noted)
    monkeypatch.setattr(ServerCursor, "_fetch_gen", counted_rows)
    found = preserving.export(tmp_path / "out")
    assert len(asked) == len([entry for entry in found.files if entry.sha256])
    assert max(fetched) == 2
    assert sum(fetched) == sum(entry.rows for entry in found.files)


# ---------------------------------------------------------------------- at the terminal


def test_the_commands_say_what_they_did(folder: Path, tmp_path: Path) -> None:
    out = StringIO()
    call_command("rollback", "export", str(tmp_path / "told"), stdout=out, stderr=StringIO())
    assert "weekly_hours.csv: 1 rows." in out.getvalue()
    assert "It holds personal data." in out.getvalue()
    out = StringIO()
    call_command("rollback", "import", str(folder), "--dry-run", stdout=out, stderr=StringIO())
    assert "lessons.csv: 0 created, 0 changed, 4 as they were" in out.getvalue()
    assert "scheduling facts stay in the folder" in out.getvalue()
    assert out.getvalue().endswith("A dry run: nothing was written.\n")
    with pytest.raises(CommandError, match="is not empty"):
        call_command("rollback", "export", str(folder))
    (folder / "people.csv").unlink()
    with pytest.raises(CommandError, match="Nothing imported: 1 problem"):
        call_command("rollback", "import", str(folder))


def test_formulas_are_harmless_in_a_spreadsheet(folder: Path) -> None:
    text = (folder / "enrollments.csv").read_text("utf-8-sig")
    assert "'=PAY-2026-17 " in text
    assert "''=already harmless" in text
    assert "'=1+1" in (folder / "courses.csv").read_text("utf-8-sig")
    assert "'@Marta" in (folder / "messages.csv").read_text("utf-8-sig")
