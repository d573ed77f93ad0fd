"""What to take away for which harm: the decision matrix. Pure; the words are marked for translation only.

Phase 3 removes the pages, 2 switches off endpoints and logic, 1 takes the tables away. Machines reach 3
and 2; phase 1 keeps every row in the archive, and needs two people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


class Harm(StrEnum):
    """The columns, from bad to worst."""

    NONE = "none"
    BOOKINGS = "bookings"
    LOST = "lost"
    LEAK = "leak"


class Reach(StrEnum):
    """The rows: how many of the users are concerned."""

    FEW = "few"
    SOME = "some"
    MANY = "many"


SOME_FROM, MANY_ABOVE = 0.01, 0.20

HARM_WORDS: Mapping[Harm, str] = {
    Harm.NONE: _("No data is harmed"),
    Harm.BOOKINGS: _("Bookings wrong or twice"),
    Harm.LOST: _("Data lost or unreadable"),
    Harm.LEAK: _("Somebody saw what is not theirs"),
}
REACH_WORDS: Mapping[Reach, str] = {
    Reach.FEW: _("Below 1 % of the users"),
    Reach.SOME: _("1 to 20 % of the users"),
    Reach.MANY: _("More than 20 %, or nobody can enroll"),
}


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """One field of the matrix. phases: in the order in which they are taken; () takes no phase away.

    severity: 1 is the worst.
    """

    reach: Reach
    harm: Harm
    words: str
    severity: int
    phases: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"{self.reach}-{self.harm}"

    @property
    def needs_two_people(self) -> bool:
        return 1 in self.phases


_FIELDS: Mapping[Reach, tuple[tuple[str, int, tuple[int, ...]], ...]] = {
    # No data is harmed, bookings, lost, leak.
    Reach.FEW: (
        (_("Mend it where it is, and lower the share until those concerned are off."), 4, ()),
        (_("Take the pages away until the bookings are put right by hand."), 3, (3,)),
        (_("Take pages and logic away, so that nothing more is written; look at the backup."), 2, (3, 2)),
        (_("Take pages and logic away at once, and tell whoever answers for privacy."), 1, (3, 2)),
    ),
    Reach.SOME: (
        (_("Take the pages away step by step, and look after each step."), 3, (3,)),
        (_("Take pages and logic away, then put the bookings right by hand."), 2, (3, 2)),
        (_("Take pages and logic away at once; have phase 1 ready with two people."), 1, (3, 2)),
        (_("Take pages, logic and tables away: what nobody can reach leaks no more."), 1, (3, 2, 1)),
    ),
    Reach.MANY: (
        (_("Take pages and logic away at once; the original flow carries everybody."), 2, (3, 2)),
        (_("Take pages and logic away at once; put the bookings right before anything returns."), 1, (3, 2)),
        (_("Take pages, logic and tables away, and restore from a proved backup."), 1, (3, 2, 1)),
        (_("Take pages, logic and tables away: what nobody can reach leaks no more."), 1, (3, 2, 1)),
    ),
}  # fmt: skip
MATRIX: Mapping[Reach, Mapping[Harm, Recommendation]] = {
    reach: {
        harm: Recommendation(reach=reach, harm=harm, words=words, severity=severity, phases=phases)
        for harm, (words, severity, phases) in zip(Harm, fields, strict=True)
    }
    for reach, fields in _FIELDS.items()
}
BY_KEY: Mapping[str, Recommendation] = {
    field.key: field for row in MATRIX.values() for field in row.values()
}


def reach_of(share_of_users: float, *, nobody_can_enroll: bool = False) -> Reach:
    """share_of_users: 0..1."""
    if nobody_can_enroll or share_of_users > MANY_ABOVE:
        return Reach.MANY
    return Reach.FEW if share_of_users < SOME_FROM else Reach.SOME


def recommend(
    share_of_users: float, harm: Harm | str, *, nobody_can_enroll: bool = False
) -> Recommendation:
    """share_of_users: 0..1. :raises ValueError: for a harm that is none"""
    return MATRIX[reach_of(share_of_users, nobody_can_enroll=nobody_can_enroll)][Harm(harm)]
