"""The ground floor's own detectors: what lessons alone show. Never gated."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment import sockets
from enrollment.detectors import Detector
from enrollment.domain.findings import Finding
from enrollment.domain.states import LessonStatus
from enrollment.models import Conflict, Enrollment, Lesson, UnitDone
from enrollment.operations.lessons import (
    PersonDeleted,
    delete_holds,
    describe,
    lock_people,
    move_lesson,
)
from enrollment.queries import contradictions

Lessons = Collection[int] | None


def _pair_key(pair: contradictions.Pair) -> str:
    return f"{pair.first}@{pair.first_at}-{pair.second}@{pair.second_at}"


def _student_twice(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for pair in contradictions.student_twice(now=now, lessons=lessons):
        yield Finding(
            kind="student_twice",
            key=_pair_key(pair),
            lessons=(pair.first, pair.second),
            student=pair.who,
        )


def _teacher_twice(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for pair in contradictions.teacher_twice(now=now, lessons=lessons):
        yield Finding(
            kind="teacher_twice",
            key=_pair_key(pair),
            lessons=(pair.first, pair.second),
            teacher=pair.who,
        )


def _overfull(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for group in contradictions.overfull(now=now, lessons=lessons):
        yield Finding(
            kind="overfull",
            key=f"{group.teacher}@{group.starts}:{len(group.lessons)}>{group.seats}",
            lessons=tuple(group.lessons),
            teacher=group.teacher,
            facts={"seats": group.seats},
        )


def _planned_again(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for found in contradictions.planned_again(now=now, lessons=lessons):
        yield Finding(
            kind="duplicate",
            key=f"{found.older}-{found.younger}",
            lessons=(found.older, found.younger),
            enrollment=found.enrollment,
            student=found.student,
            teacher=found.teacher,
        )


def _same_mailbox(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for found in contradictions.same_mailbox(now=now, lessons=lessons):
        yield Finding(
            kind="same_person",
            key=f"{found.older}-{found.younger}",
            enrollment=found.younger,
            student=found.student,
            facts={"enrollments": [found.older, found.younger]},
        )


def _hold_without_draft(*, now: datetime, lessons: Lessons) -> Iterable[Finding] | None:
    """None, where nobody keeps drafts: then a missing one says nothing."""
    holds = contradictions.open_holds(lessons=lessons)
    if not holds:
        return []
    drafted = sockets.keeper().drafted(pairs={(one.student, one.course) for one in holds})
    waited = sockets.waited_for({one.pk for one in holds})
    if drafted is None or waited is None:
        return None
    return [
        Finding(
            kind="hold_without_draft",
            key=str(one.pk),
            student=one.student,
            teacher=one.teacher,
            facts={"hold": one.pk},
        )
        for one in holds
        if (one.student, one.course) not in drafted and one.pk not in waited
    ]


def _without_lesson(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for found in contradictions.without_lesson(lessons=lessons):
        yield Finding(
            kind="without_lesson",
            key=f"{found.enrollment}-{found.last or 0}",
            enrollment=found.enrollment,
            student=found.student,
            teacher=found.teacher,
            facts={"had_one": found.last is not None},
        )


def _after_the_end(*, now: datetime, lessons: Lessons) -> Iterator[Finding]:
    for found in contradictions.after_the_end(now=now, lessons=lessons):
        yield Finding(
            kind="after_the_end",
            key=f"{found.lesson}-{found.status}",
            lessons=(found.lesson,),
            enrollment=found.enrollment,
            student=found.student,
            teacher=found.teacher,
        )


def merge_duplicate(*, conflict: Conflict, now: datetime) -> str | None:
    """The younger is cancelled, what was done in it is the older one's; where nobody had a hand in it."""
    pks = sorted(lesson.pk for lesson in conflict.lessons.all())
    rows = Lesson.objects.select_related("teacher").in_bulk(pks)
    if len(pks) != 2 or len(rows) != 2:
        return None
    older, younger = (rows[pk] for pk in pks)
    try:
        lock_people(
            students={one.student_id for one in rows.values()},
            teachers={one.teacher_id for one in rows.values()},
        )
    except PersonDeleted:
        return None
    enrollments = [one.enrollment_id for one in rows.values() if one.enrollment_id is not None]
    locked = Enrollment.objects.select_for_update(no_key=True).filter(pk__in=enrollments)
    list(locked.order_by("pk"))
    list(Lesson.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))
    again = contradictions.planned_again(now=now, lessons=[younger.pk])
    if not any(one.older == older.pk and one.mergeable for one in again):
        return None
    UnitDone.objects.filter(lesson=younger).update(lesson=older)
    words = gettext("The same lesson was planned twice; the older one stays.")
    move_lesson(lesson=younger, status=LessonStatus.CANCELLED, by=None, now=now, reason=words[:200])
    return gettext("The same lesson, planned twice: %(gone)s was cancelled, %(kept)s stays.") % {
        "gone": describe(younger),
        "kept": describe(older),
    }


def give_back_expired(*, conflict: Conflict, now: datetime) -> str | None:
    """One that still runs is for a person to decide about, or for the clock."""
    expired = Lesson.objects.filter(
        pk=conflict.facts.get("hold"), status=LessonStatus.HELD, expires_at__lte=now
    )
    return gettext("It ran out and was given back.") if delete_holds(expired) else None


def _lessons_in_words(conflict: Conflict) -> str:
    words = gettext("%(student)s, %(course)s, %(when)s with %(teacher)s")
    return "; ".join(
        words
        % {
            "student": lesson.student,
            "course": lesson.course,
            "when": describe(lesson),
            "teacher": lesson.teacher,
        }
        for lesson in conflict.lessons.all()
    )


def _words_student_twice(*, conflict: Conflict) -> str:
    return gettext("%(student)s has two lessons at the same time: %(lessons)s.") % {
        "student": conflict.student,
        "lessons": _lessons_in_words(conflict),
    }


def _words_teacher_twice(*, conflict: Conflict) -> str:
    return gettext("%(teacher)s has two lessons that get into each other's way: %(lessons)s.") % {
        "teacher": conflict.teacher,
        "lessons": _lessons_in_words(conflict),
    }


def _words_overfull(*, conflict: Conflict) -> str:
    return gettext("More students than the %(seats)s seats of this group: %(lessons)s.") % {
        "seats": conflict.facts.get("seats", ""),
        "lessons": _lessons_in_words(conflict),
    }


def _words_duplicate(*, conflict: Conflict) -> str:
    words = gettext(
        "The same day and time twice, on two clocks: probably one lesson that was imported twice. "
        "%(lessons)s."
    )
    return words % {"lessons": _lessons_in_words(conflict)}


def _words_same_person(*, conflict: Conflict) -> str:
    words = gettext(
        "%(student)s and somebody whose mail reaches the same mailbox are both enrolled: %(course)s. "
        "Is that one person twice, or are they two of one family?"
    )
    course = conflict.enrollment.course if conflict.enrollment else "–"
    return words % {"student": conflict.student, "course": course}


def _words_hold(*, conflict: Conflict) -> str:
    words = gettext(
        "A time with %(teacher)s is held for %(student)s, who has no unfinished enrollment for it."
    )
    return words % {"teacher": conflict.teacher, "student": conflict.student}


def _words_without_lesson(*, conflict: Conflict) -> str:
    facts = {
        "student": conflict.student,
        "course": conflict.enrollment.course if conflict.enrollment else "–",
    }
    if conflict.facts.get("had_one"):
        words = gettext("%(student)s, %(course)s: every lesson is cancelled, and none is planned.")
    else:
        words = gettext(
            "%(student)s, %(course)s: enrolled with a chosen time, and there is no lesson."
        )
    return words % facts


def _words_after_the_end(*, conflict: Conflict) -> str:
    status = conflict.enrollment.get_status_display() if conflict.enrollment else "–"
    words = gettext("The enrollment is over (%(status)s), and a lesson is to come: %(lessons)s.")
    return words % {"status": status.lower(), "lessons": _lessons_in_words(conflict)}


DETECTORS = (
    Detector(
        kind="student_twice",
        title=_("Student in two places"),
        find=_student_twice,
        words=_words_student_twice,
    ),
    Detector(
        kind="teacher_twice",
        title=_("Teacher in two places"),
        find=_teacher_twice,
        words=_words_teacher_twice,
    ),
    Detector(kind="overfull", title=_("Group too full"), find=_overfull, words=_words_overfull),
    Detector(
        kind="duplicate",
        title=_("Lesson planned twice"),
        find=_planned_again,
        words=_words_duplicate,
        resolve=merge_duplicate,
    ),
    Detector(
        kind="same_person",
        title=_("One person with two accounts"),
        find=_same_mailbox,
        words=_words_same_person,
    ),
    Detector(
        kind="hold_without_draft",
        title=_("Time held for nobody"),
        find=_hold_without_draft,
        words=_words_hold,
        resolve=give_back_expired,
    ),
    Detector(
        kind="without_lesson",
        title=_("Enrollment without its lesson"),
        find=_without_lesson,
        words=_words_without_lesson,
    ),
    Detector(
        kind="after_the_end",
        title=_("Lesson after the end"),
        find=_after_the_end,
        words=_words_after_the_end,
    ),
)
