from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.dates import WEEKDAYS

from enrollment.domain.clock import instant_or_instead
from enrollment.models import Course, Teacher
from scheduling.models import AvailabilityException, AvailabilityRule, TimeOff

AHEAD = timedelta(weeks=4)
DAY = timedelta(days=1)


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


def coming_exceptions(*, teacher: Teacher, today: date) -> list[AvailabilityException]:
    """The dates from today on, in order."""
    rows = AvailabilityException.objects.filter(teacher=teacher, day_on__gte=today)
    return list(rows.order_by("day_on", "starts", "pk"))


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Time off as people say it, on the teacher's clock: the last day is counted in, and without a
    time the day counts whole."""

    row: TimeOff
    from_on: date
    from_at: time | None
    until_on: date
    until_at: time | None


def as_said(row: TimeOff) -> Absence:
    zone = ZoneInfo(row.teacher.zone)
    start, end = (
        at.astimezone(zone).replace(second=0, microsecond=0) for at in (row.starts_at, row.ends_at)
    )
    begins_whole = row.starts_at == midnight(start.date(), row.teacher)
    ends_whole = row.ends_at == midnight(end.date(), row.teacher)
    return Absence(
        row=row,
        from_on=start.date(),
        from_at=None if begins_whole else start.time(),
        until_on=end.date() - DAY if ends_whole else end.date(),
        until_at=None if ends_whole else end.time(),
    )


def midnight(on: date, teacher: Teacher) -> datetime:
    """Where the clocks leave midnight out, the first moment of that day."""
    return instant_or_instead(on=on, at=time(), zone=teacher.zone)


def coming_time_off(*, teacher: Teacher, now: datetime) -> list[Absence]:
    """What is not over yet, in order."""
    rows = TimeOff.objects.filter(teacher=teacher, period__endswith__gt=now)
    return [as_said(row) for row in rows.select_related("teacher").order_by("period", "pk")]
