"""Words for the pages on which a time is chosen."""

from django import template
from django.utils import timezone

from enrollment.models import Lesson
from scheduling.domain.offer import Week, monday
from scheduling.domain.reasons import DayReasons
from scheduling.queries.offers import Offer
from scheduling.queries.series import SeriesWeek
from scheduling.words import why_for_day, why_for_student, why_for_week

register = template.Library()


@register.simple_tag
def why_day(day: DayReasons) -> str:
    return why_for_day(day.why, day.note) if day.why else ""


@register.simple_tag
def why_week(offer: Offer, week: Week) -> str:
    """Of a week without a free time."""
    return why_for_week([day for day in offer.closed if monday(day.day) == week.first_on])


@register.simple_tag
def why_slot(week: SeriesWeek) -> str:
    return why_for_student(week.why, week.note) if week.why else ""


@register.filter
def seconds_left(hold: Lesson) -> int:
    assert hold.expires_at is not None
    return max(0, int((hold.expires_at - timezone.now()).total_seconds()))
