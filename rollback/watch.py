"""The watch: each process counts what happens in it, and every ten seconds adds that to the samples.

Counting is an append to a ring in memory: no query, no lock, nobody waits. A thread writes what there
is in one statement. What cannot be written is kept for a minute, then dropped, which is logged;
a process that is killed loses at most the last ten seconds. Where the connection is lost in the middle
of COMMIT the same counts may be added twice.

How old a count is is measured by the monotonic clock, and the slot is found from that by the
database's: a machine whose own clock is wrong writes into the right slots.
"""

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic

import structlog
from django.db import Error, connection, transaction

from rollback.domain.errors import without_rows

log = structlog.get_logger(__name__)

SLOT = 10.0  # seconds
KEPT = 60.0  # seconds; older counts are of no use to anybody who decides
FOLD = 2048
LEAVING = 2.0  # how long the end of a process waits for its last counts

LIMITS = "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '2s'"
# In order, so that processes that write the same slots do not lock each other out.
ADD = """
    INSERT INTO rollback_sample AS t (metric, feature, is_on, begins_at, seconds, total, bad)
    SELECT metric, feature, is_on,
           date_bin('10 s', statement_timestamp() - age * interval '1 s', '2000-01-01+00'),
           10, sum(total), sum(bad)
      FROM unnest(%s::text[], %s::text[], %s::bool[], %s::float8[], %s::int[], %s::int[])
           AS told(metric, feature, is_on, age, total, bad)
     GROUP BY 1, 2, 3, 4
     ORDER BY 1, 2, 3, 4
    ON CONFLICT ON CONSTRAINT sample_once DO UPDATE
       SET total = t.total + excluded.total, bad = t.bad + excluded.bad
"""

Key = tuple[int, str, str, bool]  # second by the monotonic clock, metric, feature, on
Counts = dict[Key, list[int]]  # total, bad

# Called by the writing thread after the counts, also in a process' last round: others write there what
# they have kept in memory.
also_write: list[Callable[[], object]] = []
# Called by the writing thread after each round in which the database answered, or there was nothing
# to be written.
after_write: list[Callable[[], None]] = []
# Around each round. Whoever knows when it is in vain to wait for the database plugs that in.
_patience: Callable[[], AbstractContextManager[None]] = nullcontext


def plug_patience(patience: Callable[[], AbstractContextManager[None]]) -> None:
    global _patience
    _patience = patience


class Ring:
    """Of one process."""

    def __init__(self) -> None:
        # deque.append is atomic, so threads need no lock to tell.
        self._told: deque[tuple[float, str, str, bool, bool, int]] = deque()
        self._counts: Counts = {}
        self._folding = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def count(
        self, metric: str, *, feature: str = "", on: bool = True, bad: bool = False, n: int = 1
    ) -> None:
        """n of them, all bad or all good. feature: a flag's name; on: whether it was on for who asked."""
        told = self._told
        told.append((monotonic(), metric, feature, on, bad, n))
        if self._thread is None or len(told) > FOLD:
            self._attend()

    def _attend(self) -> None:
        if self._thread is None:
            self._start()
        if len(self._told) > FOLD and self._folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._folding.release()

    def _start(self) -> None:
        """Never waits: whoever finds another at it goes on."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="watch", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            # The interpreter is ending: the counts go with it.
            log.info("watch.not_started")
        finally:
            self._starting.release()

    def _fold(self) -> None:
        """Only who holds `_folding` may."""
        counts, told = self._counts, self._told
        for _ in range(len(told)):
            at, metric, feature, on, bad, n = told.popleft()
            cell = counts.setdefault((int(at), metric, feature, on), [0, 0])
            cell[0] += n
            if bad:
                cell[1] += n
        # Where the writer is stuck, a database that hangs, nothing grows without end either.
        oldest = monotonic() - KEPT
        if counts and next(iter(counts))[0] < oldest:
            self._drop(oldest)

    def _drop(self, oldest: float) -> None:
        kept = {key: cell for key, cell in self._counts.items() if key[0] >= oldest}
        lost = sum(cell[0] for key, cell in self._counts.items() if key[0] < oldest)
        self._counts = kept
        log.warning("watch.dropped", counts=lost)

    def write(self) -> bool:
        """:returns: whether there is nothing left that could not be written."""
        with self._taken() as counts:
            if not counts:
                return True
            try:
                _add(counts)
            except Error as error:
                log.warning("watch.not_written", error=without_rows(error))
                self._put_back(counts)
                return False
        return True

    @contextmanager
    def _taken(self) -> Iterator[Counts]:
        with self._folding:
            self._fold()
            counts, self._counts = self._counts, {}
        yield counts

    def _put_back(self, counts: Counts) -> None:
        """Before what was counted meanwhile, so that the oldest stays the first."""
        with self._folding:
            newer, self._counts = self._counts, counts
            for key, (total, bad) in newer.items():
                cell = counts.setdefault(key, [0, 0])
                cell[0] += total
                cell[1] += bad

    def clear(self) -> None:
        with self._folding:
            self._told.clear()
            self._counts.clear()

    def _run(self) -> None:
        while not self._stop.wait(SLOT):
            self._round()
        self._round(last=True)

    def _round(self, *, last: bool = False) -> None:
        try:
            with _patience():
                if self.write():
                    _tell(also_write)
                    if not last:
                        _tell(after_write)
        except Exception:
            # The watch: a thread that dies in silence would leave the triggers without samples.
            log.exception("watch.broken")
        finally:
            connection.close()  # this thread's own

    def leave(self) -> None:
        """The last counts are written; a database that hangs keeps no process from ending."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._stop.set()
            thread.join(LEAVING)


def _tell(others: Iterable[Callable[[], object]]) -> None:
    for each in tuple(others):
        try:
            each()
        except Exception:
            # The watch: one of them that is broken stops no other, and not the counting.
            log.exception("watch.hook_broken", hook=getattr(each, "__qualname__", repr(each)))


def _add(counts: Counts) -> None:
    """:raises Error:"""
    now = monotonic()
    rows = [
        # From the middle of its second.
        (str(metric), feature, on, max(now - second - 0.5, 0.0), *cell)
        for (second, metric, feature, on), cell in counts.items()
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        for words in LIMITS.split(";"):
            cursor.execute(words)
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])


ring = Ring()
count, write = ring.count, ring.write
# A child has no thread, and what its parent has counted is the parent's to write.
os.register_at_fork(after_in_child=ring.__init__)  # type: ignore[misc]
atexit.register(ring.leave)
