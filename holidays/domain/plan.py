"""What an import would do: rows that are there and rows of the source → one item for each. Pure.

Three versions are compared: the row as the source has it now, as it was when it was last imported
(`base`), and as it is (`now`). What differs between the last two was changed by a person.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from holidays.domain.rows import Columns, Row

UNIQUE = ("name", "first_on", "last_on", "kind", "scope", "region", "starts", "ends")
PLACE_AND_TIME = ("first_on", "last_on", "scope", "region", "starts", "ends", "as_weekday")


class State(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"
    EDITED = "edited"
    LEFT_OUT = "left_out"
    TWICE = "twice"
    SAME = "same"


class Action(StrEnum):
    ADD = "add"
    TAKE = "take"
    DELETE = "delete"
    LINK = "link"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A row that is there. base: as it was imported; None: entered by hand."""

    pk: int
    key: str = ""
    now: Columns
    base: Columns | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """actions: what a person may choose; the first is what happens if they choose nothing.

    differs: the source says something that it did not say at the last import.
    """

    state: State
    key: str
    theirs: Columns | None = None
    known: Known | None = None
    actions: tuple[Action, ...] = ()
    differs: bool = False

    @property
    def id(self) -> str:
        """The same on the next page, as long as it is the same question."""
        known = self.known.pk if self.known else 0
        return blake2b(f"{self.state}|{known}|{self.key}".encode(), digest_size=8).hexdigest()

    @property
    def changed(self) -> list[str]:
        """The columns in which the row and the source are not the same."""
        if self.known is None or self.theirs is None:
            return []
        return [one for one, value in self.theirs.items() if self.known.now.get(one) != value]


def plan(
    *,
    rows: Iterable[Row],
    known: Iterable[Known],
    others: Iterable[Known],
    left_out: Collection[str],
    place: Columns,
) -> list[Item]:
    """known: of this source. others: all the rest on these days. left_out: keys that a person deleted,
    or did not want. place: scope and region, the same for all rows of a source."""
    wanted = {row.key: {**row.columns(), **place} for row in rows}
    pairs, alone = _paired(wanted, list(known))
    paired = set(pairs)
    free = {one.pk: one for one in others}
    items = [_of_pair(key, wanted[key], pairs[key]) for key in wanted if key in paired]
    items += [
        _alone(key, theirs, free, left_out) for key, theirs in wanted.items() if key not in paired
    ]
    items += [_gone(one) for one in alone]
    return sorted(items, key=_order)


def digest(items: Iterable[Item]) -> str:
    """Of everything that was looked at: another digest is another plan."""
    seen = [
        (
            item.id,
            {key: value for key, value in (item.theirs or {}).items() if key != "region"},
            item.known and (item.known.now, item.known.base),
        )
        for item in items
    ]
    return blake2b(json.dumps(seen, sort_keys=True).encode(), digest_size=16).hexdigest()


def counted(items: Iterable[Item]) -> dict[State, int]:
    counts = dict.fromkeys(State, 0)
    for item in items:
        counts[item.state] += 1
    return counts


def news(items: Iterable[Item]) -> list[Item]:
    """What a person should look at, though nobody asked for an import: the source says something else."""
    return [
        item
        for item in items
        if item.state in (State.NEW, State.CHANGED)
        or (item.state in (State.EDITED, State.GONE) and item.differs)
    ]


def _paired(
    wanted: Mapping[str, Columns], known: Sequence[Known]
) -> tuple[dict[str, Known], list[Known]]:
    """The same as imported is the same, under whatever key it comes now; only then the key decides.

    Outlook gives its events new names at each export, and the first of two becomes the second when
    another one comes before it.
    """
    pairs: dict[str, Known] = {}
    rest = list(known)
    for same in (_same_and_key, _same, _same_key):
        for key, theirs in wanted.items():
            if key in pairs:
                continue
            found = next((one for one in rest if same(one, key, theirs)), None)
            if found:
                pairs[key] = found
                rest.remove(found)
    return pairs, rest


def _same_key(one: Known, key: str, _theirs: Columns) -> bool:
    return one.key == key


def _same(one: Known, _key: str, theirs: Columns) -> bool:
    return one.base is not None and _agree(one.base, theirs)


def _same_and_key(one: Known, key: str, theirs: Columns) -> bool:
    return _same_key(one, key, theirs) and _same(one, key, theirs)


def _agree(one: Columns, other: Columns) -> bool:
    """In everything that both speak of: a source that knows no notes has nothing to say about them."""
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def _of_pair(key: str, theirs: Columns, known: Known) -> Item:
    base = known.base or known.now
    differs = not _agree(base, theirs)
    if _agree(known.now, theirs):
        return Item(state=State.SAME, key=key, theirs=theirs, known=known)
    if _agree(known.now, base):
        actions = (Action.TAKE, Action.LEAVE)
        return Item(
            state=State.CHANGED, key=key, theirs=theirs, known=known, actions=actions, differs=True
        )
    actions = (Action.LEAVE, Action.TAKE)
    return Item(
        state=State.EDITED, key=key, theirs=theirs, known=known, actions=actions, differs=differs
    )


def _gone(known: Known) -> Item:
    edited = known.base is not None and not _agree(known.now, known.base)
    actions = (Action.LEAVE, Action.DELETE) if edited else (Action.DELETE, Action.LEAVE)
    return Item(state=State.GONE, key=known.key, known=known, actions=actions, differs=True)


def _alone(key: str, theirs: Columns, free: dict[int, Known], left_out: Collection[str]) -> Item:
    twin = next((one for one in free.values() if _at_once(one.now, theirs)), None)
    exact = twin is not None and all(twin.now[name] == theirs[name] for name in UNIQUE)
    may_add = () if exact else (Action.ADD,)
    if key in left_out:
        return Item(state=State.LEFT_OUT, key=key, theirs=theirs, actions=(Action.LEAVE, *may_add))
    if twin is None:
        return Item(
            state=State.NEW,
            key=key,
            theirs=theirs,
            actions=(Action.ADD, Action.LEAVE),
            differs=True,
        )
    del free[twin.pk]
    link = () if twin.source else (Action.LINK,)
    actions = (*link, Action.LEAVE, *may_add)
    return Item(state=State.TWICE, key=key, theirs=theirs, known=twin, actions=actions)


def _at_once(one: Columns, other: Columns) -> bool:
    return all(one[name] == other[name] for name in PLACE_AND_TIME)


def _order(item: Item) -> tuple[int, str, str]:
    shown = item.theirs or (item.known.now if item.known else {})
    return list(State).index(item.state), str(shown.get("first_on")), item.key
