"""The benchmark's own arithmetic: what it asks is what it says."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.bench.booking_clients import GROUP, LENGTH, wishes
from tests.bench.figures import part_at_least
from tests.bench.workloads import GAP_MINUTES, LESSON_MINUTES, grid, read, workloads, write

TODAY = date(2026, 11, 26)
FIRST = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "teachers", "lessons"), [(0, 1, 20), (1, 1, 300), (2, 200, 100)]
)
def test_a_workload_has_the_lessons_it_says_and_they_leave_room(
    number: int, teachers: int, lessons: int
) -> None:
    asked = workloads(TODAY)[number]
    assert [len(one) for one in asked.lessons] == [lessons] * teachers
    apart = (LESSON_MINUTES + GAP_MINUTES) * 60
    for starts in asked.lessons:
        assert all(later - earlier >= apart for earlier, later in pairwise(starts))


def test_lessons_stand_on_the_grid_of_a_working_day() -> None:
    for asked in workloads(TODAY):
        possible = {start for day in asked.dates if day.weekday() < 5 for start in grid(asked, day)}
        assert all(set(starts) <= possible for starts in asked.lessons)


def test_everybody_is_asked_the_same(tmp_path: Path) -> None:
    write(tmp_path / "asked.json", asked := workloads(TODAY))
    assert read(tmp_path / "asked.json") == asked
    assert workloads(TODAY) == asked


@pytest.mark.parametrize("clients", [32, 64])
def test_of_four_clients_exactly_one_can_have_the_time(clients: int) -> None:
    """All four overlap, and nobody else wants that time."""
    wanted = [wishes(number, clients, FIRST, 8) for number in range(clients)]
    for group in range(0, clients, GROUP):
        for starts in zip(*wanted[group : group + GROUP], strict=True):
            assert max(starts) - min(starts) < LENGTH
    times = [
        min(starts)
        for group in range(0, clients, GROUP)
        for starts in zip(*wanted[group : group + GROUP], strict=True)
    ]
    latest = timedelta(minutes=30)
    assert all(b - a >= latest + LENGTH for a, b in pairwise(sorted(times)))


def test_a_part_is_badly_missed_below_half_of_it() -> None:
    figures = [(0.9, True, False), (0.5, False, False), (0.3, False, True)]
    for ratio, met, badly in figures:
        row = part_at_least("", ratio, 0.8, ours="", beside="")
        assert (row.met, row.badly_missed) == (met, badly)
