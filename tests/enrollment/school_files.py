"""A very small school as files, to be bent by each test."""

from datetime import UTC, datetime
from pathlib import Path

from enrollment.domain.sheets import Problem
from enrollment.operations.import_school import ImportRefused, Report, import_school

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)

TEACHERS = "email,first_name,last_name,zone\nmarta@school.example,Marta,Rossi,Europe/Berlin\n"
STUDENTS = (
    "email,first_name,last_name,zone\n"
    "zoe@school.example,Zoë,Lefèvre,Europe/Paris\n"
    "jiri@school.example,Jiří,Dvořák,\n"
)
COURSES = "title,slug,teachers,lesson_minutes,capacity\nViolin,violin,marta@school.example,45,2\n"
ENROLLMENTS = (
    "student,course,teacher,status,enrolled_on\n"
    "zoe@school.example,violin,marta@school.example,confirmed,2026-01-12\n"
    "jiri@school.example,violin,,requested,13.01.2026\n"
)
LESSONS = (
    "teacher,student,course,date,time,zone,status\n"
    "marta@school.example,zoe@school.example,violin,2026-02-02,16:00,Europe/Berlin,done\n"
    "marta@school.example,zoe@school.example,violin,09.02.2026,16:00,,planned\n"
)
UNITS = "course,title,position\nviolin,Scales,1\nviolin,Bowing,\nviolin,First  piece,\n"
PROGRESS = (
    "student,course,unit,done_on,teacher\n"
    "zoe@school.example,violin,Scales,02.02.2026,marta@school.example\n"
    "zoe@school.example,violin,Bowing,2026-02-09,\n"
)
SCHOOL = {
    "teachers": TEACHERS,
    "students": STUDENTS,
    "courses": COURSES,
    "enrollments": ENROLLMENTS,
    "lessons": LESSONS,
}


def write(folder: Path, **tables: str | bytes) -> Path:
    """The small school, with some of its files replaced."""
    for name, text in {**SCHOOL, **tables}.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def load(folder: Path, **tables: str | bytes) -> Report:
    return import_school(folder=write(folder, **tables), now=NOW)


def problems(folder: Path, **tables: str | bytes) -> list[Problem]:
    """What an import complains of."""
    try:
        load(folder, **tables)
    except ImportRefused as refused:
        return list(refused.problems)
    return []


def problem(folder: Path, **tables: str | bytes) -> str:
    """The one complaint, in words."""
    found = problems(folder, **tables)
    assert len(found) == 1, [str(one) for one in found]
    return str(found[0])
