"""Lessons whose teacher is no longer there for them: the account is off, or the course is not theirs."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment.detectors import Detector
from enrollment.domain.findings import Finding
from enrollment.domain.states import LessonStatus
from enrollment.models import Conflict, Lesson, Teacher
from enrollment.operations.lessons import describe

Lessons = Collection[int] | None

INACTIVE, NOT_OF_COURSE = "teacher_inactive", "teacher_not_of_course"


def _inactive(*, now: datetime, lessons: Lessons) -> list[Finding]:
    off = Q(teacher__user__is_active=False) | Q(teacher__user__deleted_at__isnull=False)
    return list(_found(INACTIVE, _coming(now, lessons).filter(off)))


def _not_of_course(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Of the enrollment's own teacher. A substitute may come from elsewhere: the office chose them."""
    theirs = Teacher.courses.through.objects.filter(
        teacher=OuterRef("teacher"), course=OuterRef("course")
    )
    own = _coming(now, lessons).filter(enrollment__teacher=F("teacher"))
    return list(_found(NOT_OF_COURSE, own.filter(~Exists(theirs))))


def _coming(now: datetime, lessons: Lessons) -> QuerySet[Lesson]:
    coming = Lesson.objects.filter(status=LessonStatus.PLANNED, period__endswith__gt=now)
    if lessons is not None:
        coming = coming.filter(pk__in=lessons)
    return coming.order_by("period", "pk")


def _found(kind: str, lessons: QuerySet[Lesson]) -> Iterator[Finding]:
    for one in lessons.only("teacher", "student", "enrollment", "period"):
        yield Finding(
            kind=kind,
            key=f"{one.pk}@{int(one.starts_at.timestamp())}:{one.teacher_id}",
            lessons=(one.pk,),
            enrollment=one.enrollment_id,
            student=one.student_id,
            teacher=one.teacher_id,
        )


def _words(*, conflict: Conflict) -> str:
    if conflict.kind == INACTIVE:
        words = gettext("%(student)s, %(when)s: the account of %(teacher)s is off.")
    else:
        words = gettext("%(student)s, %(when)s: %(teacher)s does not teach this course any more.")
    lesson = conflict.lessons.first()
    return words % {
        "student": conflict.student,
        "when": describe(lesson) if lesson else "–",
        "teacher": conflict.teacher,
    }


def _nowhere(*, lesson: Lesson, teacher: Teacher, now: datetime) -> Sequence[datetime] | None:
    """Another time of theirs would not help; of anybody else nothing is known here."""
    return () if teacher.pk == lesson.teacher_id else None


DETECTORS = (
    Detector(
        kind=INACTIVE,
        title=_("Lesson of a teacher whose account is off"),
        find=_inactive,
        words=_words,
        offers=_nowhere,
        displaces=True,
    ),
    Detector(
        kind=NOT_OF_COURSE,
        title=_("Lesson of a teacher who does not teach the course"),
        find=_not_of_course,
        words=_words,
        offers=_nowhere,
        displaces=True,
    ),
)
