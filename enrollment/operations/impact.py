"""What a change would do to lessons that are planned, seen before it is made.

    known = Impact(lessons=coming_lessons(teacher), now=now)    # before
    rule.save()                                                 # in the same transaction
    hits = known.hits()                                         # after

The same detectors are asked that find the conflicts afterwards, so both say the same.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from enrollment import detectors
from enrollment.detectors import Detector
from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson

# Lesson by id -> why it stands wrong, and which detector says so.
Displaced = dict[int, list[tuple[str, Detector]]]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A lesson that stands wrong after, for a reason that it had not before."""

    lesson: Lesson
    why: str
    detector: Detector


class Impact:
    """Begun before the change, asked after it. lessons: those that it could hit at all."""

    def __init__(self, *, lessons: Collection[int], now: datetime) -> None:
        self._lessons, self.now = lessons, now
        self._asked, self._before = self._displaced()

    def hits(self) -> list[Hit]:
        """In order of time; a fixed number of queries."""
        asked, after = self._displaced()
        # What could not be asked before says nothing about the change.
        both = asked & self._asked
        new = {
            pk: [(why, one) for why, one in found if one.kind in both - self._known(pk)]
            for pk, found in after.items()
        }
        rows = Lesson.objects.select_related(
            "course", "teacher__user", "student__user", "enrollment"
        )
        return [
            Hit(lesson=lesson, why=new[lesson.pk][0][0], detector=new[lesson.pk][0][1])
            for lesson in rows.filter(pk__in=[pk for pk, found in new.items() if found])
        ]

    def _known(self, lesson: int) -> set[str]:
        """Why it stood wrong before. Whoever plans by hand for a teacher without hours still wants to
        know what a holiday hits."""
        return {one.kind for _why, one in self._before.get(lesson, ())}

    def _displaced(self) -> tuple[set[str], Displaced]:
        asked: set[str] = set()
        found: Displaced = {}
        if not self._lessons:
            return asked, found
        for detector in detectors.registered():
            if not detector.displaces:
                continue
            answer = detector.find(now=self.now, lessons=self._lessons)
            if answer is None:
                continue
            asked.add(detector.kind)
            for one in answer:
                note = one.facts.get("note")
                why = f"{detector.title}: {note}" if note else str(detector.title)
                for pk in one.lessons:
                    found.setdefault(pk, []).append((why, detector))
        return asked, found


def impact(*, lessons: Iterable[int], change: Callable[[], object], now: datetime) -> list[Hit]:
    """Makes the change, looks, and takes it back."""
    with transaction.atomic():
        known = Impact(lessons=list(lessons), now=now)
        change()
        hits = known.hits()
        transaction.set_rollback(True)
    return hits


def planned_ahead(*, now: datetime) -> QuerySet[Lesson]:
    return Lesson.objects.filter(status=LessonStatus.PLANNED, period__endswith__gt=now)
