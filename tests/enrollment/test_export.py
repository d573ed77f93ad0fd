"""What is exported is imported again with nothing new and nothing changed, whatever stands in it."""

import csv
import io
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from enrollment.domain import cells
from enrollment.domain.formulas import harmless, original
from enrollment.domain.sheets import parse
from enrollment.domain.tables import TEACHERS
from enrollment.domain.writing import lines
from enrollment.importing import exporting
from enrollment.importing.desk import Counts
from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    Student,
    Teacher,
    UnitDone,
    User,
)
from enrollment.operations.import_school import import_school, import_table, table_of
from enrollment.operations.import_school.run import ImportRefused
from enrollment.operations.office import plan_by_hand
from tests.conftest import make_student, make_user
from tests.enrollment.school_files import NOW, PROGRESS, UNITS, load, write
from tests.enrollment.test_import import everything

MODELS: tuple[type[Model], ...] = (
    *(Teacher, Student, Course),
    *(CourseUnit, Enrollment, Lesson, UnitDone),
)
# What people type into pages, and what a spreadsheet would make of it.
NASTY = '  =1+1; "quoted", and\r\n\r\n\'=two\r\n-three\twith  blanks  '


def export(model: type[Model], delimiter: str = ",") -> bytes:
    rows = model._default_manager.all()
    return "".join(exporting.lines(table_of(model), rows, delimiter=delimiter)).encode()


def again(model: type[Model], delimiter: str = ",") -> Counts:
    data = export(model, delimiter)
    return import_table(table=table_of(model), data=data, now=NOW)


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def small_school(tmp_path: Path, db: Any) -> None:
    load(tmp_path, units=UNITS, progress=PROGRESS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("model", MODELS)
def test_nothing_changes_on_the_way_there_and_back(
    small_school: None, model: type[Model], delimiter: str
) -> None:
    Teacher.objects.update(display_name="Frau  Rossi", bio=NASTY)
    Course.objects.update(title=" -  Violin", description=NASTY, capacity=2_000_000_000, seats=4)
    Enrollment.objects.update(office_note=NASTY, note="@home", payment_reference="+49 30 1")
    User.objects.update(last_name="=Rossi")
    CourseUnit.objects.filter(title="Scales").update(title="=Scales  in C", position=32_767)
    # Somebody of the office, whom no file can name.
    UnitDone.objects.update(
        done_at=datetime(2026, 2, 2, 23, 40, tzinfo=UTC), by=make_user("o@x.example")
    )
    before = everything()

    counts = again(model, delimiter)

    assert (counts.created, counts.changed) == (0, 0)
    assert counts.unchanged == model._default_manager.count()
    assert everything() == before


@pytest.mark.django_db
def test_an_exported_school_can_be_brought_into_an_empty_one(tmp_path: Path) -> None:
    load(tmp_path, units=UNITS, progress=PROGRESS)
    files = {table_of(model).sheet.file.removesuffix(".csv"): export(model) for model in MODELS}
    for model in reversed(MODELS):
        model._default_manager.all().delete()
    User.objects.all().delete()
    folder = tmp_path / "again"
    folder.mkdir()

    report = import_school(folder=write(folder, **files), now=NOW)

    assert [one.created for one in report.counts.values()] == [1, 2, 1, 3, 2, 2, 2]
    assert export(Lesson) == files["lessons"]
    assert export(UnitDone) == files["progress"]


def test_what_was_cancelled_stands_beside_what_came_after(small_school: None) -> None:
    planned = Lesson.objects.get(status="planned")
    Lesson.objects.filter(pk=planned.pk).update(status="cancelled")
    for _again in range(2):
        planned.pk = None
        planned.status = "planned" if _again else "cancelled"
        planned.save()
    past = Enrollment.objects.get(student__user__first_name="Jiří")
    past.status = "cancelled"
    past.save()
    past.pk = None
    past.save()

    for model in (Lesson, Enrollment):
        counts = again(model)
        assert (counts.created, counts.changed) == (0, 0)
        assert counts.unchanged == model._default_manager.count()


def test_a_group_lesson_is_a_line_for_each_student(small_school: None) -> None:
    """There and back, into the same school and into one without it; never more lines than seats."""
    course, teacher = Course.objects.get(), Teacher.objects.get()
    Course.objects.update(seats=3, capacity=10)
    course.refresh_from_db()
    for number in range(3):
        student = make_student(f"group{number}@school.example")
        enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
        plan_by_hand(
            enrollment=enrollment, teacher=teacher, on=date(2026, 4, 7), at=time(16), now=NOW
        )
    group = Lesson.objects.filter(seats=3)
    assert group.count() == 3
    assert again(Lesson) == Counts(unchanged=5)
    data = export(Lesson)
    group.delete()
    assert import_table(table=table_of(Lesson), data=data, now=NOW).created == 3
    assert group.count() == 3

    Lesson.objects.filter(pk=group.values("pk")[:1]).delete()
    Lesson.objects.filter(seats=3).update(seats=2)
    Course.objects.update(seats=2)
    with pytest.raises(ImportRefused) as refused:
        import_table(table=table_of(Lesson), data=data, now=NOW)
    (problem,) = refused.value.problems
    assert "the lesson is full" in str(problem)


def test_what_is_kept_free_beside_a_known_lesson_counts(small_school: None) -> None:
    planned = Lesson.objects.get(status="planned")
    Lesson.objects.filter(pk=planned.pk).update(buffer_after=20)
    assert again(Lesson) == Counts(unchanged=2)
    row = rows_of(export(Lesson))[-1]
    after = planned.ends_at + timedelta(minutes=10)
    local = after.astimezone(ZoneInfo(planned.zone))
    line = row | {"time": f"{local:%H:%M}", "date": f"{local:%Y-%m-%d}"}
    text = ",".join(line) + "\n" + ",".join(line.values()) + "\n"
    with pytest.raises(ImportRefused) as refused:
        import_table(table=table_of(Lesson), data=text.encode(), now=NOW)
    assert "the teacher has another lesson then" in str(refused.value.problems[0])


def test_progress_of_an_earlier_enrollment_is_no_row(small_school: None) -> None:
    """A line of the file means the live enrollment; it would be brought there."""
    earlier = Enrollment.objects.get(student__user__first_name="Zoë")
    Enrollment.objects.filter(pk=earlier.pk).update(status="completed")
    again_here = Enrollment.objects.create(
        student=earlier.student, course=earlier.course, status="confirmed"
    )
    assert rows_of(export(UnitDone)) == []
    bowing = CourseUnit.objects.get(title="Bowing")
    UnitDone.objects.create(enrollment=again_here, unit=bowing, by=Teacher.objects.get().user)

    assert [row["teacher"] for row in rows_of(export(UnitDone))] == ["marta@school.example"]
    assert again(UnitDone) == Counts(unchanged=1)
    assert UnitDone.objects.count() == 3


def test_the_second_of_two_equal_times_comes_back(small_school: None) -> None:
    lesson = Lesson.objects.get(status="planned")
    lesson.local_on, lesson.local_start = date(2026, 10, 25), time(2, 30)
    start = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    lesson.period = (start, start + timedelta(minutes=45))
    lesson.save()

    assert rows_of(export(Lesson))[1]["time"] == "02:30 again"
    assert again(Lesson) == Counts(unchanged=2)


def test_somebody_without_a_name_comes_back(small_school: None) -> None:
    User.objects.filter(email="marta@school.example").update(first_name="", last_name="")

    assert again(Teacher) == Counts(unchanged=1)


def test_a_held_time_is_no_row(small_school: None, student: Student) -> None:
    now = datetime.now(UTC)
    Lesson.objects.create(
        course=Course.objects.get(),
        teacher=Teacher.objects.get(),
        student=student,
        period=(now, now + timedelta(minutes=45)),
        local_on=now.date(),
        local_start=now.time(),
        zone="UTC",
        status="held",
        expires_at=now + timedelta(minutes=10),
    )

    assert {row["status"] for row in rows_of(export(Lesson))} == {"done", "planned"}


def test_only_the_columns_of_the_import_are_written(small_school: None) -> None:
    for model in MODELS:
        names = [column.name for column in table_of(model).sheet.columns]
        header = export(model).decode("utf-8-sig").splitlines()[0]
        assert header == ",".join(names)
        assert not {"password", "token", "is_staff", "flow"} & set(names)


def test_a_formula_is_only_a_text(small_school: None) -> None:
    Teacher.objects.update(bio='=HYPERLINK("http://evil.example")')
    assert rows_of(export(Teacher))[0]["bio"] == '\'=HYPERLINK("http://evil.example")'


@given(st.text(alphabet="'=+-@\t\r\n＝ ab", max_size=6))
def test_the_apostrophe_comes_and_goes(text: str) -> None:
    assert original(harmless(text)) == text
    assert harmless(text)[:1] not in tuple("=+-@\t\r\n＝")


@given(st.text(alphabet=st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1))
def test_any_text_is_read_as_it_was(text: str) -> None:
    values = {"email": "a@b.example", "zone": "UTC", "language": "de", "bio": text.strip()}
    row = {column.name: values.get(column.name, "x") for column in TEACHERS.columns}
    found = parse(TEACHERS, "".join(lines(TEACHERS, [row])).encode()).rows

    assert [one.bio for one in found] == [cells.as_read(text)[1]]


def test_the_number_of_queries_does_not_grow_with_the_rows(small_school: None) -> None:
    course, teacher = Course.objects.get(), Teacher.objects.get()
    for number in range(20):
        student = make_student(f"many{number}@school.example")
        enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
        day = date(2026, 4, 1) + timedelta(days=number)
        plan_by_hand(enrollment=enrollment, teacher=teacher, on=day, at=time(16), now=NOW)
        unit = CourseUnit.objects.create(course=course, title=f"Unit {number}")
        UnitDone.objects.create(enrollment=enrollment, unit=unit, by=teacher.user)
    for model in MODELS:
        with CaptureQueriesContext(connection) as queries:
            assert export(model)
        assert len(queries) <= 3, [query["sql"][:100] for query in queries]
