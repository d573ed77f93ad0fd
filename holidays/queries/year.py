"""The closures of one year, for whom one asks."""

from dataclasses import dataclass
from datetime import date

from enrollment.models import Course, Teacher
from holidays.domain.closures import Closure
from holidays.models import Holiday, Region
from holidays.queries.closures import closures
from holidays.queries.holidays import holidays_between


@dataclass(frozen=True, kw_only=True)
class For:
    """Of each that is named only what counts there."""

    region: Region | None = None
    teacher: Teacher | None = None
    course: Course | None = None


def holidays_of(*, year: int, whose: For) -> list[Holiday]:
    """By their first day. Five queries, with teachers and courses."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = holidays_between(first=first, last=last).select_related("region")
    rows = list(found.prefetch_related("teachers", "courses"))
    if whose.region is not None:
        rows = [one for one in rows if _counts_in(one, whose.region)]
    if whose.teacher is None and whose.course is None:
        return rows
    teachers, courses = _asked(whose)
    keys = {
        one.key
        for one in closures(first=first, last=last, teachers=teachers)
        if _concerns(one, teachers, courses)
    }
    return [one for one in rows if one.pk in keys]


def _asked(whose: For) -> tuple[set[int], set[int]]:
    """The courses of a teacher, the teachers of a course."""
    if whose.teacher is not None:
        taught = whose.teacher.courses.values_list("pk", flat=True)
        courses = {whose.course.pk} if whose.course else set(taught)
        return {whose.teacher.pk}, courses
    assert whose.course is not None
    return set(whose.course.teachers.values_list("pk", flat=True)), {whose.course.pk}


def _concerns(one: Closure, teachers: set[int], courses: set[int]) -> bool:
    return (one.teachers is None or not one.teachers.isdisjoint(teachers)) and (
        one.courses is None or not one.courses.isdisjoint(courses)
    )


def _counts_in(one: Holiday, region: Region) -> bool:
    """For whoever lives there: a country's holidays count in its parts."""
    if one.region is None:
        return one.scope == Holiday.Scope.SCHOOL
    return one.region.country == region.country and one.region.subdivision in (
        "",
        region.subdivision,
    )
