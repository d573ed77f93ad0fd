from typing import Any

from django import template
from django.urls import reverse

from enrollment.models import User
from enrollment.queries import people

register = template.Library()


@register.simple_tag(takes_context=True)
def entry(context: dict[str, Any], name: str, *args: Any) -> str:
    """The best way in for this visitor: a floor above may offer one, else the ground floor's own.

    `request.entries` maps an entry's name to the URL name that serves it better.
    """
    better = getattr(context.get("request"), "entries", {})
    return reverse(better.get(name, f"enrollment:{name}"), args=args)


@register.filter
def shown_name(user: User) -> str:
    return people.shown_name(user)
