"""django-scheduler: a Calendar for each teacher. It knows events and their occurrences, and nothing
of free slots; what people write around it is here.

Working hours are events with a weekly rule, lessons are events without one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.bench.workloads import (
    CLOSES,
    GAP_MINUTES,
    LESSON_MINUTES,
    OPENS,
    WORKDAYS,
    ZONE,
    Answer,
    Workload,
)

LENGTH, GAP = timedelta(minutes=LESSON_MINUTES), timedelta(minutes=GAP_MINUTES)


def fill(asked: Workload) -> None:
    from schedule.models import Calendar, Event, Rule

    weekly, _made = Rule.objects.get_or_create(name="weekly", frequency="WEEKLY")
    for number, lessons in enumerate(asked.lessons):
        name = f"{asked.name}{number:03}"
        calendar = Calendar.objects.create(name=name, slug=name)
        starts = [datetime.fromtimestamp(start, UTC) for start in lessons]
        Event.objects.bulk_create(
            [
                *_hours(asked, calendar, weekly),
                *(
                    Event(calendar=calendar, title="Lesson", start=start, end=start + LENGTH)
                    for start in starts
                ),
            ]
        )


def _hours(asked: Workload, calendar: Any, weekly: Any) -> Iterator[Any]:
    from schedule.models import Event

    for day in asked.dates[:7]:
        if day.weekday() in WORKDAYS:
            opens, closes = (
                datetime.combine(day, clock, ZoneInfo(ZONE)) for clock in (OPENS, CLOSES)
            )
            yield Event(calendar=calendar, title="Hours", start=opens, end=closes, rule=weekly)


def ways() -> dict[str, Any]:
    return {"sweep": sweep, "periods": periods}


def sweep(asked: Workload) -> Answer:
    """All occurrences at once, then one pass over them: the quickest we could make of it."""
    from schedule.periods import Period

    answer: Answer = []
    for calendar in _calendars(asked.name):
        period = Period(_events(calendar), asked.since, asked.until, tzinfo=ZoneInfo(ZONE))
        found = period.get_occurrences()
        taken = [(one.start, one.end + GAP) for one in found if one.event.rule_id is None]
        windows = [(one.start, one.end) for one in found if one.event.rule_id is not None]
        answer.append(list(_swept(windows, taken, step=timedelta(minutes=asked.step_minutes))))
    return answer


def _swept(windows: Sequence[Any], taken: Sequence[Any], *, step: timedelta) -> Iterator[int]:
    """Both in order of time."""
    position = 0
    for start, end in windows:
        while start + LENGTH <= end:
            while position < len(taken) and taken[position][1] <= start:
                position += 1
            if position == len(taken) or taken[position][0] >= start + LENGTH + GAP:
                yield int(start.timestamp())
            start += step


def periods(asked: Workload) -> Answer:
    """One Period for each slot, asked whether it has occurrences, as people use it."""
    from schedule.periods import Period

    zone = ZoneInfo(ZONE)
    answer: Answer = []
    for calendar in _calendars(asked.name):
        events = list(_events(calendar))
        hours = [one for one in events if one.rule_id is not None]
        lessons = [one for one in events if one.rule_id is None]
        free = []
        for window in Period(hours, asked.since, asked.until, tzinfo=zone).get_occurrences():
            start = window.start
            while start + LENGTH <= window.end:
                slot = Period(lessons, start - GAP, start + LENGTH + GAP, tzinfo=zone)
                if not slot.has_occurrences():
                    free.append(int(start.timestamp()))
                start += timedelta(minutes=asked.step_minutes)
        answer.append(free)
    return answer


@cache
def _calendars(name: str) -> list[Any]:
    """Whom it is asked about costs nobody a query."""
    from schedule.models import Calendar

    return list(Calendar.objects.filter(slug__startswith=name).order_by("slug"))


def _events(calendar: Any) -> Any:
    """The rule is fetched along: without, each of them costs a query of its own."""
    return calendar.events.select_related("rule")
