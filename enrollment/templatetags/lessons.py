from collections.abc import Iterable
from datetime import datetime

from django import template

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson

register = template.Library()


@register.filter
def coming(lessons: Iterable[Lesson], now: datetime) -> list[Lesson]:
    """Those a student should still know about, a cancelled one too, in the order given."""
    return [lesson for lesson in lessons if not _is_past(lesson, now)]


@register.filter
def past(lessons: Iterable[Lesson], now: datetime) -> list[Lesson]:
    return [lesson for lesson in lessons if _is_past(lesson, now)]


def _is_past(lesson: Lesson, now: datetime) -> bool:
    return lesson.status == LessonStatus.DONE or lesson.ends_at <= now
