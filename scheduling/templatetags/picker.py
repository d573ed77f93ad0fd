"""What the month table and its times say."""

from collections.abc import Sequence
from datetime import date
from urllib.parse import urlencode

from django import template
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from scheduling.domain.offer import Slot
from scheduling.domain.picker import Closed, PickDay
from scheduling.queries.picker import Picker
from scheduling.words import why_for_day

register = template.Library()


@register.simple_tag
def way(offer: Picker, *, month: date | None = None, day: date | None = None) -> str:
    """The address of another month or day with the same teacher."""
    asked = {"teacher": str(offer.teacher.pk)} if offer.teacher else {}
    if month:
        asked["month"] = f"{month:%Y-%m}"
    if day:
        asked["day"] = day.isoformat()
    return f"?{urlencode(asked)}"


@register.simple_tag
def day_name(day: PickDay) -> str:
    """As it is called by ear."""
    on = date_format(day.on, pgettext("date format", "l j F"))
    if not day.free:
        return on
    count = ngettext("%(count)d free time", "%(count)d free times", day.free)
    return f"{on}: {count % {'count': day.free}}"


@register.simple_tag
def why_closed(day: PickDay | Closed) -> str:
    """Also of a day whose reason is on another date of the teacher's clock."""
    return why_for_day(day.why, day.note) if day.why else _("Nothing is free that day.")


@register.simple_tag
def days_in_words(days: Sequence[date]) -> str:
    short = pgettext("date format", "D j M")
    return " · ".join(date_format(day, short) for day in days)


@register.filter
def weekdays(_weeks: object) -> list[tuple[str, str]]:
    return [(str(WEEKDAYS[day]), str(WEEKDAYS_ABBR[day])) for day in range(7)]


@register.filter
def other_day(slot: Slot) -> bool:
    """The teacher's clock shows another date."""
    return slot.theirs is not None and slot.theirs.date() != slot.starts.date()


@register.filter
def zone_words(zone: str) -> str:
    """“New York time (America/New_York)”."""
    _area, _slash, place = zone.rpartition("/")
    if not _slash:
        return zone
    return _("%(place)s time (%(zone)s)") % {"place": place.replace("_", " "), "zone": zone}
