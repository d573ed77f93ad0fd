"""Import and export by the admin's pages: look first, then write, and nothing but what one may."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from structlog.testing import capture_logs

from enrollment.models import Lesson, Teacher, User
from enrollment.tasks import delete_expired_uploads
from tests.enrollment import school_files
from tests.enrollment.school_files import load
from tests.enrollment.sheet_pages import (
    FILES,
    GONE,
    MODELS,
    TEACHERS,
    choose,
    confirm,
    hints,
    page,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def test_the_whole_school_by_its_pages(office: Client) -> None:
    for model in MODELS:
        looked_at = choose(office, model, FILES[model])
        assert "Nothing has been written yet" in words(looked_at)
        done = confirm(office, model, looked_at)
        assert "Imported: " in words(done)

    assert Lesson.objects.count() == 2
    assert User.objects.get(email="zoe@school.example").groups.get().name == "student"


def test_a_preview_writes_nothing_and_shows_what_will_be(office: Client, tmp_path: Path) -> None:
    load(tmp_path)
    text = TEACHERS.replace("Europe/Berlin", "Europe/Rome") + "ivo@x.example,Ivo,Ek,Europe/Oslo\n"

    result = choose(office, "teacher", text).context["result"]

    assert Teacher.objects.get().zone == "Europe/Berlin"
    changed, new = result.rows
    assert (changed.number, changed.is_update(), changed.label) == (
        2,
        True,
        "marta@school.example · Marta · Rossi",
    )
    assert [(one.column, one.before, one.after) for one in changed.diff] == [
        ("zone", "Europe/Berlin", "Europe/Rome")
    ]
    assert (new.number, new.is_new()) == (3, True)
    assert [(one.column, one.after) for one in new.diff] == [("display_name", "Ivo Ek")]
    assert dict(result.totals) == {
        "new": 1,
        "update": 1,
        "delete": 0,
        "skip": 0,
        "error": 0,
        "invalid": 0,
    }


@pytest.mark.parametrize("model", MODELS)
def test_what_is_there_already_is_not_asked_about(
    office: Client, tmp_path: Path, model: str
) -> None:
    load(tmp_path, units=school_files.UNITS, progress=school_files.PROGRESS)
    exported = office.post(page(model, "export"), {"format": "1", "resource": "0"})

    looked_at = choose(office, model, b"".join(exported.streaming_content))  # type: ignore[attr-defined]

    assert "there is nothing to import" in words(looked_at)
    assert "Import now" not in words(looked_at)
    assert looked_at.context["result"].counts.unchanged > 0


@pytest.mark.parametrize("token", ["", "ü", "x:y", "\x00"])
def test_a_forged_token_finds_no_file(office: Client, token: str) -> None:
    choose(office, "teacher", TEACHERS)
    done = office.post(page("teacher", "process_import"), {"import_file_name": token}, follow=True)
    assert done.status_code == 200
    assert not Teacher.objects.exists()


def test_a_file_of_one_long_line_is_answered_at_once(office: Client) -> None:
    """Numbers of some other program; counting each among all others took minutes."""
    looked_at = choose(office, "teacher", "1," * 100_000)
    assert hints(looked_at) == [
        "teachers.csv, line 1: its first line has 100001 cells; one that names the columns is "
        "needed there."
    ]


def test_every_problem_stands_at_its_line_and_column(office: Client) -> None:
    text = "email,first_name,last_name,zone\nmarta,Marta,,Europe/Berln\n\nivo@x.example,,Ek,Mars\n"

    looked_at = choose(office, "teacher", text)

    found = [(one.line, one.column) for one in looked_at.context["result"].problems]
    assert found == [(2, "email"), (2, "zone"), (2, "last_name"), (4, "zone"), (4, "first_name")]
    assert [errors[0].number for _row, errors in looked_at.context["result"].row_errors()] == [
        *(2, 2, 2),
        *(4, 4),
    ]
    assert '<td data-label="Column">' in words(looked_at)
    assert "Did you mean Europe/Berlin?" in words(looked_at)
    assert 'type="file"' in words(looked_at)
    assert not Teacher.objects.exists()


@pytest.mark.parametrize(
    ("model", "text", "says"),
    [
        (
            "student",
            "email,first_name,last_name\nA@x.example,A,B\na@X.example,A,B\n",
            "line 3, column email: “a@X.example”: already stands in line 2",
        ),
        (
            "course",
            "title,teachers\nOboe,nobody@x.example marta@school.example\n",
            "line 2, column teachers: “nobody@x.example marta@school.example”: nobody@x.example is",
        ),
        (
            "enrollment",
            "student,course\nzoe@school.example,oboe\n",
            "line 2, column course: “oboe”: is neither in courses.csv nor in the school",
        ),
        (
            "enrollment",
            "student,course,teacher\nzoe@school.example,violin,zoe@school.example\n",
            "line 2, column teacher: “zoe@school.example”: is neither in teachers.csv",
        ),
        (
            "course",
            "title,opens_on,closes_on\nOboe,2026-05-02,2026-05-01\n",
            "line 2, column closes_on: “2026-05-01”: lies before the first day",
        ),
        (
            "course",
            "title,opens_on\nOboe,31.02.2026\n",
            "column opens_on: “31.02.2026”: there is no such day",
        ),
        (
            "lesson",
            "teacher,student,course,date,time\n"
            "marta@school.example,jiri@school.example,violin,2026-02-09,16:15\n",
            "line 2, column time: “16:15”: the teacher has another lesson then",
        ),
        (
            "lesson",
            "teacher,student,course,date,time\n"
            "marta@school.example,zoe@school.example,violin,0026-02-09,16:15\n",
            "column date: “0026-02-09”: write the date like",
        ),
        ("teacher", "email,name\n", "column name: “name”: no such column."),
        ("teacher", "email,first_name,last_name,zone\n", "teachers.csv: has no line below"),
        ("teacher", '"\n', "cannot be read from here on"),
        ("teacher", "\n\n", "is empty; its first line must name the columns"),
        ("student", "email,first_name,last_name\nnew@x.example,,\n", "column first_name: “”: must"),
    ],
)
def test_a_file_that_does_not_fit(
    office: Client, tmp_path: Path, model: str, text: str, says: str
) -> None:
    load(tmp_path)
    looked_at = choose(office, model, text)

    assert says in "\n".join(hints(looked_at))
    assert "confirm_form" not in looked_at.context
    assert "Nothing was imported." in words(looked_at)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The submitted file is empty."),
        (b"PK\x03\x04 xl/workbook.xml", "a workbook of a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel or Word file"),
        (b"\x89PNG\r\n\x1a\n\x00", "a picture"),
        (b"%PDF-1.7", "a PDF file"),
        (b"<html>", "a web page"),
        (b"email,first_name\n\x00\n", "it holds NUL characters"),
        (b"x" * (50 * 1024 * 1024), "This file has 50.0\xa0MB; at most 5.0\xa0MB"),
    ],
)
def test_what_is_no_table_is_refused_at_the_field(office: Client, data: bytes, says: str) -> None:
    looked_at = choose(office, "teacher", data, name="teachers.csv")

    assert says in looked_at.context["form"].errors["import_file"][0]
    assert 'id="id_import_file_error"' in words(looked_at)
    assert 'aria-invalid="true"' in words(looked_at)
    assert looked_at.context.get("result") is None


def test_a_file_must_be_chosen(office: Client) -> None:
    answer = office.post(page("teacher", "import"), {"resource": "0"})
    assert answer.context["form"].errors["import_file"] == ["This field is required."]


def test_too_many_lines_are_refused(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from enrollment.operations.import_school import one_table

    monkeypatch.setattr(one_table, "MOST_LINES", 1)
    text = TEACHERS + "ivo@x.example,Ivo,Ek,Europe/Oslo\n"
    assert "has 2 lines; at most 1" in hints(choose(office, "teacher", text))[0]


def test_a_forged_name_finds_nothing(office: Client, staff: User) -> None:
    looked_at = choose(office, "teacher", TEACHERS)
    token = looked_at.context["confirm_form"]["import_file_name"].value()
    forged = ("../../etc/passwd", "x", f"{staff.pk}:enrollment.teacher:{token}", token + "\x00")
    for name in forged:
        done = office.post(
            page("teacher", "process_import"), {"import_file_name": name}, follow=True
        )
        assert GONE in words(done) or done.redirect_chain == [(page("teacher", "import"), 302)]
    assert not Teacher.objects.exists()


def test_somebody_elses_file_is_not_imported(office: Client, admin: User) -> None:
    looked_at = choose(office, "teacher", TEACHERS)
    boss = Client()
    boss.force_login(admin)

    assert GONE in words(confirm(boss, "teacher", looked_at))
    # Nor into another table, nor after another file was looked at.
    assert GONE in words(confirm(office, "student", looked_at))
    choose(office, "teacher", TEACHERS.replace("Marta", "Mara"))
    assert GONE in words(confirm(office, "teacher", looked_at))
    assert not User.objects.filter(email="marta@school.example").exists()


def test_what_was_looked_at_is_imported_once(office: Client) -> None:
    looked_at = choose(office, "teacher", TEACHERS)
    confirm(office, "teacher", looked_at)

    assert GONE in words(confirm(office, "teacher", looked_at))
    assert LogEntry.objects.count() == 1


def test_the_file_waits_where_every_process_finds_it(office: Client, staff: User) -> None:
    choose(office, "teacher", TEACHERS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_cache WHERE cache_key LIKE '%%upload:%%'")
        assert cursor.fetchone() == (1,)
        assert delete_expired_uploads() == 0
        cursor.execute("UPDATE django_cache SET expires = %s", [datetime(2020, 1, 1, tzinfo=UTC)])
    assert delete_expired_uploads() >= 1


def test_a_school_that_changed_in_between_is_left_alone(office: Client, tmp_path: Path) -> None:
    load(tmp_path, lessons="teacher,student,course,date,time\n")
    looked_at = choose(office, "lesson", school_files.LESSONS)
    load(tmp_path, lessons=school_files.LESSONS.replace("16:00", "16:15"))

    done = confirm(office, "lesson", looked_at)

    assert "Nothing was imported." in words(done)
    assert "the teacher has another lesson then" in words(done)
    assert 'type="file"' in words(done)
    assert Lesson.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_an_import_is_written_down(office: Client, staff: User) -> None:
    looked_at = choose(office, "teacher", TEACHERS, name="Kollegium 2026.csv")
    with capture_logs() as log:
        confirm(office, "teacher", looked_at)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (staff, "Kollegium 2026.csv")
    assert entry.change_message == "1 new, 0 changed, 0 unchanged"
    written = next(line for line in log if line["event"] == "file imported")
    assert (written["user"], written["created"]) == (staff.pk, 1)
    assert "Kollegium 2026.csv" in words(office.get(page("teacher", "import")))
    assert "Kollegium" not in words(office.get(page("student", "import")))
