"""The three questions about free slots, and the schools they are asked about: ours and the rivals'
get the same ones. Knows nobody: the rivals' processes have no school of ours.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = "Europe/Berlin"
OPENS, CLOSES = time(9), time(17)
WORKDAYS = range(5)
LESSON_MINUTES = 30
# Kept free after each lesson; django-appointment calls it slot_gap_time.
GAP_MINUTES = 10
MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Workload:
    """lessons: for each teacher the instants at which one begins, in epoch seconds.

    Asked is for all starts on a grid of step_minutes from first_day's midnight on, `days` long.
    Everybody works from OPENS to CLOSES on WORKDAYS. What is asked is after today for everybody,
    because each has ideas of its own about a minimum notice.
    """

    name: str
    words: str
    first_day: date
    days: int
    step_minutes: int
    lessons: Sequence[Sequence[int]]

    @property
    def since(self) -> datetime:
        return _midnight(self.first_day)

    @property
    def until(self) -> datetime:
        return _midnight(self.first_day + timedelta(days=self.days))

    @property
    def dates(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range(self.days)]


# Of each teacher the starts that are free, in epoch seconds and order of time.
Answer = list[list[int]]


def workloads(today: date) -> list[Workload]:
    monday = today + timedelta(days=7 - today.weekday())
    dice = random.Random(4)
    return [
        _made(dice, "a", "1 teacher, 1 week, 20 lessons", monday, 7, 30, each=[20]),
        _made(dice, "b", "1 teacher, 91 days, 300 lessons", monday, 91, 30, each=[300]),
        _made(dice, "c", "200 teachers, 28 days, 20,000 lessons", monday, 28, 15, each=[100] * 200),
    ]


def _made(
    dice: random.Random,
    name: str,
    words: str,
    monday: date,
    days: int,
    step_minutes: int,
    *,
    each: Iterable[int],
) -> Workload:
    empty = Workload(
        name=name, words=words, first_day=monday, days=days, step_minutes=step_minutes, lessons=()
    )
    starts = [
        start for day in empty.dates if day.weekday() in WORKDAYS for start in grid(empty, day)
    ]
    lessons = [_apart(dice, starts, count) for count in each]
    return Workload(**(vars(empty) | {"lessons": lessons}))


def grid(asked: Workload, day: date) -> range:
    """All starts of a working day."""
    opens, closes = (
        int(datetime.combine(day, clock, ZoneInfo(ZONE)).timestamp()) for clock in (OPENS, CLOSES)
    )
    return range(opens, closes - LESSON_MINUTES * MINUTE + 1, asked.step_minutes * MINUTE)


def _apart(dice: random.Random, starts: Sequence[int], count: int) -> list[int]:
    """So many of them that do not touch each other, dealt at random."""
    apart = (LESSON_MINUTES + GAP_MINUTES) * MINUTE
    while True:
        chosen: list[int] = []
        for start in dice.sample(starts, len(starts)):
            if len(chosen) < count and all(abs(start - other) >= apart for other in chosen):
                chosen.append(start)
        if len(chosen) == count:
            return sorted(chosen)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(UTC)


def write(path: Path, asked: Iterable[Workload]) -> None:
    path.write_text(json.dumps([asdict(one) for one in asked], default=str))


def read(path: Path) -> list[Workload]:
    rows = json.loads(path.read_text())
    return [Workload(**(row | {"first_day": date.fromisoformat(row["first_day"])})) for row in rows]
