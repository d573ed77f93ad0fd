"""Units and progress from files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from enrollment.importing.desk import Counts
from enrollment.models import CourseUnit, Enrollment, Teacher, UnitDone
from enrollment.operations.progress import tick
from tests.enrollment.school_files import (
    ENROLLMENTS,
    NOW,
    PROGRESS,
    UNITS,
    load,
    problem,
    problems,
)
from tests.enrollment.test_import import everything

pytestmark = pytest.mark.django_db


def test_units_and_progress_come_in_and_twice_changes_nothing(tmp_path: Path) -> None:
    report = load(tmp_path, units=UNITS, progress=PROGRESS)
    assert (report.counts["units.csv"].created, report.counts["progress.csv"].created) == (3, 2)
    assert [(unit.position, unit.title) for unit in CourseUnit.objects.all()] == [
        (1, "Scales"),
        (2, "Bowing"),
        (3, "First piece"),
    ]
    first, second = UnitDone.objects.order_by("done_at")
    assert first.done_at == datetime(2026, 2, 2, 11, tzinfo=UTC)
    assert (first.by, second.by) == (Teacher.objects.get().user, None)
    assert first.enrollment == Enrollment.objects.get(student__user__first_name="Zoë")
    before = everything()

    report = load(tmp_path, units=UNITS, progress=PROGRESS)

    assert everything() == before
    assert report.counts["units.csv"] == Counts(unchanged=3)
    assert report.counts["progress.csv"] == Counts(unchanged=2)


def test_what_differs_is_changed_and_what_the_file_does_not_say_stays(tmp_path: Path) -> None:
    load(tmp_path, units=UNITS, progress=PROGRESS)
    report = load(
        tmp_path,
        units="course,title,position\nviolin,Scales,9\nviolin,Bowing,\nviolin,Coda,\n",
        progress="student,course,unit,done_on\nzoe@school.example,violin,Scales,2026-02-03\n",
    )
    assert report.counts["units.csv"] == Counts(created=1, changed=1, unchanged=1)
    assert [str(unit) for unit in CourseUnit.objects.all()] == [
        *("Bowing", "First piece", "Scales", "Coda")
    ]
    assert report.counts["progress.csv"] == Counts(changed=1)
    scales = UnitDone.objects.get(unit__title="Scales")
    assert scales.done_at == datetime(2026, 2, 3, 11, tzinfo=UTC)
    assert scales.by == Teacher.objects.get().user


def test_a_tick_of_that_day_keeps_its_hour(tmp_path: Path) -> None:
    load(tmp_path, units=UNITS)
    at = datetime(2026, 2, 2, 15, 40, tzinfo=UTC)
    tick(
        enrollment=Enrollment.objects.get(student__user__first_name="Zoë"),
        unit=CourseUnit.objects.get(title="Scales"),
        by=Teacher.objects.get().user,
        now=at,
    )
    report = load(tmp_path, units=UNITS, progress=PROGRESS)
    assert report.counts["progress.csv"] == Counts(created=1, unchanged=1)
    assert UnitDone.objects.get(unit__title="Scales").done_at == at


@pytest.mark.parametrize(
    ("table", "old", "new", "says"),
    [
        (
            "units",
            "violin,Scales",
            "viola,Scales",
            "units.csv, line 2, column course: “viola”: is neither in courses.csv nor in the "
            "school; add it or correct this.",
        ),
        ("units", "Scales,1", "Scales,0", "“0”: write a whole number from 1 to 32767."),
        ("units", "Scales,1", ",1", "units.csv, line 2, column title: “”: must not be empty."),
        ("units", "Bowing", "Scales", "line 3, column title: “Scales”: "),
        ("units", "Bowing", "B" * 161, "has 161 characters; at most 160 fit."),
        (
            "progress",
            "Scales",
            "Skales",
            "progress.csv, line 2, column unit: “Skales”: is no unit of violin, neither in "
            "units.csv nor in the school. Did you mean Scales?",
        ),
        (
            "progress",
            "zoe@school.example,violin,Bowing",
            "anna@school.example,violin,Bowing",
            "line 3, column student: “anna@school.example”: is neither in students.csv nor",
        ),
        (
            "progress",
            ",marta@school.example",
            ",ivo@school.example",
            "line 2, column teacher: “ivo@school.example”: is neither in teachers.csv nor",
        ),
        ("progress", "02.02.2026", "", "line 2, column done_on: “”: must not be empty."),
        ("progress", "02.02.2026", "31.02.2026", "“31.02.2026”: there is no such day"),
        ("progress", "Bowing", "Scales", "line 3, column unit: “Scales”: "),
        (
            "progress",
            "unit,",
            "units,",
            "column units: “units”: no such column. Did you mean unit?",
        ),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(
    tmp_path: Path, table: str, old: str, new: str, says: str
) -> None:
    tables = {"units": UNITS, "progress": PROGRESS}
    tables[table] = tables[table].replace(old, new, 1)
    found = [str(one) for one in problems(tmp_path, **tables)]
    assert any(says in one for one in found), found
    assert not CourseUnit.objects.exists()
    assert not UnitDone.objects.exists()


def test_who_is_not_enrolled_has_no_progress(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        units=UNITS,
        progress=PROGRESS,
        enrollments="student,course\n",
        lessons="teacher,student,course,date,time\n",
    )
    hint = "is not enrolled in violin; add a line to enrollments.csv."
    assert [str(one) for one in found] == [
        f"progress.csv, line {line}, column student: “zoe@school.example”: {hint}"
        for line in (2, 3)
    ]


def test_nothing_is_added_to_what_was_given_up(tmp_path: Path) -> None:
    given_up = ENROLLMENTS.replace("confirmed", "cancelled")
    found = problems(tmp_path, units=UNITS, progress=PROGRESS, enrollments=given_up)
    assert len(found) == 2
    assert "was declined or cancelled; nothing is added to it." in str(found[0])


def test_a_unit_whose_line_is_unreadable_is_complained_of_once(tmp_path: Path) -> None:
    bad = UNITS.replace("Scales,1", "Scales,first")
    assert "write a whole number" in problem(tmp_path, units=bad, progress=PROGRESS)


def test_an_enrollment_that_ends_by_an_import_is_over_since_then(tmp_path: Path) -> None:
    load(tmp_path)
    load(tmp_path, enrollments=ENROLLMENTS.replace("confirmed", "completed"))
    assert Enrollment.objects.get(status="completed").ended_at == NOW
    assert Enrollment.objects.get(status="requested").ended_at is None
