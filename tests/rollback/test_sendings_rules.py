"""Which letters are due, decided from every combination of the facts; and what a policy may list."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, product

import pytest

from rollback.domain.letters import BY_KEY, Audience, LetterKey
from rollback.domain.sendings import (
    AFTER,
    OFF,
    REASONS,
    TO_PEOPLE,
    Due,
    Facts,
    due,
    is_on_again,
    is_released,
    not_by_itself,
)

ENROLLMENT, SIMPLIFIED, RESTORED, ALL_CLEAR = TO_PEOPLE
TRUTH = (False, True)
TAKEN = Facts(took_away=True, new=frozenset({"draft", "exposed"}))
OVER = Facts(took_away=True, resolved=True, lacking=frozenset({ALL_CLEAR}))


def subsets(*things: str) -> list[frozenset[str]]:
    many = chain.from_iterable(combinations(things, size) for size in range(len(things) + 1))
    return [frozenset(one) for one in many]


def everything() -> Iterator[Facts]:
    for took, simplified, resolved, back, fresh, waiting in product(TRUTH, repeat=6):
        for new in subsets("draft", "exposed"):
            for lacking, prepared in product(subsets(*AFTER), repeat=2):
                yield Facts(
                    took_away=took,
                    simplified=simplified,
                    resolved=resolved,
                    back=back,
                    new=new,
                    lacking=lacking,
                    prepared=prepared,
                    fresh=fresh,
                    waiting=waiting,
                )


def test_of_every_combination_only_what_is_true_is_due() -> None:
    seen: set[frozenset[LetterKey]] = set()
    for facts in everything():
        letters = [one.letter for one in due(facts)]
        seen.add(frozenset(letters))
        assert len(letters) == len(set(letters))
        off = set(letters) & set(OFF)
        # That it is off is said while it is so, in one of two ways, and only of what was taken away.
        assert len(off) <= 1
        if off:
            assert facts.took_away
            assert not facts.resolved
            assert (SIMPLIFIED in off) == facts.simplified
            assert facts.new if facts.simplified else "draft" in facts.new
        for letter in set(letters) - off:
            # Nobody who got nothing hears that it is over, and nobody hears it before it is.
            assert facts.resolved
            assert letter in facts.lacking
            assert not (facts.waiting if letter in facts.prepared else facts.fresh)
        if RESTORED in letters:
            assert facts.back
            assert facts.took_away
    assert seen == {
        frozenset(),
        frozenset({ENROLLMENT}),
        frozenset({SIMPLIFIED}),
        frozenset({ALL_CLEAR}),
        frozenset({RESTORED}),
        frozenset({ALL_CLEAR, RESTORED}),
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (TAKEN, [Due(letter=ENROLLMENT, reasons=("draft",), untold=OFF)]),
        (replace(TAKEN, new=frozenset({"exposed", "lesson"})), []),
        (replace(TAKEN, simplified=True), [Due(letter=SIMPLIFIED, untold=OFF)]),
        (
            replace(TAKEN, simplified=True, new=frozenset({"teacher"})),
            [Due(letter=SIMPLIFIED, untold=OFF)],
        ),
        # A case: nothing was taken away, so there is nothing of which people would have to hear.
        (replace(TAKEN, took_away=False), []),
        (OVER, [Due(letter=ALL_CLEAR, told=AFTER[ALL_CLEAR], untold=(ALL_CLEAR,))]),
        (replace(OVER, lacking=frozenset()), []),
        # Not before the earlier ones have gone out; a single address that is tried for a day stops nobody.
        (replace(OVER, fresh=True), []),
        (
            replace(OVER, waiting=True),
            [Due(letter=ALL_CLEAR, told=AFTER[ALL_CLEAR], untold=(ALL_CLEAR,))],
        ),
        # Whoever was reached late comes with the others who were late.
        (replace(OVER, prepared=frozenset({ALL_CLEAR}), waiting=True), []),
        (
            replace(OVER, lacking=frozenset({RESTORED}), back=True),
            [Due(letter=RESTORED, told=OFF, untold=(RESTORED,))],
        ),
        (replace(OVER, lacking=frozenset({RESTORED})), []),
    ],
)
def test_to_whom(facts: Facts, expected: list[Due]) -> None:
    assert list(due(facts)) == expected


def test_the_letters_are_to_people_and_the_reasons_are_those_that_are_frozen() -> None:
    assert {BY_KEY[letter].audience for letter in TO_PEOPLE} == {Audience.PEOPLE}
    assert set(REASONS) == {"draft", "lesson", "teacher", "exposed"}


@pytest.mark.parametrize(
    ("on", "percent", "before", "rising", "expected"),
    [
        (True, 100, 100, False, True),
        (True, 50, 25, True, True),
        (True, 5, 100, True, False),  # a plan is bringing it back: not yet
        (True, 5, 100, False, True),  # somebody has decided that it stays at that
        (True, 0, 0, False, False),
        (False, 100, 100, False, False),  # killed, or its master is
    ],
)
def test_it_is_back(on: bool, percent: float, before: float, rising: bool, expected: bool) -> None:
    assert is_on_again(on=on, percent=percent, before=before, rising=rising) is expected


def test_what_a_policy_releases_and_what_not() -> None:
    assert is_released("enrollment", by_itself=["enrollment"], verified=False)
    assert not is_released("enrollment", by_itself=[], verified=True)
    # It says that everything was compared.
    assert not is_released("all_clear", by_itself=["all_clear"], verified=False)
    assert is_released("all_clear", by_itself=["all_clear"], verified=True)
    assert not_by_itself(["enrollment", "all_clear", "investigating"]) == []
    assert not_by_itself(["enrolment", "page", 3]) == ["enrolment", "page", "3"]
    assert not_by_itself("enrollment") == ["enrollment"]
