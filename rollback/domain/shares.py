"""Who has which feature: buckets, shares and the rule that answers. Pure: no Django, no clock, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

BUCKETS = 10_000  # a share has two decimals


class Subject(NamedTuple):
    """Whoever is asking. `key` is stable for a person: "u:17", or "a:…" for an anonymous visitor.

    A tuple, because one is made for nearly every check and a frozen dataclass takes three times
    as long to make.
    """

    key: str
    user_id: int | None = None
    is_staff: bool = False
    is_superuser: bool = False


NOBODY = Subject(key="")


class Why(StrEnum):
    """What made the answer of one flag."""

    UNKNOWN = "unknown"
    KILLED = "killed"
    ARCHIVED = "archived"
    NO_SHARE = "no share"
    OUTSIDE = "outside the share"
    MASTER = "master"
    INSIDE = "inside the share"
    EARLY = "early"
    DRAINING = "draining"


class Answer(NamedTuple):
    """bucket: 0..9999, or None for nobody. share: 0..10000. master: the flag above that is off."""

    on: bool
    why: Why
    bucket: int | None
    share: int
    master: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagState:
    """One flag as all processes know it.

    share: 0..10000 of BUCKETS. killed: off for everybody, whoever they are. requires: the
    master's name. users, staff, superusers: have it early, at any share above 0. draining: keep it
    beyond the share, even at 0, because they were in the middle of something when it went down.
    archived: its tables are away, so that it is off whatever the others say.
    """

    name: str
    share: int
    killed: bool = False
    requires: str | None = None
    staff: bool = False
    superusers: bool = False
    users: frozenset[int] = frozenset()
    draining: frozenset[int] = frozenset()
    archived: bool = False

    def on_for(self, subject: Subject, bucket: int) -> bool:
        """This flag alone, its master not asked."""
        if self.killed or self.archived:
            return False
        if not self.share:
            return subject.user_id in self.draining
        return (
            bucket < self.share
            or (self.staff and subject.is_staff)
            or (self.superusers and subject.is_superuser)
            or subject.user_id in self.users
            or subject.user_id in self.draining
        )

    def why_for(self, subject: Subject, bucket: int) -> Why:
        if self.archived:
            return Why.ARCHIVED
        if self.killed:
            return Why.KILLED
        if bucket < self.share:
            return Why.INSIDE
        if self.on_for(subject, bucket):
            stays = replace(self, draining=frozenset()).on_for(subject, bucket)
            return Why.EARLY if stays else Why.DRAINING
        return Why.OUTSIDE if self.share else Why.NO_SHARE

    def reaches_somebody(self) -> bool:
        return bool(self.share or self.draining) and not (self.killed or self.archived)

    def moved(self, share: int, *, up: bool) -> "FlagState":
        """As a step of a plan leaves it. Down it stays where it is lower; up, a kill is undone."""
        if up:
            return replace(
                self, share=share if self.killed else max(self.share, share), killed=False
            )
        return replace(self, share=min(self.share, share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All flags at one version. Version 0 with no flags is "nothing known": everything is off."""

    version: int = 0
    salt: bytes = b""
    flags: Mapping[str, FlagState] = field(default_factory=dict)
    # Worked out once for each snapshot: each flag with its masters; a check only walks along.
    chains: Mapping[str, tuple[FlagState, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chains = {name: _with_masters(name, self.flags) for name in self.flags}
        object.__setattr__(self, "chains", chains)

    def is_on(self, name: str, subject: Subject) -> bool:
        """Unknown is off; a flag whose master is off, unknown or its own ancestor is off."""
        chain = self.chains.get(name)
        if not chain:
            return False
        bucket = bucket_of(self.salt, subject.key) if subject.key else BUCKETS
        return self._all_on(chain, subject, bucket)

    def explain(self, name: str, subject: Subject) -> Answer:
        """The answer of `is_on`, and what made it."""
        chain = self.chains.get(name)
        if not chain:
            return Answer(on=False, why=Why.UNKNOWN, bucket=None, share=0)
        bucket = bucket_of(self.salt, subject.key) if subject.key else None
        at = BUCKETS if bucket is None else bucket
        off = next((state for state in chain if not state.on_for(subject, at)), None)
        own, *_masters = chain
        if off is None or off is own:
            return Answer(off is None, own.why_for(subject, at), bucket, own.share)
        return Answer(False, Why.MASTER, bucket, own.share, master=off.name)

    def moved(self, names: Iterable[str], share: int, *, up: bool) -> "Snapshot":
        """With a step of a plan done, and nobody new in the middle of anything."""
        changed = {
            name: self.flags[name].moved(share, up=up) for name in names if name in self.flags
        }
        return replace(self, flags={**self.flags, **changed})

    def changed_for(self, other: "Snapshot", subjects: Iterable[Subject]) -> frozenset[int]:
        """The users for whom some flag is answered otherwise by `other`, which has the same salt."""
        found = set()
        pairs = [
            (chain, other.chains[name])
            for name, chain in self.chains.items()
            if chain != other.chains[name]
        ]
        for subject in subjects:
            bucket = bucket_of.__wrapped__(self.salt, subject.key)
            if subject.user_id is not None and any(
                self._all_on(mine, subject, bucket) != self._all_on(theirs, subject, bucket)
                for mine, theirs in pairs
            ):
                found.add(subject.user_id)
        return frozenset(found)

    def count_on(self, subjects: Iterable[Subject]) -> dict[str, int]:
        """Flag name → for how many it is on. One hash each, and none of them is remembered:
        counting everybody must not push out those who are here now.
        """
        counts = dict.fromkeys(self.chains, 0)
        for subject in subjects:
            bucket = bucket_of.__wrapped__(self.salt, subject.key)
            for name, chain in self.chains.items():
                counts[name] += bool(chain) and self._all_on(chain, subject, bucket)
        return counts

    def users_with_any(self, names: Iterable[str], subjects: Iterable[Subject]) -> set[int]:
        """For whom one of these flags is on. One hash each, not remembered, as in `count_on`."""
        chains = [chain for chain in map(self.chains.get, names) if chain]
        found: set[int] = set()
        for subject in subjects if chains else ():
            bucket = bucket_of.__wrapped__(self.salt, subject.key)
            if subject.user_id is not None and any(
                self._all_on(chain, subject, bucket) for chain in chains
            ):
                found.add(subject.user_id)
        return found

    @staticmethod
    def _all_on(chain: tuple[FlagState, ...], subject: Subject, bucket: int) -> bool:
        for state in chain:  # noqa: SIM110 - `all()` with a generator takes twice as long
            if not state.on_for(subject, bucket):
                return False
        return True


def _with_masters(name: str, flags: Mapping[str, FlagState]) -> tuple[FlagState, ...]:
    """The flag, its master, and so on up; empty when one is unknown or its own ancestor."""
    chain: list[FlagState] = []
    wanted: str | None = name
    while wanted is not None:
        state = flags.get(wanted)
        if state is None or state in chain:
            return ()
        chain.append(state)
        wanted = state.requires
    return tuple(chain)


OFF = Snapshot()


@lru_cache(maxsize=65_536)
def bucket_of(salt: bytes, key: str) -> int:
    """0..9999, the same for a person in every process and on every device.

    One salt for all flags: who has the calendar at 25 % also has the availability.
    """
    digest = blake2b(key.encode(), key=salt, digest_size=8).digest()
    return int.from_bytes(digest) % BUCKETS


def share_from_percent(percent: Decimal | None) -> int:
    """:returns: 0..10000; None counts as 0."""
    return max(0, min(BUCKETS, int((percent or Decimal(0)) * 100)))
