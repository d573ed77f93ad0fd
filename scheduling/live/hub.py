"""Who in this process wants to be told of what. All of it in one event loop, so nothing is locked."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from scheduling.domain.changes import EVERYBODY, Change, Ring, Topic

REMEMBERED = 10_000
REMEMBERED_SECONDS = 900.0
# What comes together is told together: an import of thousands of lessons is a message or two.
GATHER = 0.01
APART = 0.5
BEAT = 15.0
Message = dict[str, Any]
NOTHING: Message = {"changes": []}


class Ear:
    """One open page. What it is to be told gathers here, however slowly it listens."""

    def __init__(self) -> None:
        self.topics: frozenset[Topic] = frozenset()
        self._changed: set[str] = set()
        self._resync = False
        self._deaf = False
        self._answer = False
        self._wake = asyncio.Event()

    def hears(self, changes: Iterable[Change]) -> None:
        self._changed.update(change.what for change in changes)
        if self._changed:
            self._wake.set()

    def is_answered(self) -> None:
        """Whoever asked gets an answer, also when there is nothing to tell."""
        self._answer = True
        self._wake.set()

    def must_resync(self) -> None:
        self._resync, self._deaf = True, False
        self._wake.set()

    def is_deaf(self) -> None:
        self._deaf = True
        self._wake.set()

    async def next(self) -> Message:
        """What to say next: at the latest a beat, by which the page knows that it would be told."""
        while True:
            try:
                # Not wait_for: until Python 3.12 it may swallow the end of the task.
                async with asyncio.timeout(BEAT):
                    await self._wake.wait()
            except TimeoutError:
                if self._deaf:
                    continue
                return NOTHING
            if not self._answer:
                await asyncio.sleep(GATHER)
            return self._taken()

    def _taken(self) -> Message:
        changed, self._changed = sorted(self._changed), set()
        resync, self._resync = self._resync, False
        self._answer = False
        self._wake.clear()
        if self._deaf:
            return {"deaf": True}
        return {"resync": True} if resync else {"changes": changed}


class Hub:
    """ring: None while nobody tells us anything."""

    def __init__(self) -> None:
        self.ring: Ring | None = None
        self.heard_at = 0.0
        self._ears: set[Ear] = set()
        self._by_topic: defaultdict[Topic, set[Ear]] = defaultdict(set)

    def begin(self, complete_from: int) -> None:
        """We hear everything from here on. What was in between is lost, so all look again."""
        self.heard_at = time.monotonic()
        self.ring = Ring(complete_from=complete_from, most=REMEMBERED, seconds=REMEMBERED_SECONDS)
        for ear in self._ears:
            ear.must_resync()

    def lose(self) -> None:
        if self.ring is None:
            return
        self.ring = None
        for ear in self._ears:
            ear.is_deaf()

    def tell(self, change: Change) -> None:
        self.heard_at = time.monotonic()
        if self.ring is None:
            return
        self.ring.add(change, at=self.heard_at)
        for topic in change.topics:
            for ear in self._by_topic.get(topic, ()):
                ear.hears((change,))

    def join(self, ear: Ear, *, topics: AbstractSet[Topic], since: int | None) -> None:
        """From now on, and at once what changed there from version `since` on."""
        self.leave(ear)
        ear.topics = frozenset(topics) | {EVERYBODY}
        self._ears.add(ear)
        for topic in ear.topics:
            self._by_topic[topic].add(ear)
        if self.ring is None:
            ear.is_deaf()
            return
        missed = () if since is None else self.ring.since(since, ear.topics)
        if missed is None:
            ear.must_resync()
        else:
            ear.hears(missed)
        ear.is_answered()

    def leave(self, ear: Ear) -> None:
        self._ears.discard(ear)
        for topic in ear.topics:
            there = self._by_topic.get(topic)
            if there is not None:
                there.discard(ear)
                if not there:
                    del self._by_topic[topic]
        ear.topics = frozenset()
