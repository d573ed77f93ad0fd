"""{% calendar_live version=… zone=… teachers=… %}: the page keeps itself up to date from there on."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.conf import settings

from enrollment.models import Teacher

register = template.Library()


@register.inclusion_tag("calendar/live.html")
def calendar_live(*, version: str, zone: str, teachers: Iterable[Teacher] = ()) -> dict[str, Any]:
    """version: as `queries.versions.version()` said before the page was read. teachers: whose times
    the page shows, beside the person's own lessons. Wants calendar_live.js among the scripts."""
    # Behind a pooler nobody hears anything.
    socket = "" if settings.DATABASE_POOLED else settings.SOCKET_URL
    return {
        "socket": f"{socket}/ws/calendar/" if socket else "",
        "version": version,
        "zone": zone,
        "teachers": [teacher.pk for teacher in teachers],
    }
