"""What comes in, in which shapes, and what the second time does."""

from datetime import UTC, date, datetime, time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

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
from enrollment.operations.import_school import import_school
from enrollment.queries.people import language_of
from tests.enrollment import school_files
from tests.enrollment.school_files import NOW, load

pytestmark = pytest.mark.django_db


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of the school with every column, ids too."""
    models = (
        *(User, Teacher, Student, Course, Course.teachers.through),
        *(CourseUnit, Enrollment, Lesson, UnitDone),
    )
    rows: dict[str, Any] = {
        model.__name__: list(model._default_manager.order_by("pk").values()) for model in models
    }
    return rows | {"groups": list(User.groups.through.objects.order_by("pk").values())}


def test_the_small_school_comes_in(tmp_path: Path) -> None:
    report = load(tmp_path)

    assert {file: counts.created for file, counts in report.counts.items()} == {
        "teachers.csv": 1,
        "students.csv": 2,
        "courses.csv": 1,
        "enrollments.csv": 2,
        "lessons.csv": 2,
    }
    assert [str(teacher) for teacher in Course.objects.get().teachers.all()] == ["Marta Rossi"]
    zoe = User.objects.get(email="zoe@school.example")
    assert (zoe.first_name, zoe.last_name) == ("Zoë", "Lefèvre")
    assert not zoe.has_usable_password()
    assert [group.name for group in zoe.groups.all()] == ["student"]
    assert Student.objects.get(user__first_name="Jiří").zone == "Europe/Berlin"


def test_lessons_stand_on_the_clock_of_their_zone(tmp_path: Path) -> None:
    load(tmp_path)

    first, second = Lesson.objects.order_by("period")
    assert (first.starts_at, first.ends_at) == (
        datetime(2026, 2, 2, 15, tzinfo=UTC),
        datetime(2026, 2, 2, 15, 45, tzinfo=UTC),
    )
    assert (second.local_on, second.local_start, second.zone) == (
        date(2026, 2, 9),
        time(16),
        "Europe/Berlin",
    )
    assert first.enrollment == Enrollment.objects.get(student__user__first_name="Zoë")


def test_a_zone_of_its_own_counts_for_a_lesson(tmp_path: Path) -> None:
    lessons = school_files.LESSONS.replace("Europe/Berlin", "Asia/Kolkata")
    load(tmp_path, lessons=lessons)

    lesson = Lesson.objects.order_by("period").first()
    assert lesson is not None
    assert lesson.starts_at == datetime(2026, 2, 2, 10, 30, tzinfo=UTC)
    assert lesson.zone == "Asia/Kolkata"


def test_the_hour_that_comes_twice_means_its_first_time(tmp_path: Path) -> None:
    header = school_files.LESSONS.splitlines()[0]
    row = "marta@school.example,zoe@school.example,violin,2026-10-25,02:30,,planned"
    load(tmp_path, lessons=f"{header}\n{row}\n")

    assert Lesson.objects.get().starts_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_nobody_is_mailed_about_history(tmp_path: Path) -> None:
    load(tmp_path)

    for enrollment in Enrollment.objects.all():
        assert enrollment.confirmation_sent_at == enrollment.created_at
        assert enrollment.flow == Enrollment.Flow.OFFICE
    days = sorted(one.created_at.date() for one in Enrollment.objects.all())
    assert days == [date(2026, 1, 12), date(2026, 1, 13)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_files_as_offices_export_them(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = "E-Mail,First name,Last-Name,Time zone\nzoë.weiß@school.example".replace("ë", "e")
    text = text.replace("ß", "ss") + ",Zoë,Weiß,Europe/Zurich\n"
    text = text.replace(",", delimiter).replace("\n", "\r\n")
    load(
        tmp_path,
        students=text.encode(encoding),
        enrollments="student,course\n",
        lessons="teacher,student,course,date,time\n",
    )

    student = Student.objects.select_related("user").get()
    assert (str(student), student.user.email) == ("Zoë Weiß", "zoe.weiss@school.example")


def test_the_language_comes_along_and_what_a_file_does_not_say_stays(tmp_path: Path) -> None:
    nothing = {"enrollments": "student,course\n", "lessons": "teacher,student,course,date,time\n"}
    head = "email,first_name,last_name"
    load(tmp_path, students=f"{head},language\nada@x.example,Ada,Vogel,DE\n", **nothing)
    ada = User.objects.get(email="ada@x.example")
    assert ada.language == "de"
    load(tmp_path, students=f"{head}\nada@x.example,Ada,Vogel\n", **nothing)
    ada.refresh_from_db()
    assert ada.language == "de"
    load(tmp_path, students=f"{head},language\nada@x.example,Ada,Vogel,pt_BR\n", **nothing)
    ada.refresh_from_db()
    # The school does not have it, and may one day.
    assert (ada.language, language_of(ada)) == ("pt-br", "en")


def test_excel_says_which_separator_follows(tmp_path: Path) -> None:
    semicolons = school_files.COURSES.replace(",", ";")
    load(tmp_path, courses=f"sep=;\r\n{semicolons}")

    assert Course.objects.get().capacity == 2


def test_quoted_cells_hold_separators_and_line_breaks(tmp_path: Path) -> None:
    courses = 'title,slug,description\nViolin,violin,"One, two\nand ""three"""\n'
    load(tmp_path, courses=courses)

    assert Course.objects.get().description == 'One, two\nand "three"'


def test_the_slug_comes_from_the_title_where_there_is_none(tmp_path: Path) -> None:
    enrollments = "student,course\nzoe@school.example,geige-fur-grosse-lodz\n"
    courses = "title,capacity\nGeige für Große: Łódź!,3\n"
    load(
        tmp_path,
        courses=courses,
        enrollments=enrollments,
        lessons="teacher,student,course,date,time\n",
    )

    assert Course.objects.get().slug == "geige-fur-grosse-lodz"
    assert Enrollment.objects.get().status == "confirmed"


def test_the_same_files_again_change_nothing(tmp_path: Path) -> None:
    load(tmp_path)
    before = everything()

    report = load(tmp_path)

    assert everything() == before
    for counts in report.counts.values():
        assert (counts.created, counts.changed) == (0, 0)
        assert counts.unchanged > 0


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    report = import_school(folder=school_files.write(tmp_path), now=NOW, dry_run=True)

    assert report.counts["lessons.csv"] == Counts(created=2)
    assert not User.objects.exists()
    assert not Lesson.objects.exists()


def test_changed_lines_change_their_rows(tmp_path: Path) -> None:
    load(tmp_path)
    ids = {name: [row["id"] for row in rows] for name, rows in everything().items()}

    report = load(
        tmp_path,
        teachers=school_files.TEACHERS.replace("Europe/Berlin", "Europe/Rome"),
        students=school_files.STUDENTS.replace("Lefèvre", "Lefebvre"),
        courses=school_files.COURSES.replace(",45,2", ",45,5"),
        enrollments=school_files.ENROLLMENTS.replace("requested", "confirmed"),
        lessons=school_files.LESSONS.replace("planned", "done"),
    )

    assert {counts.changed for counts in report.counts.values()} == {1}
    assert {name: [row["id"] for row in rows] for name, rows in everything().items()} == ids
    assert Teacher.objects.get().zone == "Europe/Rome"
    assert Course.objects.get().capacity == 5
    assert set(Lesson.objects.values_list("status", flat=True)) == {"done"}


def test_a_column_that_is_not_there_leaves_what_is_known(tmp_path: Path) -> None:
    load(tmp_path)
    Teacher.objects.update(bio="Plays in two ensembles.")
    Course.objects.update(description="Strings.")

    load(tmp_path)
    load(tmp_path, courses="title,slug\nViolin,violin\n")

    assert Teacher.objects.get().bio == "Plays in two ensembles."
    course = Course.objects.get()
    assert (course.description, course.capacity, course.teachers.count()) == ("Strings.", 2, 1)


def test_a_courses_teachers_are_those_of_the_file(tmp_path: Path) -> None:
    load(tmp_path)
    teachers = school_files.TEACHERS + "ivo@school.example,Ivo,Ek,Europe/Oslo\n"
    courses = school_files.COURSES.replace("marta@", "ivo@")

    report = load(tmp_path, teachers=teachers, courses=courses)

    assert report.counts["courses.csv"] == Counts(changed=1)
    assert [str(one) for one in Course.objects.get().teachers.all()] == ["Ivo Ek"]


def test_a_lesson_keeps_its_length_when_the_course_gets_a_new_one(tmp_path: Path) -> None:
    load(tmp_path)

    report = load(tmp_path, courses=school_files.COURSES.replace(",45,2", ",60,2"))

    assert report.counts["lessons.csv"] == Counts(unchanged=2)


def test_what_ends_makes_room_for_what_begins_in_the_same_file(tmp_path: Path) -> None:
    load(tmp_path)
    lessons = school_files.LESSONS.replace("planned", "cancelled")
    lessons += "marta@school.example,jiri@school.example,violin,2026-02-09,16:15,,planned\n"

    report = load(tmp_path, lessons=lessons)

    assert report.counts["lessons.csv"] == Counts(created=1, changed=1, unchanged=1)


def test_longer_and_shorter_lessons_trade_their_time(tmp_path: Path) -> None:
    header = "teacher,student,course,date,time,minutes\n"
    row = "marta@school.example,{},violin,2026-02-09,{},{}\n"
    first = row.format("zoe@school.example", "16:00", 30)
    second = row.format("jiri@school.example", "17:00", 60)
    load(tmp_path, lessons=header + first + second)
    third = row.format("jiri@school.example", "16:30", 30)

    report = load(
        tmp_path,
        lessons=header + first + second.replace(",60", ",90") + third,
    )

    assert report.counts["lessons.csv"] == Counts(created=1, changed=1, unchanged=1)


def test_an_expired_hold_is_in_nobodys_way(tmp_path: Path) -> None:
    load(tmp_path, lessons="teacher,student,course,date,time\n")
    from enrollment.operations.lessons import hold_slot

    hold_slot(
        student=Student.objects.get(user__first_name="Jiří"),
        course=Course.objects.get(),
        teacher=Teacher.objects.get(),
        starts_at=datetime(2026, 2, 9, 15, tzinfo=UTC),
        now=datetime(2026, 2, 1, tzinfo=UTC),
    )

    load(tmp_path)

    assert set(Lesson.objects.values_list("status", flat=True)) == {"done", "planned"}


def test_a_past_enrollment_is_known_by_its_day(tmp_path: Path) -> None:
    enrollments = school_files.ENROLLMENTS + (
        "zoe@school.example,violin,,cancelled,2024-05-01\n"
        "zoe@school.example,violin,,completed,2025-05-01\n"
    )
    load(tmp_path, enrollments=enrollments)

    report = load(tmp_path, enrollments=enrollments)

    assert report.counts["enrollments.csv"] == Counts(unchanged=4)


def test_the_number_of_queries_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    students = school_files.STUDENTS.splitlines()[0] + "\n"
    lessons = enrollments = ""
    for number in range(300):
        mail = f"s{number}@school.example"
        students += f"{mail},S,{number},Europe/Berlin\n"
        enrollments += f"{mail},violin\n"
        day = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}"
        lessons += f"marta@school.example,{mail},violin,{day},16:00\n"
    tables = {
        "students": students,
        "courses": school_files.COURSES.replace(",2\n", ",999\n"),
        "enrollments": "student,course\n" + enrollments,
        "lessons": "teacher,student,course,date,time\n" + lessons,
    }

    with CaptureQueriesContext(connection) as queries:
        load(tmp_path, **tables)

    assert Lesson.objects.count() == 300
    assert len(queries) <= 60


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    school_files.write(tmp_path)
    (tmp_path / "teacher.csv").write_text("a typing error")
    out = StringIO()

    call_command("import_school", str(tmp_path), stdout=out)

    assert "lessons.csv: 2 created, 0 changed, 0 unchanged" in out.getvalue()
    assert "Not read: teacher.csv." in out.getvalue()


def test_the_command_fails_with_every_problem(tmp_path: Path) -> None:
    teachers = school_files.TEACHERS.replace("Europe/Berlin", "Europe/Berln")
    school_files.write(tmp_path, teachers=teachers)

    with pytest.raises(CommandError, match="Did you mean Europe/Berlin") as raised:
        call_command("import_school", str(tmp_path))

    assert raised.value.returncode == 1
    assert "Nothing imported: 1 problem." in str(raised.value)
    assert not User.objects.exists()


def test_a_floor_above_can_add_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import dataclass

    from enrollment.domain import cells
    from enrollment.domain.sheets import Column, Record, Sheet
    from enrollment.importing import registry

    @dataclass(frozen=True, kw_only=True)
    class Row:
        record: Record
        teacher: str

    seen: list[Teacher | None] = []

    def save(rows: Any, desk: Any) -> Counts:
        seen.extend(desk.teacher(row.record) for row in rows)
        return Counts(created=len(rows))

    sheet = Sheet(
        file="hours.csv",
        columns=[Column(name="teacher", read=cells.mail)],
        row=Row,
        key=lambda row: row.teacher,
        key_column="teacher",
    )
    monkeypatch.setattr(registry, "_tables", {})
    registry.register(registry.Table(sheet=sheet, save=save))
    (tmp_path / "hours.csv").write_text("teacher\nmarta@school.example\n")

    report = import_school(folder=school_files.write(tmp_path), now=NOW)

    assert report.counts["hours.csv"] == Counts(created=1)
    assert seen == [Teacher.objects.get()]
