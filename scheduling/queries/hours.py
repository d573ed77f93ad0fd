from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.dates import WEEKDAYS

from enrollment.models import Course, Teacher
from scheduling.models import AvailabilityRule

AHEAD = timedelta(weeks=4)


@dataclass(frozen=True)
class Weekday:
    name: str
    rules: Sequence[AvailabilityRule]


def rules_of(teacher: Teacher) -> QuerySet[AvailabilityRule]:
    rules = AvailabilityRule.objects.filter(teacher=teacher).select_related("teacher")
    return rules.order_by("weekday", "starts", "pk")


def week_of(teacher: Teacher) -> list[Weekday]:
    """The teacher's weekly hours, a weekday each, Monday first; days without any are left out."""
    rules = AvailabilityRule.objects.filter(teacher=teacher).order_by("weekday", "starts")
    return [
        Weekday(name=str(WEEKDAYS[weekday]), rules=list(of_day))
        for weekday, of_day in groupby(rules, key=lambda rule: rule.weekday)
    ]


def teachers_without_hours(*, today: date) -> QuerySet[Teacher]:
    """Who teaches a course that is open today, and offers nothing in the next four weeks."""
    open_courses = Course.objects.filter(
        Q(opens_on__isnull=True) | Q(opens_on__lte=today),
        Q(closes_on__isnull=True) | Q(closes_on__gte=today),
        teachers=OuterRef("pk"),
    )
    rules = AvailabilityRule.objects.filter(
        Q(valid_from__isnull=True) | Q(valid_from__lte=today + AHEAD),
        Q(valid_until__isnull=True) | Q(valid_until__gte=today),
        teacher=OuterRef("pk"),
    )
    return (
        Teacher.objects.filter(Exists(open_courses), ~Exists(rules), user__is_active=True)
        .select_related("user")
        .order_by("pk")
    )
