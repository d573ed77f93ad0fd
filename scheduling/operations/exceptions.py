"""Writing the dates on which a teacher's hours differ."""

from datetime import datetime

from django.core.exceptions import ValidationError

from enrollment.models import Teacher
from scheduling.models import AvailabilityException
from scheduling.operations.hours import Impact, changing_hours, check_not_over


def save_exception(*, exception: AvailabilityException, now: datetime) -> Impact:
    """A new one, or another instead of the one with the same id.

    :raises ValidationError: with the message at the field.
    :raises AvailabilityException.DoesNotExist: the id is no longer there, or another teacher's.
    """
    teacher = exception.teacher
    with changing_hours(teacher=teacher, now=now) as impact:
        before = None
        if exception.pk is not None:
            known = AvailabilityException.objects.get(pk=exception.pk, teacher=teacher)
            before = known.day_on
        exception.full_clean()
        try:
            check_not_over(exception.day_on, before=before, zone=teacher.zone, now=now)
        except ValidationError as error:
            raise ValidationError({"day_on": error}) from error
        exception.save()
    return impact


def delete_exception(*, teacher: Teacher, exception_id: int, now: datetime) -> Impact:
    """The weekly hours count again.

    :raises AvailabilityException.DoesNotExist: it is not there, or not this teacher's.
    """
    with changing_hours(teacher=teacher, now=now) as impact:
        AvailabilityException.objects.get(pk=exception_id, teacher=teacher).delete()
    return impact
