"""Many rows, and the lists that become files."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.admin import resources
from enrollment.domain import cells
from enrollment.models import Course, Enrollment, Student, User
from tests.conftest import make_teacher
from tests.enrollment.school_files import load
from tests.enrollment.sheet_pages import TEACHERS, choose, confirm, page, words

pytestmark = pytest.mark.django_db

STUDENTS = 200


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    client.force_login(staff)
    return client


def students_file(count: int) -> str:
    lines = "".join(f"s{n}@school.example,S,{n},Europe/Berlin\n" for n in range(count))
    return "email,first_name,last_name,zone\n" + lines


def lessons_file(count: int) -> str:
    """One teacher has eight lessons each day."""
    start = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - a wall clock
    lines = []
    for number in range(count):
        at = start + timedelta(days=number // 8, hours=number % 8)
        lines.append(
            f"marta@school.example,s{number % STUDENTS}@school.example,violin,{at:%Y-%m-%d},{at:%H:%M}\n"
        )
    return "teacher,student,course,date,time\n" + "".join(lines)


def students_of_violin(count: int) -> None:
    """Enrolled, by three statements."""
    teacher = make_teacher()
    course = Course.objects.create(title="Violin", slug="violin", capacity=count)
    course.teachers.add(teacher)
    addresses = [f"s{number}@school.example" for number in range(count)]
    users = User.objects.bulk_create(User(email=one) for one in addresses)
    students = Student.objects.bulk_create(Student(user=one, zone="UTC") for one in users)
    Enrollment.objects.bulk_create(Enrollment(student=one, course=course) for one in students)


@pytest.mark.parametrize(("model", "many"), [("student", 400), ("lesson", 5000)])
def test_thousands_of_rows_take_few_queries_and_a_short_page(
    office: Client, model: str, many: int
) -> None:
    if model == "lesson":
        students_of_violin(STUDENTS)
    text = lessons_file(many) if model == "lesson" else students_file(many)
    with CaptureQueriesContext(connection) as queries:
        looked_at = choose(office, model, text)
    assert len(queries) <= 50, len(queries)
    assert len(looked_at.context["result"].rows) == resources.SHOWN
    assert f"{many - resources.SHOWN} more lines are not shown" in words(looked_at)
    assert len(looked_at.content) < 200_000
    with CaptureQueriesContext(connection) as queries:
        done = confirm(office, model, looked_at)
    assert f"Imported: {many} new" in words(done)
    assert len(queries) <= 50, len(queries)
    with CaptureQueriesContext(connection) as queries:
        answer = office.post(page(model, "export"), {"format": "0", "resource": "0"})
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
    cells._close_zone.cache_clear()
    looked_at = choose(office, "student", text)

    assert words(looked_at).count("no such time zone") == resources.SHOWN
    assert "These are the first 100 of 300." in " ".join(words(looked_at).split())
    # One slip in a whole column is looked up once: 20,000 times would hold the page for half a minute.
    assert cells._close_zone.cache_info().misses == 1


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
        names = ("email", "first_name", "last_name", "zone", "language")
        assert text.splitlines()[0] == mark.join(names)
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
