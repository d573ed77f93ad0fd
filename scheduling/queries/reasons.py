"""Why a teacher has nothing free: each closed day, each missing slot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from enrollment.models import Teacher
from scheduling.domain import polite
from scheduling.domain.reasons import DayReasons
from scheduling.models import TimeOff
from scheduling.queries.availability import availability
from scheduling.queries.lessons import SEES_ALL
from scheduling.queries.teaching import Teaching

# An instant never earlier, and never later, than the same wall clock anywhere on earth.
ANYWHERE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """fully: for the office and the teacher; others are told politely."""

    teaching: Teaching
    fully: bool
    days: Sequence[DayReasons]


def reasons(*, teaching: Teaching, user: Any, first: date, last: date, now: datetime) -> Reasons:
    """Every date from `first` to `last`, both counted, of the teacher's calendar."""
    fully = may_know(user, teaching.teacher)
    zone = ZoneInfo(teaching.teacher.zone)
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    until = datetime(last.year, last.month, last.day, tzinfo=zone) + ANYWHERE
    known = availability(
        teacher=teaching.teacher,
        course=teaching.course,
        student=teaching.student,
        now=now,
        since=since,
        until=until,
    )
    days: Sequence[DayReasons] = known.days(first=first, last=last)
    if fully:
        days = _with_reasons(days, teaching.teacher, since=since, until=until)
    return Reasons(teaching=teaching, fully=fully, days=days)


def may_know(user: Any, teacher: Teacher) -> bool:
    return bool(teacher.user_id == user.pk or user.has_perm(SEES_ALL))


def _with_reasons(
    days: Sequence[DayReasons], teacher: Teacher, *, since: datetime, until: datetime
) -> list[DayReasons]:
    away = TimeOff.objects.filter(
        teacher=teacher, period__overlap=(since - ANYWHERE, until + ANYWHERE)
    )
    time_off = [
        (int(one.starts_at.timestamp()), int(one.ends_at.timestamp()), one.reason) for one in away
    ]
    return [replace(day, missing=polite.with_reasons(day.missing, time_off)) for day in days]
