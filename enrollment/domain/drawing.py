"""The state tables as Mermaid diagrams, so that the drawing is the code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from enrollment.domain.states import (
    CONFLICT_STEPS,
    ENROLLMENT_STEPS,
    LESSON_STEPS,
    ConflictStatus,
    EnrollmentStatus,
    LessonStatus,
)

HEAD = """\
# States

Drawn by `manage.py draw_states` from `enrollment/domain/states.py` and the tables that features add; a
test compares. Change the tables there, never this file. A status changes along an arrow or not at
all, whoever asks.
"""

ENROLLMENT_TEXT = """\
Requested and confirmed are live: they take a place in the course, and a student has at most one
live enrollment in it. Declined and cancelled give back the lessons that were still to come.
"""

LESSON_TEXT = """\
A hold begins when a student picks a time and becomes a lesson when the enrollment is made. One
that runs out is deleted: nothing was ever agreed. All but cancelled lessons take the time of both.
"""

CONFLICT_TEXT = """\
Dismissed: a person has decided that it stays as it is. Once it is found no more, it is resolved like
any other; found again after that, it is a new one.
"""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One state machine: its table, in which states it may begin, and what people should know."""

    title: str
    text: str
    steps: Mapping[str, frozenset[str]]
    starts: tuple[str, ...]


OWN = (
    Chart(
        title="Enrollment",
        text=ENROLLMENT_TEXT,
        steps=ENROLLMENT_STEPS,
        starts=(EnrollmentStatus.REQUESTED,),
    ),
    Chart(
        title="Lesson",
        text=LESSON_TEXT,
        steps=LESSON_STEPS,
        starts=(LessonStatus.HELD, LessonStatus.PLANNED),
    ),
    Chart(
        title="Conflict",
        text=CONFLICT_TEXT,
        steps=CONFLICT_STEPS,
        starts=(ConflictStatus.OPEN,),
    ),
)
_added: dict[str, Chart] = {}


def add(chart: Chart) -> None:
    """From a floor above. Adding the same title again replaces it: `ready` may run twice in tests."""
    _added[chart.title] = chart


def states_page() -> str:
    """The whole of docs/reference/states.md."""
    charts = (*OWN, *(_added[title] for title in sorted(_added)))
    return "\n".join([HEAD, *(_section(chart) for chart in charts)])


def _section(chart: Chart) -> str:
    drawn = diagram(chart.steps, starts=chart.starts)
    return f"## {chart.title}\n\n{chart.text}\n{drawn}"


def diagram(steps: Mapping[str, frozenset[str]], *, starts: tuple[str, ...]) -> str:
    """A fenced Mermaid block; steps in the order of the table, targets by name."""
    return "\n".join(["```mermaid", "stateDiagram-v2", *_arrows(steps, starts), "```", ""])


def _arrows(steps: Mapping[str, frozenset[str]], starts: tuple[str, ...]) -> Iterator[str]:
    yield from (f"    [*] --> {start}" for start in starts)
    for before, afters in steps.items():
        yield from (f"    {before} --> {after}" for after in sorted(afters))
        if not afters:
            yield f"    {before} --> [*]"
