"""Closures as people read them: only what concerns them, in their language. The office reads all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext

from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Enrollment, Lesson
from enrollment.queries.people import student_of, teacher_of
from holidays.domain.closures import Closure
from holidays.models import Holiday
from holidays.queries.closures import closures
from holidays.queries.holidays import holidays_between
from holidays.queries.words import hours_of, part_of, whom_in_words, works_like

SEES_ALL = "holidays.view_holiday"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """hours: where it does not close its days whole. whom: empty, if it is for everybody who reads."""

    name: str
    kind: str
    what: str
    first_on: date
    last_on: date
    hours: str
    whom: str
    note: str

    def __str__(self) -> str:
        return self.name

    @property
    def closes(self) -> bool:
        return self.kind != Holiday.Kind.WORKING_DAY


@dataclass(frozen=True, kw_only=True)
class Mine:
    """Whose closures somebody meets: names by id. me: the reader's own id as a teacher."""

    teachers: Mapping[int, str] = field(default_factory=dict)
    courses: Mapping[int, str] = field(default_factory=dict)
    me: int | None = None


def closures_for(*, user: Any, first: date, last: date) -> list[Shown]:
    """By their first day. At most five queries, those about who somebody is among them."""
    if user.has_perm(SEES_ALL):
        found = holidays_between(first=first, last=last).select_related("region")
        return [_all(one) for one in found.prefetch_related("teachers", "courses")]
    mine = whose(user)
    return [
        _shown(one, mine)
        for one in closures(first=first, last=last, teachers=list(mine.teachers))
        if _concerns(one, mine)
    ]


def whose(user: Any) -> Mine:
    """A student's are those of running enrollments, and whoever gives a lesson to come."""
    teacher, student = teacher_of(user), student_of(user)
    teachers: dict[int, str] = {}
    courses: dict[int, str] = {}
    if teacher is not None:
        teachers[teacher.pk] = teacher.display_name
        courses |= dict(teacher.courses.values_list("pk", "title"))
    if student is not None:
        names = ("course_id", "course__title", "teacher_id", "teacher__display_name")
        live = Enrollment.objects.filter(student=student, status__in=LIVE_ENROLLMENT)
        planned = Lesson.objects.filter(student=student, status=LessonStatus.PLANNED)
        rows = live.order_by().values_list(*names).union(planned.order_by().values_list(*names))
        for course, title, other, name in rows:
            courses[course] = title
            if other is not None:
                teachers[other] = name
    return Mine(teachers=teachers, courses=courses, me=teacher.pk if teacher else None)


def _concerns(one: Closure, mine: Mine) -> bool:
    return (one.teachers is None or not one.teachers.isdisjoint(mine.teachers)) and (
        one.courses is None or not one.courses.isdisjoint(mine.courses)
    )


def _shown(one: Closure, mine: Mine) -> Shown:
    return Shown(
        name=one.name,
        kind=one.kind,
        what=str(Holiday.Kind(one.kind).label),
        first_on=one.first_on,
        last_on=one.last_on,
        hours=hours_of(one),
        whom=_whom(one, mine),
        note=one.note,
    )


def _whom(one: Closure, mine: Mine) -> str:
    if one.courses is not None:
        words = gettext("only for %(names)s")
        return words % {"names": _names(mine.courses, one.courses)}
    if one.teachers is None:
        return ""
    if one.kind == Holiday.Kind.PUBLIC and one.teachers.issuperset(mine.teachers):
        return ""
    others = {pk: name for pk, name in mine.teachers.items() if pk != mine.me}
    if one.teachers.isdisjoint(others):
        return gettext("for you")
    words = gettext("only with %(names)s")
    return words % {"names": _names(mine.teachers, one.teachers)}


def _names(known: Mapping[int, str], wanted: Collection[int]) -> str:
    return ", ".join(sorted(name for pk, name in known.items() if pk in wanted))


def _all(one: Holiday) -> Shown:
    whom = whom_in_words(one)
    return Shown(
        name=one.shown_name,
        kind=one.kind,
        what=str(Holiday.Kind(one.kind).label),
        first_on=one.first_on,
        last_on=one.last_on,
        hours=works_like(one.as_weekday) or part_of(one),
        whom=gettext("only for %(names)s") % {"names": whom} if whom else "",
        note=one.note,
    )
