"""What the sample school shows of hours beside its files: one of each, none in a planned lesson's way."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.translation import gettext as _

from enrollment.domain.clock import instant_or_instead
from enrollment.domain.weeks import monday_of
from enrollment.models import Teacher
from scheduling.models import AvailabilityException, BookingPolicy, TimeOff
from scheduling.operations.exceptions import save_exception
from scheduling.operations.time_off import save_time_off

WEDNESDAY, SATURDAY = timedelta(days=2), timedelta(days=5)


def show_more(*, email: str, now: datetime) -> None:
    """A longer day and a weekend off for that teacher, whose lessons are ten minutes apart; the
    whole school is booked twelve hours ahead."""
    teacher = Teacher.objects.select_related("user").get(user__email=email)
    monday = monday_of(now.astimezone(ZoneInfo(teacher.zone)).date()) + timedelta(weeks=2)
    _longer_day(teacher, monday + WEDNESDAY, now=now)
    _weekend_off(teacher, monday + SATURDAY, now=now)
    BookingPolicy.objects.create(notice_minutes=12 * 60)
    BookingPolicy.objects.create(teacher=teacher, buffer_after=10)


def _longer_day(teacher: Teacher, day: date, *, now: datetime) -> None:
    longer = AvailabilityException(
        teacher=teacher,
        day_on=day,
        kind=AvailabilityException.Kind.ADD,
        starts=time(18, 30),
        ends=time(20),
        note=_("The week before the concert"),
    )
    save_exception(exception=longer, now=now)


def _weekend_off(teacher: Teacher, saturday: date, *, now: datetime) -> None:
    """From when the hours of that Saturday are over until the end of Sunday."""
    starts, ends = (
        instant_or_instead(on=on, at=at, zone=teacher.zone)
        for on, at in ((saturday, time(14)), (saturday + timedelta(days=2), time()))
    )
    weekend = TimeOff(
        teacher=teacher, period=DateTimeTZRange(starts, ends), reason=_("Concert with the ensemble")
    )
    save_time_off(time_off=weekend, now=now)
