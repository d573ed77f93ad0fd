from datetime import date

from django.db.models import QuerySet

from holidays.models import Holiday


def holidays_between(*, first: date, last: date) -> QuerySet[Holiday]:
    """Those with at least one day from `first` to `last`, both counted; by their first day."""
    return Holiday.objects.filter(first_on__lte=last, last_on__gte=first)


def overlapping(holiday: Holiday) -> QuerySet[Holiday]:
    """Other holidays that share a day with this one."""
    return holidays_between(first=holiday.first_on, last=holiday.last_on).exclude(pk=holiday.pk)
