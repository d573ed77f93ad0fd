from datetime import date

from django.db.models import QuerySet

from holidays.domain.closures import Closure, share_time
from holidays.models import Holiday
from holidays.queries.closures import closures


def holidays_between(*, first: date, last: date) -> QuerySet[Holiday]:
    """Those with at least one day from `first` to `last`, both counted; by their first day."""
    return Holiday.objects.filter(first_on__lte=last, last_on__gte=first)


def overlapping(holiday: Holiday) -> list[Closure]:
    """Others of its kind that somebody finds at the same time. A bank holiday inside the school break
    is meant that way; two school breaks at once probably are not. Once it is saved, with all its parts."""
    found = closures(first=holiday.first_on, last=holiday.last_on)
    mine = next((one for one in found if one.key == holiday.pk), None)
    if mine is None:
        return []
    return [
        one
        for one in found
        if one.key != mine.key and one.kind == mine.kind and share_time(one, mine)
    ]
