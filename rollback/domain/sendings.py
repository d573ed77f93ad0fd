"""Which letters are due to whom of an incident's people, from what has happened. Pure.

A letter that is due is prepared; whether it goes out is decided by a person, or by the school's policy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rollback.domain.letters import LetterKey

REASONS = ("draft", "lesson", "teacher", "exposed")
# They say that something was taken away: nobody gets more than one of them by itself.
OFF = (LetterKey.ENROLLMENT, LetterKey.SIMPLIFIED)
# What a person may write to the affected people: the others are about one lesson.
TO_PEOPLE = (*OFF, LetterKey.RESTORED, LetterKey.ALL_CLEAR)
# What a school's policy may let out without anybody pressing a button: also its first public word.
BY_ITSELF = (*TO_PEOPLE, LetterKey.INVESTIGATING)
# Whoever got none of these first would hear of a trouble by hearing that it is over.
AFTER: Mapping[str, tuple[str, ...]] = {
    LetterKey.ALL_CLEAR: (*OFF, LetterKey.RESTORED),
    LetterKey.RESTORED: OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """took_away: flags are or were held for it. simplified: people read the words of the simplified mode
    meanwhile. back: each of the flags is on again. new: the reasons of those to whom nothing was
    prepared yet. lacking: letters that somebody whom an earlier one has reached is not among. prepared:
    letters of which there is one already. fresh: some of the earlier letters were never tried yet;
    waiting: or are tried again.
    """

    took_away: bool
    simplified: bool = False
    resolved: bool = False
    back: bool = False
    new: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    prepared: frozenset[str] = frozenset()
    fresh: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """told: only whom one of these letters has reached. untold: nobody to whom one of these was prepared."""

    letter: LetterKey
    reasons: tuple[str, ...] = REASONS
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


def due(facts: Facts) -> tuple[Due, ...]:
    found = (_off(facts), _after(LetterKey.ALL_CLEAR, _is_over)(facts))
    return tuple(one for one in (*found, _after(LetterKey.RESTORED, _is_back)(facts)) if one)


def _off(facts: Facts) -> Due | None:
    if not facts.took_away or facts.resolved:
        return None
    letter = LetterKey.SIMPLIFIED if facts.simplified else LetterKey.ENROLLMENT
    reasons = REASONS if facts.simplified else ("draft",)
    if facts.new.isdisjoint(reasons):
        return None
    return Due(letter=letter, reasons=reasons, untold=OFF)


def _is_over(facts: Facts) -> bool:
    return facts.resolved


def _is_back(facts: Facts) -> bool:
    return facts.resolved and facts.took_away and facts.back


def _after(letter: LetterKey, is_so: Callable[[Facts], bool]) -> Callable[[Facts], Due | None]:
    def found(facts: Facts) -> Due | None:
        # Whom an earlier letter reaches late gets it with the others who were late.
        still_going = facts.waiting if letter in facts.prepared else facts.fresh
        if not is_so(facts) or letter not in facts.lacking or still_going:
            return None
        return Due(letter=letter, told=AFTER[letter], untold=(letter,))

    return found


def is_released(letter: str, *, by_itself: Sequence[str], verified: bool) -> bool:
    """Whether nobody has to press a button. An all-clear speaks for what only a verification knows."""
    return letter in by_itself and (letter != LetterKey.ALL_CLEAR or verified)


def not_by_itself(letters: object) -> list[str]:
    """What of a policy's list is no letter that may go out by itself; of no list, all of it."""
    if not isinstance(letters, list):
        return [str(letters)]
    return [str(one) for one in letters if one not in [key.value for key in BY_ITSELF]]


def is_on_again(*, on: bool, percent: float, before: float, rising: bool) -> bool:
    """on: for anybody, its master asked as well. rising: a plan goes on raising it."""
    return on and percent > 0 and (percent >= before or not rising)
