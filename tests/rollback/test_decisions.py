"""The decision matrix: complete, ordered, and its borders where the specification has them."""

from itertools import product

import pytest

from rollback.domain import decisions
from rollback.domain.decisions import MATRIX, Harm, Reach, reach_of, recommend


@pytest.mark.parametrize(
    ("share", "reach"),
    [
        (0, Reach.FEW),
        (0.0099, Reach.FEW),
        (0.01, Reach.SOME),
        (0.2, Reach.SOME),
        (0.2001, Reach.MANY),
        (1, Reach.MANY),
    ],
)
def test_the_rows_begin_where_they_say(share: float, reach: Reach) -> None:
    assert reach_of(share) is reach
    assert reach_of(share, nobody_can_enroll=True) is Reach.MANY


def test_more_harm_or_more_people_is_never_milder() -> None:
    for (row, reach), (column, harm) in product(enumerate(Reach), enumerate(Harm)):
        here = MATRIX[reach][harm]
        assert (here.reach, here.harm) == (reach, harm)
        more = [MATRIX[other][harm] for other in list(Reach)[row + 1 :]]
        worse = [MATRIX[reach][other] for other in list(Harm)[column + 1 :]]
        for other in more + worse:
            assert other.severity <= here.severity
            assert set(other.phases) >= set(here.phases)


def test_phases_go_from_the_pages_down_and_tables_need_two() -> None:
    for field in decisions.BY_KEY.values():
        assert field.phases in ((), (3,), (3, 2), (3, 2, 1))
        assert field.needs_two_people == (1 in field.phases)
        assert field.words.endswith(".")
    assert len(decisions.BY_KEY) == 12
    assert recommend(0.001, Harm.NONE).phases == ()
    assert recommend(0.9, "lost").phases == (3, 2, 1)


def test_an_unknown_harm_is_refused() -> None:
    with pytest.raises(ValueError, match="hurt"):
        recommend(0.5, "hurt")
