"""{% calendar_live zone=… teacher=… %}: the page keeps itself up to date, with calendar_live.js."""

from typing import Any

from django import template
from django.conf import settings

from enrollment.known import as_of
from enrollment.models import Teacher

register = template.Library()


@register.inclusion_tag("calendar/live.html", takes_context=True)
def calendar_live(context: Any, *, zone: str, teacher: Teacher | None = None) -> dict[str, Any]:
    """zone: of the reader's clock. teacher: whose times the page shows, beside one's own lessons."""
    # Behind a pooler nobody hears anything.
    socket = "" if settings.DATABASE_POOLED else settings.SOCKET_URL
    return {
        "socket": f"{socket}/ws/calendar/" if socket else "",
        "version": as_of(context["request"].user),
        "zone": zone,
        "teacher": teacher,
    }
