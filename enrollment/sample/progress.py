"""What the sample's courses are made of, and how far its students are: as far as their lessons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from enrollment.domain.states import LessonStatus
from enrollment.sample.school import Course, Person, dice, read_toml
from enrollment.sample.timetable import Lesson, School

FEWEST_UNITS = 6


@dataclass(frozen=True, kw_only=True)
class Done:
    student: Person
    course: Course
    unit: str
    on: date
    teacher: Person


def units(courses: Sequence[Course]) -> dict[str, list[str]]:
    """By slug, in order."""
    subjects, roll = read_toml("units.toml"), dice("units")
    made = {}
    for course in courses:
        titles: list[str] = subjects[course.teachers[0].subject]["units"]
        made[course.slug] = titles[: roll.randint(FEWEST_UNITS, len(titles))]
    return made


def done(school: School) -> Iterator[Done]:
    """A unit takes as many lessons as it must for all to be done with the last one."""
    of_course = units(school.courses)

    def whose(lesson: Lesson) -> tuple[str, str]:
        return lesson.enrollment.student.email, lesson.enrollment.course.slug

    by_time = sorted(school.lessons, key=lambda one: (*whose(one), one.on, one.at))
    for (_student, slug), group in groupby(by_time, key=whose):
        lessons = list(group)
        if lessons[0].enrollment.kind in ("running", "completed"):
            yield from _of_enrollment(lessons, of_course[slug])


def _of_enrollment(lessons: Sequence[Lesson], titles: Sequence[str]) -> Iterator[Done]:
    counted = [one for one in lessons if one.status != LessonStatus.CANCELLED]
    for number, title in enumerate(titles, start=1):
        lesson = counted[max(0, len(counted) * number // len(titles) - 1)]
        if lesson.status == LessonStatus.DONE:
            yield Done(
                student=lesson.enrollment.student,
                course=lesson.enrollment.course,
                unit=title,
                on=lesson.on,
                teacher=lesson.teacher,
            )
