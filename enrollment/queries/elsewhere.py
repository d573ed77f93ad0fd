"""Where a lesson may go instead: as who found it wrong knows better, or as the ground floor sees it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from enrollment.detectors import Detector
from enrollment.domain.nearby import Wish
from enrollment.models import Lesson
from enrollment.queries.clashes import lesson_length
from enrollment.queries.nearby import nearest_free_times


def free_elsewhere(
    *, lesson: Lesson, detector: Detector | None, now: datetime
) -> Sequence[datetime]:
    """Nearest first."""
    teacher = lesson.teacher
    better = detector.offers if detector else None
    starts = better(lesson=lesson, teacher=teacher, now=now) if better else None
    if starts is not None:
        return starts
    there = timezone.localtime(lesson.starts_at, ZoneInfo(teacher.zone))
    return nearest_free_times(
        Wish(on=there.date(), at=there.time(), zone=teacher.zone, length=lesson_length(lesson)),
        teacher=teacher,
        student=lesson.student,
        now=now,
        apart_from=lesson,
    )
