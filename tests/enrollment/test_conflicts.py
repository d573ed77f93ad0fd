"""Contradictions are found by themselves, kept as rows, and end by themselves where that is safe."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from enrollment import detectors, sockets
from enrollment.models import (
    Conflict,
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    LessonChange,
    Student,
    Teacher,
    UnitDone,
)
from enrollment.operations.conflicts import Found
from enrollment.operations.lessons import move_lesson
from enrollment.operations.office import move_enrollment
from rollback.models import EnrollmentDraft
from tests.conftest import make_student, make_teacher
from tests.enrollment.contradictory import (
    NOW,
    START,
    enrolled,
    hold,
    lesson,
    search,
    twice,
    without_guards,
)

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def found(kind: str) -> list[Conflict]:
    return list(Conflict.objects.filter(kind=kind, status="open").order_by("pk"))


def words(conflict: Conflict) -> str:
    detector = detectors.get(conflict.kind)
    assert detector is not None
    return detector.words(conflict=conflict)


@pytest.fixture
def other_teacher() -> Teacher:
    teacher = make_teacher("noor@school.example")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Noor Haddad")
    teacher.refresh_from_db()
    return teacher


@pytest.fixture
def choir(other_teacher: Teacher) -> Course:
    course = Course.objects.create(title="Choir", slug="choir")
    course.teachers.add(other_teacher)
    return course


# ---------------------------------------------------------------- two places at once
def test_a_student_in_two_places(
    student: Student, course: Course, choir: Course, teacher: Teacher, other_teacher: Teacher
) -> None:
    without_guards()
    first = lesson(enrolled(student, course), teacher)
    second = lesson(enrolled(student, choir), other_teacher, START + 30 * MINUTE)
    # Beginning when the first ends is no conflict, and what was cancelled takes no time.
    lesson(first.enrollment, teacher, START + 120 * MINUTE)  # type: ignore[arg-type]
    lesson(second.enrollment, other_teacher, START + 165 * MINUTE)  # type: ignore[arg-type]
    lesson(second.enrollment, other_teacher, START, status="cancelled")  # type: ignore[arg-type]

    assert search() == Found(opened=1, gone=0, settled=0)

    [conflict] = found("student_twice")
    assert list(conflict.lessons.all()) == [first, second]
    assert conflict.student == student
    assert words(conflict) == (
        "Ada Vogel has two lessons at the same time: Ada Vogel, Violin for beginners, Monday "
        "10 March 2031, 16:00–16:45 (Europe/Berlin) with Marta Rossi; Ada Vogel, Choir, Monday "
        "10 March 2031, 16:30–17:15 (Europe/Berlin) with Noor Haddad."
    )


def test_a_teacher_in_two_places_counts_what_is_kept_free(
    student: Student, course: Course, teacher: Teacher
) -> None:
    without_guards()
    other = enrolled(make_student("eve@school.example"), course)
    first = lesson(enrolled(student, course), teacher, buffer_after=15)
    second = lesson(other, teacher, START + 50 * MINUTE)
    assert search().opened == 1
    [conflict] = found("teacher_twice")
    assert list(conflict.lessons.all()) == [first, second]
    assert conflict.teacher == teacher
    assert "Marta Rossi has two lessons" in words(conflict)


def test_a_group_shares_its_time_until_it_is_too_full(
    student: Student, course: Course, teacher: Teacher
) -> None:
    people = [student, make_student("eve@school.example"), make_student("kim@school.example")]
    group = [lesson(enrolled(one, course), teacher, seats=2) for one in people[:2]]
    assert search().opened == 0
    group.append(lesson(enrolled(people[2], course), teacher, seats=2))
    assert search().opened == 1
    [conflict] = found("overfull")
    assert list(conflict.lessons.order_by("pk")) == group
    assert "More students than the 2 seats" in words(conflict)
    assert search(lessons=[group[1].pk]) == Found(opened=0, gone=0, settled=0)


def test_three_at_once_are_three_pairs(student: Student, course: Course, teacher: Teacher) -> None:
    without_guards()
    enrollment = enrolled(student, course)
    for minutes in (0, 10, 20):
        lesson(enrollment, teacher, START + minutes * MINUTE)
    search()
    assert len(found("student_twice")) == 3


def test_what_was_is_history(student: Student, course: Course, teacher: Teacher) -> None:
    without_guards()
    enrollment = enrolled(student, course)
    for minutes in (0, 10):
        lesson(enrollment, teacher, START + minutes * MINUTE)
    assert search(now=START + 2 * HOUR).opened == 0


# ---------------------------------------------------------------- planned twice
def test_a_lesson_that_was_imported_twice_is_merged_onto_the_older(
    student: Student, course: Course, teacher: Teacher
) -> None:
    older, younger = twice(enrolled(student, course), teacher)
    unit = CourseUnit.objects.create(course=course, title="Scales")
    UnitDone.objects.create(enrollment=Enrollment.objects.get(), unit=unit, lesson=younger)

    assert search() == Found(opened=1, gone=0, settled=1)

    older.refresh_from_db()
    younger.refresh_from_db()
    assert (older.status, younger.status) == ("planned", "cancelled")
    assert UnitDone.objects.get().lesson == older
    conflict = Conflict.objects.get()
    assert (conflict.status, conflict.automatic, conflict.resolved_by) == ("resolved", True, None)
    assert "17:00–17:45 (Europe/London)" not in conflict.resolution
    assert "16:00–16:45 (Europe/London) was cancelled" in conflict.resolution
    change = LessonChange.objects.get()
    assert (change.lesson, change.what, change.by) == (younger, "cancelled", None)
    assert search() == Found(opened=0, gone=0, settled=0)


@pytest.mark.parametrize("why", ["another teacher", "touched", "same zone"])
def test_where_somebody_had_a_hand_in_it_a_person_decides(
    student: Student, course: Course, teacher: Teacher, other_teacher: Teacher, why: str
) -> None:
    others: dict[str, dict[str, Any]] = {
        "another teacher": {"teacher": other_teacher},
        "same zone": {"zone": "Europe/Berlin"},
    }
    fields = others.get(why, {})
    younger_teacher = fields.pop("teacher", teacher)
    enrollment = enrolled(student, course)
    lesson(enrollment, teacher, local_start="16:00")
    there = {"local_start": "16:00", "zone": "Europe/London", **fields}
    younger = lesson(enrollment, younger_teacher, START + HOUR, **there)
    if why == "touched":
        LessonChange.objects.create(lesson=younger, what="moved")
    assert search() == Found(opened=1, gone=0, settled=0)
    assert "probably one lesson" in words(found("duplicate")[0])
    assert Lesson.objects.filter(status="planned").count() == 2


def test_two_lessons_of_a_day_at_two_times_are_no_duplicate(
    student: Student, course: Course, teacher: Teacher
) -> None:
    enrollment = enrolled(student, course)
    lesson(enrollment, teacher)
    lesson(enrollment, teacher, START + 2 * HOUR, zone="Europe/London")
    lesson(enrolled(make_student("eve@school.example"), course), teacher, START + HOUR)
    assert search().opened == 0


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("ada@mail.example", "ada+violin@mail.example", True),
        ("ada.vogel@gmail.com", "adavogel+x@googlemail.com", True),
        ("ada.vogel@mail.example", "adavogel@mail.example", False),
        ("ada@mail.example", "ada@other.example", False),
    ],
)
def test_two_accounts_of_one_mailbox_in_one_course(
    course: Course, choir: Course, first: str, second: str, same: bool
) -> None:
    one, two = make_student(first), make_student(second)
    older, younger = enrolled(one, course), enrolled(two, course)
    enrolled(two, choir)
    search()
    assert [conflict.enrollment for conflict in found("same_person")] == [younger] * same
    for conflict in found("same_person"):
        assert conflict.facts == {"enrollments": [older.pk, younger.pk]}
        assert "Violin for beginners" in words(conflict)


# ---------------------------------------------------------------- holds
def test_a_hold_without_a_draft_is_told_and_goes_when_it_runs_out(
    student: Student, course: Course, teacher: Teacher
) -> None:
    held = hold(student, course, teacher)
    assert search() == Found(opened=1, gone=0, settled=0)
    [conflict] = found("hold_without_draft")
    assert words(conflict).startswith("A time with Marta Rossi is held for Ada Vogel")
    assert conflict.facts == {"hold": held.pk}
    assert not conflict.lessons.exists()
    assert search(now=NOW + HOUR) == Found(opened=0, gone=0, settled=1)
    assert not Lesson.objects.exists()
    assert Conflict.objects.get().resolution == "It ran out and was given back."


def test_a_hold_that_vanishes_by_sql_leaves_no_reference(
    student: Student, course: Course, teacher: Teacher
) -> None:
    """As the booking's own statement deletes what has run out."""
    hold(student, course, teacher)
    search()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM enrollment_lesson")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert search() == Found(opened=0, gone=1, settled=0)


def test_a_hold_with_its_draft_is_none(student: Student, course: Course, teacher: Teacher) -> None:
    hold(student, course, teacher)
    EnrollmentDraft.objects.create(student=student, course=course, saved_at=NOW)
    assert search().opened == 0


def test_a_hold_that_somebody_waits_for_is_none(
    student: Student, course: Course, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(student, course, teacher)
    monkeypatch.setattr(sockets, "_waited_for", lambda holds: {held.pk} & set(holds))
    assert search().opened == 0


@pytest.mark.parametrize("silent", ["keeper", "waiting"])
def test_where_nobody_knows_about_drafts_open_conflicts_stay(
    student: Student, course: Course, teacher: Teacher, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    held = hold(student, course, teacher)
    search()
    if silent == "keeper":
        monkeypatch.setattr(sockets, "_keeper", sockets.KeepsNothing())
    else:
        monkeypatch.setattr(sockets, "_waited_for", lambda holds: None)
    held.delete()
    hold(make_student("eve@school.example"), course, teacher)
    assert search() == Found(opened=0, gone=0, settled=0)
    assert len(found("hold_without_draft")) == 1


def test_a_broken_draft_table_says_nothing_about_holds(
    student: Student, course: Course, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_pairs: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr("rollback.drafts.drafted", broken)
    hold(student, course, teacher)
    assert search().opened == 0


# ---------------------------------------------------------------- enrollments and their lessons
def test_an_enrollment_whose_lessons_are_all_cancelled(
    student: Student, course: Course, teacher: Teacher
) -> None:
    enrollment = enrolled(student, course)
    first, second = (lesson(enrollment, teacher, START + day * 24 * HOUR) for day in (0, 7))
    move_lesson(lesson=first, status="cancelled", now=NOW)
    assert search().opened == 0
    move_lesson(lesson=second, status="cancelled", now=NOW)
    assert search().opened == 1
    [conflict] = found("without_lesson")
    assert words(conflict) == (
        "Ada Vogel, Violin for beginners: every lesson is cancelled, and none is planned."
    )
    lesson(enrollment, teacher, START + 24 * HOUR)
    assert search() == Found(opened=0, gone=1, settled=0)


@pytest.mark.parametrize(
    ("status", "flow", "counts"),
    [
        ("confirmed", "scheduling", True),
        ("confirmed", "original", False),
        ("requested", "scheduling", False),
        ("cancelled", "scheduling", False),
    ],
)
def test_an_enrollment_that_should_have_come_with_a_lesson(
    student: Student, course: Course, status: str, flow: str, counts: bool
) -> None:
    enrolled(student, course, status=status, flow=flow)
    assert search().opened == counts
    assert ["there is no lesson" in words(one) for one in found("without_lesson")] == [
        True
    ] * counts


def test_lessons_to_come_of_an_enrollment_that_is_over(
    student: Student, course: Course, teacher: Teacher
) -> None:
    enrollment = enrolled(student, course)
    lesson(enrollment, teacher, NOW - HOUR, status="planned")
    coming = lesson(enrollment, teacher)
    move_enrollment(enrollment=enrollment, status="completed", now=NOW)
    assert search().opened == 1
    [conflict] = found("after_the_end")
    assert list(conflict.lessons.all()) == [coming]
    assert words(conflict).startswith("The enrollment is over (completed), and a lesson is to come")
