"""Each kind of bad line: where it is, what it says, and what would be right."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.import_school import ImportRefused, import_school
from enrollment.operations.lessons import hold_slot
from tests.enrollment import school_files
from tests.enrollment.school_files import NOW, load, problem, problems

pytestmark = pytest.mark.django_db

NO_LESSONS = "teacher,student,course,date,time\n"
LESSON = "marta@school.example,{student},violin,{day},{time},{zone},{status}\n"


def lesson(
    student: str = "zoe@school.example",
    day: str = "2026-02-16",
    time: str = "16:00",
    zone: str = "",
    status: str = "planned",
) -> str:
    return LESSON.format(student=student, day=day, time=time, zone=zone, status=status)


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        (
            "teachers",
            "Europe/Berlin",
            "Europe/Berln",
            "teachers.csv, line 2, column zone: “Europe/Berln”: no such time zone; "
            "write an IANA name like Europe/Berlin. Did you mean Europe/Berlin?",
        ),
        ("teachers", "Europe/Berlin", "", "line 2, column zone: “”: must not be empty."),
        (
            "teachers",
            "Europe/Berlin\n",
            "Europe/Berlin\nivo.ek,Ivo,Ek,Europe/Oslo\n",
            "line 3, column email: “ivo.ek”: write a mail address like anna.novak@school.example.",
        ),
        ("students", "Zoë", "", "students.csv, line 2, column first_name: “”: must not be empty."),
        ("students", "Zoë", "Z" * 151, "has 151 characters; at most 150 fit."),
        ("students", "Zoë", "Z\x00", "NUL character"),
        (
            "courses",
            ",45,",
            ",4,",
            "column lesson_minutes: “4”: write a whole number from 5 to 480.",
        ),
        ("courses", ",45,", ",many,", "column lesson_minutes: “many”: write a whole number from 5"),
        (
            "courses",
            ",2\n",
            ",-2\n",
            "column capacity: “-2”: write a whole number from 0 to 2147483647.",
        ),
        (
            "courses",
            ",2\n",
            ",2\nPiano,pi ano,,,\n",
            "line 3, column slug: “pi ano”: use at most 80 letters a-z, digits, - and _, like",
        ),
        (
            "courses",
            "marta@school.example",
            "nobody@school.example",
            "column teachers: “nobody@school.example”: nobody@school.example is neither in "
            "teachers.csv nor in the school; add or correct it.",
        ),
        (
            "enrollments",
            "jiri@school.example",
            "anna@school.example",
            "enrollments.csv, line 3, column student: “anna@school.example”: is neither in "
            "students.csv nor in the school; add it or correct this.",
        ),
        (
            "enrollments",
            "jiri@school.example,violin",
            "jiri@school.example,viola",
            "column course: “v",
        ),
        ("enrollments", "requested", "wanted", "column status: “wanted”: write one of requested, "),
        ("enrollments", "13.01.2026", "13.13.2026", "“13.13.2026”: there is no such day"),
        (
            "enrollments",
            "13.01.2026",
            "01/13/2026",
            "write the date like 2026-03-31 or 31.03.2026.",
        ),
        (
            "lessons",
            "Europe/Berlin",
            "Mars/Base",
            "lessons.csv, line 2, column zone: “Mars/Base”: no ",
        ),
        ("lessons", "16:00,,planned", "24:00,,planned", "write the time between 00:00 and 23:59"),
        (
            "lessons",
            "16:00,,planned",
            "4 pm,,planned",
            "line 3, column time: “4 pm”: write the time",
        ),
        (
            "lessons",
            "planned",
            "held",
            "column status: “held”: write one of planned, done, cancelled.",
        ),
        ("lessons", "09.02.2026", "0900-02-09", "write the date like 2026-03-31 or 31.03.2026."),
    ],
)
def test_a_bad_cell(tmp_path: Path, table: str, old: str, new: str, says: str) -> None:
    text = school_files.SCHOOL[table].replace(old, new)

    assert says in problem(tmp_path, **{table: text})
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("table", "again", "says"),
    [
        (
            "teachers",
            "Marta@School.example,M,R,Europe/Rome\n",
            "line 3, column email: “Marta@School",
        ),
        ("students", "zoe@school.example,Z,L,\n", "already stands in line 2; keep one of the two."),
        (
            "courses",
            "Violin II,violin,,,\n",
            "line 3, column slug: “violin”: already stands in line",
        ),
        ("enrollments", "zoe@school.example,violin,,requested,\n", "line 4, column student: “zoe@"),
        (
            "lessons",
            lesson(day="2026-02-09"),
            "line 4, column date: “2026-02-09”: already stands in",
        ),
        (
            "lessons",
            lesson(day="2026-02-02", time="15:00", zone="Europe/London", status="done"),
            "line 4, column time: “15:00”: already stands in line 2; keep one of the two.",
        ),
    ],
)
def test_a_key_twice_in_a_file(tmp_path: Path, table: str, again: str, says: str) -> None:
    assert says in problem(tmp_path, **{table: school_files.SCHOOL[table] + again})


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("email,first_name,last_name", "column zone: “zone”: this column is missing; needed are"),
        (
            "email,first_name,last_name,zone,bioo",
            "no such column. Did you mean bio? Known are email",
        ),
        ("email,first_name,last_name,zone,zone", "“zone”: stands in the header twice; keep one."),
    ],
)
def test_a_bad_header(tmp_path: Path, header: str, says: str) -> None:
    """And not another word about all the teachers who are therefore not known."""
    assert says in problem(tmp_path, teachers=f"{header}\nmarta@school.example,Marta,Rossi,,\n")


def test_an_empty_file(tmp_path: Path) -> None:
    assert problem(tmp_path, teachers="") == (
        "teachers.csv: is empty; its first line must name the columns."
    )


def test_a_cell_too_many(tmp_path: Path) -> None:
    courses = "title,slug\nViolin,violin\nPiano, four hands,piano\n"
    assert problem(tmp_path, courses=courses) == (
        "courses.csv, line 3: has 3 cells, the header has 2; "
        "put a text that holds the separator in quotation marks."
    )


def test_a_quotation_mark_that_never_ends(tmp_path: Path) -> None:
    teachers = school_files.TEACHERS + 'ivo@school.example,"Ivo,Ek,Europe/Oslo\n'
    assert "teachers.csv, line 3: cannot be read from here on" in problem(
        tmp_path, teachers=teachers
    )


def test_line_numbers_count_the_lines_of_the_file(tmp_path: Path) -> None:
    courses = 'title,slug,description\n\nViolin,violin,"two\nlines"\nPiano,pi ano,\n'
    assert "courses.csv, line 5, column slug" in problem(tmp_path, courses=courses)


def test_a_time_that_does_not_exist(tmp_path: Path) -> None:
    lessons = school_files.LESSONS + lesson(day="2026-03-29", time="02:30")
    assert problem(tmp_path, lessons=lessons) == (
        "lessons.csv, line 4, column time: “02:30”: does not exist on 2026-03-29 in Europe/Berlin: "
        "the clocks go forward that night; 03:30 would be right."
    )


def test_two_lessons_of_a_teacher_at_once(tmp_path: Path) -> None:
    lessons = school_files.LESSONS + lesson(
        student="jiri@school.example", day="2026-02-09", time="16:30"
    )
    assert problem(tmp_path, lessons=lessons) == (
        "lessons.csv, line 4, column time: “16:30”: the teacher has another lesson then: "
        "Violin, 2026-02-09 16:00 Europe/Berlin, Zoë Lefèvre with Marta Rossi (line 3); "
        "give one of them another time."
    )


def test_two_lessons_of_a_student_at_once(tmp_path: Path) -> None:
    teachers = school_files.TEACHERS + "ivo@school.example,Ivo,Ek,Asia/Kolkata\n"
    other = "ivo@school.example,zoe@school.example,violin,2026-02-09,20:15,,planned\n"
    text = problem(tmp_path, teachers=teachers, lessons=school_files.LESSONS + other)
    assert "line 4, column time: “20:15”: the student has another lesson then: Violin" in text


def test_lessons_that_touch_do_not_clash(tmp_path: Path) -> None:
    lessons = school_files.LESSONS + lesson(
        student="jiri@school.example", day="2026-02-09", time="16:45"
    )
    load(tmp_path, lessons=lessons)
    assert Lesson.objects.count() == 3


def test_a_clash_with_a_lesson_of_the_school(tmp_path: Path) -> None:
    load(tmp_path)
    header = school_files.LESSONS.splitlines()[0] + "\n"
    text = problem(
        tmp_path, lessons=header + lesson(student="jiri@school.example", day="2026-02-09")
    )
    assert "line 2, column time: “16:00”: the teacher has another lesson then: Violin" in text
    assert "Zoë Lefèvre with Marta Rossi (already in the school)" in text


def test_a_clash_with_a_slot_somebody_is_taking_just_now(tmp_path: Path) -> None:
    load(tmp_path)
    hold_slot(
        student=Student.objects.get(user__first_name="Jiří"),
        course=Course.objects.get(),
        teacher=Teacher.objects.get(),
        starts_at=datetime(2026, 2, 16, 15, tzinfo=UTC),
        now=NOW,
    )
    assert "(held just now)" in problem(tmp_path, lessons=school_files.LESSONS + lesson())


def test_a_lesson_without_an_enrollment(tmp_path: Path) -> None:
    enrollments = "\n".join(school_files.ENROLLMENTS.splitlines()[:2])
    lessons = school_files.LESSONS + lesson(student="jiri@school.example")
    assert problem(tmp_path, enrollments=enrollments, lessons=lessons) == (
        "lessons.csv, line 4, column student: “jiri@school.example”: is not enrolled in violin; "
        "add a line to enrollments.csv."
    )


def test_more_enrollments_than_places(tmp_path: Path) -> None:
    courses = school_files.COURSES.replace(",2\n", ",1\n")
    assert problem(tmp_path, courses=courses) == (
        "enrollments.csv, line 3, column course: “violin”: the course has 1 places and they are "
        "taken; raise capacity or leave out."
    )


def test_closing_before_opening(tmp_path: Path) -> None:
    courses = "title,slug,opens_on,closes_on\nViolin,violin,2026-09-01,31.08.2026\n"
    text = problem(tmp_path, courses=courses)
    assert "column closes_on: “31.08.2026”: lies before the first day, 2026-09-01" in text


def test_a_title_without_a_letter_for_an_address(tmp_path: Path) -> None:
    text = problem(tmp_path, courses=school_files.COURSES + "日本語,,,,\n")
    assert "column title: “日本語”: no address name can be made of this title; add" in text


@pytest.mark.parametrize("language", ["deutsch", "d", "xx", "de_", "ed", "de;es"])
def test_a_language_that_is_none(tmp_path: Path, language: str) -> None:
    students = f"email,first_name,last_name,language\nada@x.example,Ada,Vogel,{language}\n"
    text = problem(tmp_path, students=students, enrollments="student,course\n", lessons=NO_LESSONS)
    assert f"students.csv, line 2, column language: “{language}”: no such language; write" in text


def test_one_person_with_two_languages(tmp_path: Path) -> None:
    teachers = "email,first_name,last_name,zone,language\nmarta@school.example,Marta,Rossi,UTC,es\n"
    students = "email,first_name,last_name,language\nmarta@school.example,Marta,Rossi,de\n"
    text = problem(
        tmp_path,
        teachers=teachers,
        students=students,
        enrollments="student,course\n",
        lessons=NO_LESSONS,
    )
    assert "students.csv, line 2, column language: “de”: is “es” in teachers.csv line 2" in text


def test_one_person_with_two_names(tmp_path: Path) -> None:
    students = school_files.STUDENTS + "marta@school.example,Martha,Rossi,\n"
    text = problem(tmp_path, students=students)
    assert "line 4, column email" in text
    assert "is Marta Rossi in teachers.csv line 2; give both the same name." in text


@pytest.mark.parametrize(("status", "file"), [("requested", "enrollments"), ("planned", "lessons")])
def test_a_status_moves_along_its_arrows_only(tmp_path: Path, status: str, file: str) -> None:
    load(tmp_path)
    Enrollment.objects.filter(student__user__first_name="Jiří").update(status="cancelled")
    Lesson.objects.filter(status="planned").update(status="done")

    found = [str(one) for one in problems(tmp_path) if one.file == f"{file}.csv"]

    assert len(found) == 1
    assert f"column status: “{status}”: the school has " in found[0]


def test_all_problems_at_once_and_nothing_written(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        teachers=school_files.TEACHERS + "ivo,Ivo,,Europe/Oslo\n",
        courses=school_files.COURSES + "Piano,piano,,1,\n",
        lessons=school_files.LESSONS + lesson(time="noon", zone="Mars"),
    )

    assert [(one.file, one.line, one.column) for one in found] == [
        ("teachers.csv", 3, "email"),
        ("teachers.csv", 3, "last_name"),
        ("courses.csv", 3, "lesson_minutes"),
        ("lessons.csv", 4, "time"),
        ("lessons.csv", 4, "zone"),
    ]
    assert not User.objects.exists()


def test_nobody_complains_twice_about_a_line_that_could_not_be_read(tmp_path: Path) -> None:
    teachers = school_files.TEACHERS.replace("Europe/Berlin", "Mars")
    assert len(problems(tmp_path, teachers=teachers)) == 1
    students = school_files.STUDENTS.replace("Zoë", "")
    assert len(problems(tmp_path, students=students)) == 1
    courses = school_files.COURSES.replace("45", "x")
    assert len(problems(tmp_path, courses=courses)) == 1
    enrollments = school_files.ENROLLMENTS.replace("confirmed", "x")
    assert len(problems(tmp_path, enrollments=enrollments)) == 1


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as raised:
        import_school(folder=tmp_path / "no", now=NOW)
    assert "is no folder" in str(raised.value.problems[0])


def test_a_folder_with_nothing_to_import(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as raised:
        import_school(folder=tmp_path, now=NOW)
    assert "holds none of teachers.csv, students.csv" in str(raised.value.problems[0])
