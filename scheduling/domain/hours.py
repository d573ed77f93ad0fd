"""Weekly windows against each other. Pure."""

from collections.abc import Iterable

from scheduling.domain.slots import Rule


def overlap(one: Rule, other: Rule) -> bool:
    """Same weekday, a shared day of validity, and a shared second. Touching is no overlap."""
    return (
        one.weekday == other.weekday
        and one.starts < other.ends
        and other.starts < one.ends
        and one.first_day <= other.last_day
        and other.first_day <= one.last_day
    )


def first_overlap(rule: Rule, others: Iterable[tuple[int, Rule]]) -> int | None:
    """The key of the first of `others` that overlaps `rule`."""
    return next((key for key, other in others if overlap(rule, other)), None)
