from datetime import date

from django.db import connection
from django.db.models import QuerySet

from holidays.domain.days import days_between
from holidays.models import Holiday


def closed_days(*, first: date, last: date) -> dict[date, str]:
    """The days from `first` to `last`, both counted, on which the school is closed, and their names."""
    # In SQL: every question about free slots asks this one, too, and to build a queryset costs
    # more than the answer.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT first_on, last_on, name FROM holidays_holiday"
            " WHERE first_on <= %s AND last_on >= %s ORDER BY first_on, last_on, name",
            [last, first],
        )
        periods = cursor.fetchall()
    return {
        day: name
        for first_on, last_on, name in periods
        # Clipped first: whoever types the year 9999 must not cost every page three million days.
        for day in days_between(max(first, first_on), min(last, last_on))
    }


def holidays_between(*, first: date, last: date) -> QuerySet[Holiday]:
    """Those with at least one day from `first` to `last`, both counted; by their first day."""
    return Holiday.objects.filter(first_on__lte=last, last_on__gte=first)


def overlapping(holiday: Holiday) -> QuerySet[Holiday]:
    """Other holidays that share a day with this one."""
    return holidays_between(first=holiday.first_on, last=holiday.last_on).exclude(pk=holiday.pk)
