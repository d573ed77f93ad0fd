from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from django import template

from enrollment.domain.ics import google_url, outlook_url
from enrollment.domain.states import LessonStatus
from enrollment.models import Enrollment, Lesson
from enrollment.queries.ics import event_of
from enrollment.queries.progress import Progress, progress_of

register = template.Library()

T = TypeVar("T")


@register.filter
def coming(lessons: Iterable[Lesson], now: datetime) -> list[Lesson]:
    """Those a student should still know about, a cancelled one too, in the order given."""
    return [lesson for lesson in lessons if not _is_past(lesson, now)]


@register.filter
def past(lessons: Iterable[Lesson], now: datetime) -> list[Lesson]:
    return [lesson for lesson in lessons if _is_past(lesson, now)]


@register.filter
def progress(enrollment: Enrollment) -> Progress:
    return progress_of(enrollment)


@register.filter
def of(values: Mapping[int, T], key: int) -> T | None:
    """What a view has looked up for a whole page at once."""
    return values.get(key)


@register.filter
def calendars(lesson: Lesson, reader: str) -> list[tuple[str, str]]:
    """(name, address) of the pages on which a program on the web takes the lesson.

    reader: "teacher" or "student"; the lesson's event is in their words.
    """
    event = event_of(lesson, teaches=reader == "teacher")
    return [("Google", google_url(event)), ("Outlook", outlook_url(event))]


def _is_past(lesson: Lesson, now: datetime) -> bool:
    return lesson.status == LessonStatus.DONE or lesson.ends_at <= now
