"""What the sample school shows of closures: one of each kind, none in a planned lesson's way."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from enrollment.domain.weeks import monday_of
from enrollment.models import Lesson, Teacher
from holidays.models import Holiday, Region, TeacherRegion
from holidays.queries.displaced import standing_on_closed_days

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
# Month and day: of this year and the next.
PUBLIC: Mapping[tuple[int, int], tuple[str, str]] = {
    (1, 1): ("New Year’s Day", "Neujahr"),
    (5, 1): ("Labor Day", "Tag der Arbeit"),
    (10, 3): ("German Unity Day", "Tag der Deutschen Einheit"),
    (12, 25): ("Christmas Day", "Erster Weihnachtstag"),
    (12, 26): ("Boxing Day", "Zweiter Weihnachtstag"),
}
SUMMER = ((7, 20), (8, 7))
AFTERNOONS = tuple(time(hour) for hour in (12, 14, 16, 18, 20))
# Weeks ahead in which a place is looked for.
LOOKED_AT = 26


class _InTheWay(Exception):
    pass


def show_closures(*, email: str, now: datetime) -> None:
    """email: of the teacher who lives elsewhere, and for whom alone a day is closed."""
    today = timezone.localdate(now)
    teacher = Teacher.objects.get(user__email=email)
    germany = Region.objects.create(country="DE", is_school=True)
    bavaria = Region.objects.create(country="DE", subdivision="BY")
    TeacherRegion.objects.create(teacher=teacher, region=bavaria)
    for year in (today.year, today.year + 1):
        _public(year, germany, now=now)
        _enter(
            now=now,
            name="Summer break",
            names={"de": "Sommerferien"},
            kind=Holiday.Kind.SCHOOL_BREAK,
            first_on=date(year, *SUMMER[0]),
            last_on=date(year, *SUMMER[1]),
        )
    _first_place(_concerts(today), now=now)
    _first_place(_trainings(today), now=now, teacher=teacher)
    _swap(today)


def _public(year: int, region: Region, *, now: datetime) -> None:
    for (month, day), (name, german) in PUBLIC.items():
        on = date(year, month, day)
        kind: Any = {"kind": Holiday.Kind.PUBLIC, "scope": Holiday.Scope.REGION, "region": region}
        _enter(now=now, name=name, names={"de": german}, first_on=on, last_on=on, **kind)


def _concerts(today: date) -> Iterator[dict[str, Any]]:
    """An afternoon that is free in the whole school, from next week on."""
    for days in range(7, LOOKED_AT * 7):
        on = today + days * DAY
        for starts in AFTERNOONS:
            yield {
                "name": "School concert",
                "names": {"de": "Schulkonzert"},
                "first_on": on,
                "last_on": on,
                "starts": starts,
                "note": "All of us play in the town hall. Come and listen!",
            }


def _trainings(today: date) -> Iterator[dict[str, Any]]:
    for days in range(3 * 7, LOOKED_AT * 7):
        on = today + days * DAY
        if on.weekday() < 5:
            yield {
                "name": "Teacher training",
                "names": {"de": "Fortbildung"},
                "scope": Holiday.Scope.TEACHERS,
                "first_on": on,
                "last_on": on,
            }


def _swap(today: date) -> None:
    """A Sunday without any lesson."""
    sundays = (monday_of(today) + weeks * WEEK + 6 * DAY for weeks in range(2, LOOKED_AT))
    taught = set(
        Lesson.objects.filter(status=Lesson.Status.PLANNED).values_list("local_on", flat=True)
    )
    sunday = next((on for on in sundays if on not in taught), None)
    if sunday is not None:
        Holiday.objects.create(
            name="Open day",
            names={"de": "Tag der offenen Tür"},
            kind=Holiday.Kind.WORKING_DAY,
            as_weekday=0,
            first_on=sunday,
            last_on=sunday,
            note="We teach as on a Monday.",
        )


def _first_place(
    places: Iterator[dict[str, Any]], *, now: datetime, teacher: Teacher | None = None
) -> None:
    next((one for one in places if _enter(now=now, teacher=teacher, **one)), None)


def _enter(*, now: datetime, teacher: Teacher | None = None, **fields: Any) -> bool:
    try:
        with transaction.atomic():
            one = Holiday.objects.create(**fields)
            if teacher is not None:
                one.teachers.add(teacher)
            on_closed = standing_on_closed_days(now=now, lessons=None)
            if any(found.key == one.pk for _lesson, closed in on_closed for found in closed):
                raise _InTheWay
    except _InTheWay:
        return False
    return True
