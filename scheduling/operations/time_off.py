"""Writing when a teacher gives no lessons, whatever the hours say."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher
from scheduling.models import TimeOff
from scheduling.operations.hours import Impact, changing_hours, check_not_over


def save_time_off(*, time_off: TimeOff, now: datetime) -> Impact:
    """A new one, or another instead of the one with the same id.

    :raises ValidationError: of the period as a whole; forms say beforehand which field it is.
    :raises TimeOff.DoesNotExist: the id is no longer there, or another teacher's.
    """
    with changing_hours(teacher=time_off.teacher, now=now) as impact:
        begun, ended = None, None
        if time_off.pk is not None:
            known = TimeOff.objects.get(pk=time_off.pk, teacher=time_off.teacher_id)
            begun, ended = known.starts_at, known.ends_at
        time_off.full_clean()
        check_begins(time_off.starts_at, before=begun, zone=time_off.teacher.zone, now=now)
        check_ends(time_off.ends_at, before=ended, now=now)
        time_off.save()
    return impact


def delete_time_off(*, teacher: Teacher, time_off_id: int, now: datetime) -> Impact:
    """:raises TimeOff.DoesNotExist: it is not there, or not this teacher's."""
    with changing_hours(teacher=teacher, now=now) as impact:
        TimeOff.objects.get(pk=time_off_id, teacher=teacher).delete()
    return impact


def check_begins(starts_at: datetime, *, before: datetime | None, zone: str, now: datetime) -> None:
    """Earlier today is early enough for whoever fell ill this morning. before: the start so far.

    :raises ValidationError:
    """
    clock = ZoneInfo(zone)
    known = before.astimezone(clock).date() if before else None
    check_not_over(starts_at.astimezone(clock).date(), before=known, zone=zone, now=now)


def check_ends(ends_at: datetime, *, before: datetime | None, now: datetime) -> None:
    """before: the end so far.

    :raises ValidationError:
    """
    if ends_at != before and ends_at <= now:
        raise ValidationError(_("This is over already. Choose a later time."), code="over")
