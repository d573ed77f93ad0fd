"""Which of many periods get into each other's way. Pure; half-open periods."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Generic, TypeVar

What = TypeVar("What")


@dataclass(frozen=True, kw_only=True)
class Span(Generic[What]):
    """who: whoever can be in one place only. what: whatever the caller knows it by.

    group: spans of one group, which begin and end together, are in nobody's way; None is no group.
    """

    who: Hashable
    start: datetime
    end: datetime
    what: What
    group: Hashable | None = None


def clashes(spans: Iterable[Span[What]]) -> Iterator[tuple[Span[What], Span[What]]]:
    """Each span that begins before an earlier one of the same `who` has ended, after that one."""
    by_who: dict[Hashable, list[Span[What]]] = {}
    for span in spans:
        by_who.setdefault(span.who, []).append(span)
    for together in by_who.values():
        yield from _clashes_of_one(sorted(together, key=attrgetter("start")))


def _clashes_of_one(spans: list[Span[What]]) -> Iterator[tuple[Span[What], Span[What]]]:
    longest = spans[0]
    for span in spans[1:]:
        is_together = span.group is not None and span.group == longest.group
        if span.start < longest.end and not is_together:
            yield longest, span
        if span.end > longest.end:
            longest = span
