"""Conflicts as rows: opened once, kept, ended, by many searches at once, and when they run."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from enrollment import detectors
from enrollment.detectors import Detector
from enrollment.domain.findings import Finding
from enrollment.models import (
    Conflict,
    Course,
    Lesson,
    LessonChange,
    Student,
    Teacher,
    User,
)
from enrollment.operations import look_again
from enrollment.operations.conflicts import Found, find_conflicts, find_if_newer
from enrollment.operations.lessons import SlotTaken
from enrollment.operations.office import plan_by_hand
from enrollment.queries import contradictions
from enrollment.tasks import find_conflicts as task
from tests.conftest import Switches, make_student, make_teacher
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
from tests.enrollment.crowd import at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def other_teacher() -> Teacher:
    teacher = make_teacher("noor@school.example")
    Teacher.objects.filter(pk=teacher.pk).update(display_name="Noor Haddad")
    teacher.refresh_from_db()
    return teacher


def overlapping(student: Student, course: Course, teacher: Teacher) -> tuple[Lesson, Lesson]:
    without_guards()
    enrollment = enrolled(student, course)
    return lesson(enrollment, teacher), lesson(enrollment, teacher, START + 10 * MINUTE)


def test_found_again_it_is_the_same_row(student: Student, course: Course, teacher: Teacher) -> None:
    overlapping(student, course, teacher)
    assert search().opened == 2  # the student's, and the teacher's
    before = Conflict.objects.get(kind="student_twice")
    assert search(now=NOW + HOUR) == Found(opened=0, gone=0, settled=0)
    after = Conflict.objects.get(kind="student_twice")
    assert (after.pk, after.found_at, after.seen_at) == (before.pk, NOW, NOW + HOUR)


def test_what_is_kept_stays_kept_and_is_new_when_it_comes_again(
    student: Student, course: Course, teacher: Teacher
) -> None:
    _first, second = overlapping(student, course, teacher)
    search()
    Conflict.objects.update(status="dismissed", resolved_at=NOW, resolution="Twins.")
    assert search(now=NOW + HOUR) == Found(opened=0, gone=0, settled=0)
    Lesson.objects.filter(pk=second.pk).update(status="cancelled")
    assert search(now=NOW + HOUR) == Found(opened=0, gone=2, settled=0)
    assert set(Conflict.objects.values_list("status", "resolution")) == {("resolved", "Twins.")}
    Lesson.objects.filter(pk=second.pk).update(status="planned")
    assert search().opened == 2


def test_a_search_around_some_lessons_ends_only_what_they_have_part_in(
    student: Student, course: Course, teacher: Teacher, other_teacher: Teacher
) -> None:
    first, second = overlapping(student, course, teacher)
    elsewhere = enrolled(make_student("eve@school.example"), course)
    third = lesson(elsewhere, other_teacher, START + 24 * HOUR)
    fourth = lesson(elsewhere, other_teacher, START + 24 * HOUR + 10 * MINUTE)
    assert search(lessons=[first.pk]).opened == 2
    assert search(lessons=[fourth.pk]).opened == 2
    Lesson.objects.filter(pk__in=[second.pk, fourth.pk]).update(status="cancelled")
    assert search(lessons=[third.pk]).gone == 2
    assert {one.student_id or one.teacher_id for one in Conflict.objects.filter(status="open")} == {
        student.pk,
        teacher.pk,
    }


@pytest.fixture
def upstairs() -> Iterator[dict[str, Any]]:
    """A detector of a feature, as the site plan registers it."""
    answers: dict[str, Any] = {"find": [Finding(kind="upstairs", key="x", facts={"n": 1})]}
    detectors.register(
        Detector(
            kind="upstairs",
            title="Upstairs",
            find=lambda *, now, lessons: answers["find"],
            words=lambda *, conflict: "Upstairs.",
            resolve=lambda *, conflict, now: answers["resolve"]() if "resolve" in answers else None,
        )
    )
    yield answers
    detectors._detectors.pop("upstairs", None)


def test_a_feature_that_is_off_leaves_its_conflicts_as_they_are(upstairs: dict[str, Any]) -> None:
    assert search().opened == 1
    upstairs["find"] = None
    assert search() == Found(opened=0, gone=0, settled=0)
    upstairs["find"] = [Finding(kind="upstairs", key="x", facts={"n": 2})]
    search()
    assert Conflict.objects.get().facts == {"n": 2}
    upstairs["find"] = []
    assert search().gone == 1


def test_a_rule_that_found_the_time_taken_is_asked_again(upstairs: dict[str, Any]) -> None:
    def taken() -> str:
        raise SlotTaken

    upstairs["resolve"] = taken
    assert search() == Found(opened=1, gone=0, settled=0)
    upstairs["resolve"] = lambda: "Moved."
    assert search().settled == 1
    assert Conflict.objects.get().resolution == "Moved."


def test_what_a_rule_did_is_undone_when_a_person_was_faster(
    upstairs: dict[str, Any], student: Student
) -> None:
    def slow() -> str:
        Student.objects.filter(pk=student.pk).update(zone="Asia/Kolkata")
        Conflict.objects.update(status="dismissed", resolved_at=NOW, resolution="Mine.")
        return "Moved."

    upstairs["resolve"] = slow
    assert search().settled == 0
    student.refresh_from_db()
    assert student.zone == "Europe/Berlin"


def test_with_everything_off_the_ground_floor_goes_on_finding(
    switches: Switches, student: Student, course: Course, teacher: Teacher
) -> None:
    switches.kill()
    overlapping(student, course, teacher)
    hold(make_student("eve@school.example"), course, make_teacher("t@school.example"))
    assert task() == 3


def test_the_number_of_queries_does_not_grow_with_the_lessons(
    course: Course, teacher: Teacher
) -> None:
    without_guards()
    counts = []
    for crowd in range(3):
        for number in range(3 + 10 * crowd):
            student = make_student(f"s{crowd}-{number}@school.example")
            enrollment = enrolled(student, course)
            at = START + timedelta(days=number + 60 * crowd)
            lesson(enrollment, teacher, at)
            lesson(enrollment, teacher, at + 10 * MINUTE)
            lesson(enrolled(student, course, status="cancelled"), teacher, at + 5 * HOUR)
        with CaptureQueriesContext(connection) as queries:
            search()
        counts.append(len(queries))
    assert Conflict.objects.count() == 3 * (3 + 13 + 23)
    # The first time there is nothing yet to be seen again.
    assert counts[1] == counts[2] <= 65


@pytest.mark.parametrize("sql", ["STUDENT_TWICE", "TEACHER_TWICE", "AGAIN"])
def test_lessons_are_never_joined_with_all_lessons(db: Any, sql: str) -> None:
    """A restored database has no statistics: 20,000 lessons joined with themselves took a minute."""
    with connection.cursor() as cursor:
        question = f"EXPLAIN {getattr(contradictions, sql)}"
        cursor.execute(question, {"now": NOW, "lessons": None})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert len(re.findall(r"Scan.* on enrollment_lesson\b", plan)) == 1, plan


# ---------------------------------------------------------------- when it runs
def test_a_search_that_began_later_has_seen_it_all(
    student: Student, course: Course, teacher: Teacher
) -> None:
    overlapping(student, course, teacher)
    asked = NOW.timestamp()
    assert find_if_newer(asked_at=asked - 5, now=NOW) is not None
    assert find_if_newer(asked_at=asked - 5, now=NOW + HOUR) is None
    assert find_if_newer(asked_at=asked + 5, now=NOW + HOUR) is not None
    assert find_if_newer(asked_at=None, now=NOW + HOUR) is not None


def test_whoever_changes_lessons_asks_for_a_search(
    student: Student,
    course: Course,
    teacher: Teacher,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(look_again, "ask_worker", lambda name, **options: asked.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        made = plan_by_hand(
            enrollment=enrolled(student, course),
            teacher=teacher,
            on=START.date(),
            at=START.time(),
            now=NOW,
        )
    assert made.pk
    assert asked == ["enrollment.tasks.find_conflicts"]


@pytest.mark.django_db(transaction=True)
def test_many_searches_at_once_make_one_row(
    student: Student, course: Course, teacher: Teacher
) -> None:
    _older, younger = twice(enrolled(student, course), teacher)
    enrolled(make_student("eve@school.example"), course, flow="scheduling")
    answers = at_once(*[partial(find_conflicts, now=NOW)] * 8)
    assert all(isinstance(one, Found) for one in answers), answers
    assert sum(one.opened for one in answers if isinstance(one, Found)) == 2
    assert sum(one.settled for one in answers if isinstance(one, Found)) == 1
    assert Conflict.objects.count() == 2
    younger.refresh_from_db()
    assert younger.status == "cancelled"
    assert LessonChange.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_is_once_whoever_writes_it(student: Student) -> None:
    Conflict.objects.create(kind="x", key="1")
    with pytest.raises(Exception, match="conflict_once"), transaction.atomic():
        Conflict.objects.create(kind="x", key="1")
    Conflict.objects.update(status="resolved", resolved_at=NOW)
    Conflict.objects.create(kind="x", key="1")
    assert User.objects.count()
