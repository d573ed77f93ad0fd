"""Import and export by the admin's pages: look first, then write, and nothing but what one may."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from structlog.testing import capture_logs

from enrollment.admin import resources
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.tasks import delete_expired_uploads
from tests.conftest import Switches, make_teacher, make_user
from tests.enrollment import school_files
from tests.enrollment.school_files import load

pytestmark = pytest.mark.django_db

MODELS = ("teacher", "student", "course", "enrollment", "lesson")
TEACHERS = school_files.TEACHERS
GONE = "This file is no longer here"


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def page(model: str, kind: str) -> str:
    return reverse(f"admin:enrollment_{model}_{kind}")


def choose(client: Client, model: str, text: str | bytes, name: str = "") -> Any:
    """The answer to a chosen file: a preview, or what is wrong with it."""
    data = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile(name or f"{model}s.csv", data)
    return client.post(page(model, "import"), {"import_file": file, "resource": "0"})


def confirm(client: Client, model: str, looked_at: Any) -> Any:
    token = looked_at.context["confirm_form"]["import_file_name"].value()
    return client.post(page(model, "process_import"), {"import_file_name": token}, follow=True)


def words(response: Any) -> str:
    return str(response.content.decode())


def hints(response: Any) -> list[str]:
    return [str(problem) for problem in response.context["result"].problems]


def test_the_whole_school_by_its_pages(office: Client) -> None:
    for model in MODELS:
        looked_at = choose(office, model, school_files.SCHOOL[f"{model}s"])
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
    load(tmp_path)
    exported = office.post(page(model, "export"), {"format": "1", "resource": "0"})

    looked_at = choose(office, model, b"".join(exported.streaming_content))  # type: ignore[attr-defined]

    assert "there is nothing to import" in words(looked_at)
    assert "Import now" not in words(looked_at)
    assert looked_at.context["result"].counts.unchanged > 0


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


# ---------------------------------------------------------------- who may


def permitted(*names: str) -> Client:
    from django.contrib.auth.models import Permission

    user = make_user("clerk@school.example", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_who_may_only_look_may_export_and_not_import(model: str) -> None:
    clerk = permitted(f"view_{model}")

    listed = words(clerk.get(page(model, "changelist")))
    assert page(model, "export") in listed
    assert page(model, "import") not in listed
    assert clerk.get(page(model, "export")).status_code == 200
    assert clerk.get(page(model, "import")).status_code == 403
    assert choose(clerk, model, school_files.SCHOOL[f"{model}s"]).status_code == 403
    assert clerk.post(page(model, "process_import")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", ["add", "change"])
def test_an_import_needs_to_add_and_to_change(model: str, given: str) -> None:
    clerk = permitted(f"{given}_{model}")
    assert clerk.get(page(model, "import")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_nobody_else_gets_near(student: Student, model: str) -> None:
    for user in (student.user, None, make_user("bare@school.example", is_staff=True)):
        client = Client()
        if user:
            client.force_login(user)
        for kind in ("import", "export", "process_import"):
            expected = 403 if user and user.is_staff else 302
            assert client.post(page(model, kind)).status_code == expected


def test_confirming_takes_a_post(office: Client) -> None:
    assert office.get(page("teacher", "process_import")).status_code == 405


def test_everything_works_with_every_feature_off(office: Client, switches: Switches) -> None:
    switches.kill()
    confirm(office, "teacher", choose(office, "teacher", TEACHERS))
    assert Teacher.objects.count() == 1


# ---------------------------------------------------------------- logins


def test_nobody_becomes_staff_by_a_file(office: Client) -> None:
    for column in ("is_staff", "is_superuser", "password", "groups"):
        text = f"email,first_name,last_name,{column}\nx@x.example,X,Y,1\n"
        assert "no such column" in hints(choose(office, "student", text))[0]
    confirm(office, "teacher", choose(office, "teacher", TEACHERS))
    marta = User.objects.get(email="marta@school.example")
    assert (marta.is_staff, marta.is_superuser) == (False, False)
    assert not marta.has_usable_password()


@pytest.mark.parametrize("model", ["teacher", "student"])
@pytest.mark.parametrize("rank", ["is_staff", "is_superuser"])
def test_a_login_of_the_office_keeps_its_name_and_password(
    office: Client, model: str, rank: str
) -> None:
    facts: dict[str, Any] = {"first_name": "Bea", "last_name": "Boss", rank: True}
    user = make_user("boss@school.example", **facts)
    text = "email,first_name,last_name,zone\nBoss@school.example,{},Boss,Europe/Berlin\n"

    refused = choose(office, model, text.format("Mallory"))
    assert "column first_name: “Mallory”: belongs to a login of the office" in hints(refused)[0]
    confirm(office, model, choose(office, model, text.format("Bea")))

    user.refresh_from_db()
    assert (user.first_name, user.check_password("correct horse")) == ("Bea", True)
    assert getattr(user, rank)


def test_a_preview_tells_of_logins_that_lose_their_password(office: Client) -> None:
    user = make_user("zoe@school.example", first_name="Zoë", last_name="Lefèvre")
    looked_at = choose(office, "student", school_files.STUDENTS)

    assert "This login loses its password" in " ".join(words(looked_at).split())
    user.refresh_from_db()
    assert user.has_usable_password()
    confirm(office, "student", looked_at)
    user.refresh_from_db()
    assert not user.has_usable_password()


def test_a_preview_tells_of_a_login_that_gets_another_name(
    office: Client, teacher: Teacher
) -> None:
    text = "email,first_name,last_name\nMarta@school.example,Mara,Rossi\n"

    looked_at = choose(office, "student", text)

    assert "This login is called Marta Rossi so far" in " ".join(words(looked_at).split())


# ---------------------------------------------------------------- many rows


def students_file(count: int) -> str:
    lines = "".join(f"s{n}@school.example,S,{n},Europe/Berlin\n" for n in range(count))
    return "email,first_name,last_name,zone\n" + lines


def lessons_file(count: int) -> str:
    """One teacher has 40 hours a week; each student one lesson."""
    start = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - a wall clock
    lines = []
    for number in range(count):
        at = start + timedelta(days=number // 8, hours=number % 8)
        lines.append(
            f"marta@school.example,s{number}@school.example,violin,{at:%Y-%m-%d},{at:%H:%M}\n"
        )
    return "teacher,student,course,date,time\n" + "".join(lines)


def enroll_everybody() -> None:
    course = Course.objects.get()
    Enrollment.objects.bulk_create(
        Enrollment(student=student, course=course) for student in Student.objects.all()
    )


def test_thousands_of_rows_take_few_queries_and_a_short_page(office: Client) -> None:
    many = 5000
    teacher = make_teacher()
    Course.objects.create(title="Violin", slug="violin", capacity=many).teachers.add(teacher)
    files: dict[str, Callable[[int], str]] = {"student": students_file, "lesson": lessons_file}
    for model, text in files.items():
        if model == "lesson":
            enroll_everybody()
        with CaptureQueriesContext(connection) as queries:
            looked_at = choose(office, model, text(many))
        assert len(queries) <= 50, len(queries)
        assert len(looked_at.context["result"].rows) == resources.SHOWN
        assert f"{many - resources.SHOWN} more lines are not shown" in words(looked_at)
        assert len(looked_at.content) < 200_000
        with CaptureQueriesContext(connection) as queries:
            done = confirm(office, model, looked_at)
        assert f"Imported: {many} new" in words(done)
        assert len(queries) <= 50, len(queries)

    assert Lesson.objects.count() == many
    with CaptureQueriesContext(connection) as queries:
        answer = office.post(page("lesson", "export"), {"format": "0", "resource": "0"})
        lines = b"".join(answer.streaming_content).splitlines()  # type: ignore[attr-defined]
    assert len(lines) == many + 1
    assert len(queries) <= 12, [query["sql"][:100] for query in queries]


def test_whatever_stands_in_a_file_is_only_text(office: Client) -> None:
    text = TEACHERS.replace("Rossi", "<script>alert(1)</script>")
    shown = words(choose(office, "teacher", text))
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "<b>" not in words(choose(office, "teacher", text.replace("Europe/Berlin", "<b>")))


def test_of_many_problems_a_hundred_are_shown(office: Client) -> None:
    text = students_file(300).replace("Europe/Berlin", "Mars")
    looked_at = choose(office, "student", text)

    assert words(looked_at).count("no such time zone") == resources.SHOWN
    assert "These are the first 100 of 300." in " ".join(words(looked_at).split())


# ---------------------------------------------------------------- export


def exported(client: Client, address: str, **form: str) -> str:
    answer = client.post(address, {"format": "0", "resource": "0"} | form)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]


def test_the_list_decides_what_is_exported(office: Client, tmp_path: Path) -> None:
    load(tmp_path)
    for query, count in (("", 2), ("?status__exact=done", 1), ("?q=zoe", 2), ("?q=nobody", 0)):
        address = page("lesson", "export") + query
        assert office.get(address).context["count"] == count
        assert len(exported(office, address).splitlines()) == count + 1
    assert "one row of 2: what the list shows" in " ".join(
        words(office.get(page("lesson", "export") + "?status__exact=done")).split()
    )
    courses = page("course", "export") + "?q=violin&o=-1"
    assert "marta@school.example" in exported(office, courses)


@pytest.mark.parametrize(
    "query", ["?teacher__id__exact=x", "?status__exact=%00", "?p=x&nonsense=1"]
)
def test_a_list_that_cannot_be_filtered_is_exported_whole(office: Client, query: str) -> None:
    answer = office.get(page("lesson", "export") + query, follow=True)
    assert answer.status_code == 200


def test_the_separator_can_be_chosen_and_suits_the_language(office: Client, tmp_path: Path) -> None:
    load(tmp_path)
    address = page("student", "export")
    for number, mark in enumerate(",;\t"):
        text = exported(office, address, format=str(number))
        assert text.splitlines()[0] == mark.join(("email", "first_name", "last_name", "zone"))
    assert office.get(address).context["form"]["format"].value() == "0"
    german = office.get(address, headers={"accept-language": "de"})
    assert german.context["form"]["format"].value() == "1"
    wrong = office.post(address, {"format": "9", "resource": "0"})
    assert wrong.context["form"].errors["format"]


def test_the_file_is_called_as_the_import_knows_it(office: Client) -> None:
    answer = office.post(page("teacher", "export"), {"format": "0", "resource": "0"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="teachers.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_no_page_has_an_inline_script_or_style(office: Client, tmp_path: Path) -> None:
    load(tmp_path)
    text = TEACHERS.replace("Europe/Berlin", "Europe/Rome")
    pages = [
        office.get(page("teacher", "import")),
        office.get(page("teacher", "export")),
        choose(office, "teacher", text),
        choose(office, "teacher", text.replace("Europe/Rome", "Mars")),
    ]
    for answer in pages:
        main = words(answer).split('<div class="sheet">')[1].split("simplebar.js")[0]
        assert main.count("<script") == 1, "unfold's own, at the end"
        assert "style=" not in main
