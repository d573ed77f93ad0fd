"""The sample school: always the same, plausible, and quick to bring in."""

import csv
import time
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from enrollment.domain.clashes import Span, clashes
from enrollment.domain.clock import instant
from enrollment.models import Course, CourseUnit, Enrollment, Lesson, Student, Teacher, UnitDone
from enrollment.operations.import_school import import_school, table_of
from enrollment.operations.sample_school import write_sample_school
from enrollment.queries.courses import with_places
from enrollment.sample import timetable
from enrollment.sample.timetable import School
from holidays.models import Holiday
from holidays.operations.sample import show_closures
from holidays.queries import inconsistencies
from holidays.queries.displaced import lessons_on_closed_days
from tests.enrollment.school_files import NOW
from tests.enrollment.test_export import MODELS, export
from tests.enrollment.test_import import everything

TODAY = date(2026, 3, 2)
SECONDS = 10


@pytest.fixture(scope="module")
def school() -> School:
    return timetable.build(today=TODAY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    call_command("sample_school", str(folder), "--today", TODAY.isoformat())
    return folder


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_day_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    for path in write_sample_school(folder=tmp_path, today=TODAY):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_people_do_not_change_with_the_day(folder: Path, tmp_path: Path) -> None:
    write_sample_school(folder=tmp_path, today=date(2027, 8, 31))
    for name in ("teachers.csv", "students.csv", "availability.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_some_have_chosen_a_language(folder: Path) -> None:
    people = rows(folder, "teachers.csv") + rows(folder, "students.csv")
    chosen = Counter(person["language"] for person in people)
    assert set(chosen) == {"", "de", "es"}
    assert min(chosen.values()) > 10
    shown_around = [
        one for one in people if one["email"].partition("@")[0] in ("student", "teacher")
    ]
    assert [one["language"] for one in shown_around] == ["", ""]


def test_its_size(school: School) -> None:
    assert len(school.teachers) == 40
    assert len({teacher.zone for teacher in school.teachers}) == 12
    assert len(school.courses) == 60
    assert len(school.students) == 400
    assert all(1 <= len(course.teachers) <= 3 for course in school.courses)
    assert {course.minutes for course in school.courses} == {30, 45, 60, 90}
    assert len(school.lessons) > 5000


def test_every_address_is_of_the_school_and_of_one_person(folder: Path) -> None:
    people = rows(folder, "teachers.csv") + rows(folder, "students.csv")
    addresses = [person["email"] for person in people]
    assert len(set(addresses)) == len(addresses)
    assert all(address.endswith("@school.example") for address in addresses)


def test_a_year_of_lessons_around_the_day(school: School) -> None:
    days = [lesson.on for lesson in school.lessons]
    assert TODAY - timedelta(days=190) < min(days) < TODAY - timedelta(days=150)
    assert TODAY + timedelta(days=150) < max(days) < TODAY + timedelta(days=190)
    past = Counter(lesson.status for lesson in school.lessons if lesson.on < TODAY)
    coming = Counter(lesson.status for lesson in school.lessons if lesson.on >= TODAY)
    assert set(past) == {"done", "cancelled"}
    assert set(coming) == {"planned", "cancelled"}
    assert past["cancelled"] < past["done"] / 5


def test_lessons_lie_in_the_teachers_hours(school: School) -> None:
    for lesson in school.lessons:
        end = datetime.combine(lesson.on, lesson.at) + timedelta(
            minutes=lesson.enrollment.course.minutes
        )
        assert any(
            hours.weekday == lesson.on.weekday()
            and hours.starts <= lesson.at
            and end.time() <= hours.ends
            for hours in lesson.teacher.hours
        )


def test_nobody_is_in_two_places(school: School) -> None:
    spans = []
    for lesson in school.lessons:
        start = instant(on=lesson.on, at=lesson.at, zone=lesson.teacher.zone)
        end = start + timedelta(minutes=lesson.enrollment.course.minutes)
        for who in (lesson.teacher.email, lesson.enrollment.student.email):
            spans.append(Span(who=who, start=start, end=end, what=lesson))
    assert not list(clashes(spans))


def test_students_sleep_at_night(school: School) -> None:
    for lesson in school.lessons:
        start = instant(on=lesson.on, at=lesson.at, zone=lesson.teacher.zone)
        assert 7 <= start.astimezone(ZoneInfo(lesson.enrollment.student.zone)).hour < 22


def test_every_teacher_has_time_left(school: School) -> None:
    for teacher in school.teachers:
        offered = teacher.weekly_minutes
        weeks = Counter(
            lesson.on.isocalendar()[:2] for lesson in school.lessons if lesson.teacher == teacher
        )
        minutes = max(
            (one.enrollment.course.minutes for one in school.lessons if one.teacher == teacher),
            default=0,
        )
        assert max(weeks.values(), default=0) * minutes < offered


@pytest.mark.django_db
def test_it_comes_in_quickly_and_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    # Processor time: what else the machine is doing does not count.
    began = time.process_time()
    first = import_school(folder=folder, now=NOW)
    assert time.process_time() - began < SECONDS
    before = everything()

    again = import_school(folder=folder, now=NOW)

    assert everything() == before
    assert {(one.created, one.changed) for one in again.counts.values()} == {(0, 0)}
    assert sum(one.created for one in first.counts.values()) == sum(
        one.unchanged for one in again.counts.values()
    )
    check_the_known_people()
    check_the_edges()
    check_the_closures()
    check_the_way_there_and_back(tmp_path)


def check_the_way_there_and_back(folder: Path) -> None:
    """The whole school, exported and imported again."""
    for model in MODELS:
        (folder / table_of(model).sheet.file).write_bytes(export(model))

    report = import_school(folder=folder, now=NOW)

    assert {(one.created, one.changed) for one in report.counts.values()} == {(0, 0)}
    assert report.counts["lessons.csv"].unchanged == Lesson.objects.count() > 9000
    assert report.counts["units.csv"].unchanged == CourseUnit.objects.count() > 100
    assert report.counts["progress.csv"].unchanged == UnitDone.objects.count() > 100


def check_the_known_people() -> None:
    student = Student.objects.get(user__email="student@school.example")
    enrolled = Enrollment.objects.filter(student=student)
    assert {one.status for one in enrolled} == {"confirmed", "requested", "completed"}
    teacher = Teacher.objects.get(user__email="teacher@school.example")
    assert Lesson.objects.filter(student=student, teacher=teacher, status="planned").exists()


def check_the_edges() -> None:
    courses = with_places(Course.objects.all())
    left = Counter(getattr(course, "places_left", 0) for course in courses)
    assert left[0] >= 1
    assert left[1] >= 4
    assert min(left) == 0
    assert courses.filter(opens_on__gt=TODAY).count() == 1
    assert courses.filter(closes_on__lt=TODAY).count() == 1


def check_the_closures() -> None:
    """Of each kind and scope one, and no lesson stands on any of them."""
    show_closures(email="teacher@school.example", now=NOW)
    kinds = {"public", "school_break", "other", "working_day"}
    assert set(Holiday.objects.values_list("kind", flat=True)) == kinds
    assert set(Holiday.objects.values_list("scope", flat=True)) == {"school", "region", "teachers"}
    assert Holiday.objects.filter(starts__isnull=False).exclude(note="").exists()
    years = {TODAY.year, TODAY.year + 1}
    assert {one.first_on.year for one in Holiday.objects.all()} >= years
    assert list(lessons_on_closed_days(now=NOW, lessons=None)) == []
    swap = Holiday.objects.get(kind="working_day")
    assert not Lesson.objects.filter(status="planned", local_on=swap.first_on).exists()
    assert not any(one.find(now=NOW, lessons=None) for one in inconsistencies.DETECTORS)
