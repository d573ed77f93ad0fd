"""What every page on which a teacher changes hours has in common."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import ngettext, pgettext

from enrollment.models import Teacher
from scheduling.operations.hours import Impact
from scheduling.queries.given import Given, lessons_outside

NAMED = 3


def save_form(form: BaseForm, save: Callable[[], Impact]) -> Impact | None:
    """None: nothing was saved, and the form says why."""
    if not form.is_valid():
        return None
    try:
        return save()
    except ValidationError as error:
        # Another tab saved in between: the second look, under the lock, found what the first missed.
        form.add_error(None, error)
        return None


def tell(request: HttpRequest, teacher: Teacher, impact: Impact, *, done: str) -> None:
    """That it is done, and which planned lessons it has left outside the hours."""
    messages.success(request, done)
    if not impact.hit:
        return
    words = ngettext(
        "%(count)s planned lesson is outside your hours now. It stays planned: %(which)s",
        "%(count)s planned lessons are outside your hours now. They stay planned: %(which)s",
        len(impact.hit),
    )
    which = "; ".join(lesson_in_words(one, teacher) for one in impact.hit[:NAMED])
    more = " …" if len(impact.hit) > NAMED else ""
    messages.warning(request, words % {"count": len(impact.hit), "which": which + more})


def lesson_in_words(lesson: Given, teacher: Teacher) -> str:
    start = timezone.localtime(lesson.starts_at, ZoneInfo(teacher.zone))
    day = date_format(start, pgettext("date format", "l j F Y"))
    who = ", ".join(str(row.student) for row in lesson.rows)
    return f"{day}, {time_format(start, 'H:i')}, {who}"


def page_of(teacher: Teacher, *, now: datetime, **context: Any) -> dict[str, Any]:
    """The context of each of these pages."""
    found: Sequence[Given] = lessons_outside(teacher=teacher, now=now)
    return {"teacher": teacher, "zone": teacher.zone, "outside": found, "now": now} | context
