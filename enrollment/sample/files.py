"""The sample school as the files an office would export."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from enrollment.sample import progress
from enrollment.sample.school import STUDENT, TEACHER, WEEKDAYS, Person
from enrollment.sample.timetable import School

# Who lives there has chosen it; the others never did, nor those as whom one logs in to look around.
LANGUAGES = {
    "Europe/Berlin": "de",
    "Europe/Vienna": "de",
    "Europe/Zurich": "de",
    "Europe/Madrid": "es",
    "Atlantic/Canary": "es",
}
Rows = Iterable[Mapping[str, object]]


def texts(school: School) -> dict[str, str]:
    """File name → content."""
    return {
        name: _csv(rows)
        for name, rows in (
            ("teachers.csv", _teachers(school)),
            ("students.csv", map(_person, school.students)),
            ("courses.csv", _courses(school)),
            ("units.csv", _units(school)),
            ("enrollments.csv", _enrollments(school)),
            ("lessons.csv", _lessons(school)),
            ("progress.csv", _progress(school)),
            ("availability.csv", _availability(school)),
        )
    }


def _csv(rows: Rows) -> str:
    out = io.StringIO(newline="")
    listed = list(rows)
    writer = csv.DictWriter(out, fieldnames=list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return out.getvalue()


def _person(person: Person) -> dict[str, object]:
    return {
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "zone": person.zone,
        "language": "" if person.email in (TEACHER, STUDENT) else LANGUAGES.get(person.zone, ""),
    }


def _teachers(school: School) -> Iterator[dict[str, object]]:
    for teacher in school.teachers:
        name = f"{teacher.first_name} {teacher.last_name}"
        yield _person(teacher) | {"display_name": name, "bio": teacher.bio}


def _courses(school: School) -> Iterator[dict[str, object]]:
    for course in school.courses:
        yield {
            "title": course.title,
            "slug": course.slug,
            "description": course.description,
            "teachers": " ".join(teacher.email for teacher in course.teachers),
            "lesson_minutes": course.minutes,
            "seats": course.seats,
            "capacity": course.capacity,
            "opens_on": course.opens_on or "",
            "closes_on": course.closes_on or "",
        }


def _units(school: School) -> Iterator[dict[str, object]]:
    for slug, titles in progress.units(school.courses).items():
        for position, title in enumerate(titles, start=1):
            yield {"course": slug, "title": title, "position": position}


def _enrollments(school: School) -> Iterator[dict[str, object]]:
    for one in school.enrollments:
        yield {
            "student": one.student.email,
            "course": one.course.slug,
            "teacher": one.teacher.email if one.teacher else "",
            "status": one.status,
            "enrolled_on": one.enrolled_on,
            "wished_times": one.wished_times,
            "note": one.note,
            "payment_reference": one.payment_reference,
        }


def _lessons(school: School) -> Iterator[dict[str, object]]:
    for one in school.lessons:
        yield {
            "teacher": one.teacher.email,
            "student": one.enrollment.student.email,
            "course": one.enrollment.course.slug,
            "date": one.on,
            "time": f"{one.at:%H:%M}",
            "zone": one.teacher.zone,
            "status": one.status,
        }


def _progress(school: School) -> Iterator[dict[str, object]]:
    for one in progress.done(school):
        yield {
            "student": one.student.email,
            "course": one.course.slug,
            "unit": one.unit,
            "done_on": one.on,
            "teacher": one.teacher.email,
        }


def _availability(school: School) -> Iterator[dict[str, object]]:
    for teacher in school.teachers:
        for hours in teacher.hours:
            yield {
                "teacher": teacher.email,
                "weekday": WEEKDAYS[hours.weekday],
                "starts": f"{hours.starts:%H:%M}",
                "ends": f"{hours.ends:%H:%M}",
                "every_weeks": hours.every_weeks,
                "valid_from": hours.valid_from or "",
            }
