"""One row of the table, and the arithmetic behind it."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

# On two shared cores a figure may be off by half; twice the goal is no noise any more.
BADLY = 2.0
# What begins and ends a transaction asks nothing.
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


@dataclass(frozen=True, kw_only=True)
class Row:
    """met: None where there is no goal, only something to compare with."""

    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None
    badly_missed: bool = False


def at_most(
    what: str, value: float, goal: float, *, ours: str, goal_words: str, beside: str = ""
) -> Row:
    """`value` and `goal` in the same unit; 0 as a goal allows nothing at all."""
    return Row(
        what=what,
        ours=ours,
        beside=beside,
        goal=f"≤ {goal_words}",
        met=value <= goal,
        badly_missed=value > goal * BADLY,
    )


def ratio_at_least(what: str, ratio: float, goal: float, *, ours: str, beside: str) -> Row:
    return Row(
        what=what,
        ours=ours,
        beside=beside,
        ratio=f"{ratio:,.0f} ×",
        goal=f"≥ {goal:,.0f} ×",
        met=ratio >= goal,
        badly_missed=ratio * BADLY < goal,
    )


def part_at_least(what: str, ratio: float, goal: float, *, ours: str, beside: str) -> Row:
    """For ratios around 1."""
    return Row(
        what=what,
        ours=ours,
        beside=beside,
        ratio=f"{ratio:.2f} ×",
        goal=f"≥ {goal:g} ×",
        met=ratio >= goal,
        badly_missed=ratio * BADLY < goal,
    )


def ratio_at_most(what: str, ratio: float, goal: float, *, ours: str, beside: str) -> Row:
    return Row(
        what=what,
        ours=ours,
        beside=beside,
        ratio=f"{ratio:.2f} ×",
        goal=f"≤ {goal:g} ×",
        met=ratio <= goal,
        badly_missed=ratio > goal * BADLY,
    )


def percentile(values: Iterable[float], percent: float) -> float:
    """The nearest rank: a value that was really measured, never one in between."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def span(seconds: float) -> str:
    """In the unit in which it reads well."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def table(rows: Sequence[Row], *, markdown: bool) -> Table:
    made = Table(box=box.MARKDOWN if markdown else box.SIMPLE_HEAD)
    for heading in ("what", "ours", "compared with", "ratio", "goal", "met"):
        made.add_column(heading)
    words = {None: "", True: "yes", False: "no"}
    for row in rows:
        met = "no, by far" if row.badly_missed else words[row.met]
        style = "red" if row.badly_missed else "yellow" if row.met is False else ""
        made.add_row(row.what, row.ours, row.beside, row.ratio, row.goal, met, style=style)
    return made
