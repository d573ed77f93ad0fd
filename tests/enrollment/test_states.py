"""The state tables, and the drawing that is made of them."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

from enrollment.domain.drawing import states_page
from enrollment.domain.states import (
    CONFLICT_STEPS,
    ENROLLMENT_STEPS,
    LESSON_STEPS,
    LIVE_ENROLLMENT,
    ConflictStatus,
    EnrollmentStatus,
    LessonStatus,
    StepNotAllowed,
    check_step,
)
from enrollment.models import Conflict, Enrollment, Lesson
from enrollment.operations.draw_states import draw_states

PAGE = Path(settings.BASE_DIR) / "docs" / "reference" / "states.md"


def test_the_drawing_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == states_page(), "run manage.py draw_states"


def test_drawing_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reference" / "states.md"
    assert draw_states(path=path)
    assert not draw_states(path=path)


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        (ENROLLMENT_STEPS, EnrollmentStatus),
        (LESSON_STEPS, LessonStatus),
        (CONFLICT_STEPS, ConflictStatus),
    ],
)
def test_every_arrow_of_the_table_and_no_other(
    steps: dict[str, frozenset[str]],
    states: type[EnrollmentStatus] | type[LessonStatus] | type[ConflictStatus],
) -> None:
    assert set(steps) == set(states)
    arrows = set(re.findall(r"^    (\w+) --> (\w+)$", states_page(), re.MULTILINE))
    for before, after in product(states, states):
        if before == after or after in steps[before]:
            check_step(steps, before=before, after=after)
        else:
            with pytest.raises(StepNotAllowed, match=f"from {before} to {after}"):
                check_step(steps, before=before, after=after)
        if after in steps[before]:
            assert (before, after) in arrows


def test_the_models_know_the_same_states() -> None:
    assert set(Enrollment.Status.values) == set(EnrollmentStatus)
    assert set(Lesson.Status.values) == set(LessonStatus)
    assert set(Conflict.Status.values) == set(ConflictStatus)


def test_what_is_live_can_still_end() -> None:
    assert all(ENROLLMENT_STEPS[status] for status in LIVE_ENROLLMENT)
    assert not any(ENROLLMENT_STEPS[s] for s in EnrollmentStatus if s not in LIVE_ENROLLMENT)
