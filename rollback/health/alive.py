"""Is the watch awake? Whoever asks all the time gets the same answer for a moment, and holds one thread."""

import math
import threading
import time

from rollback import triggers
from rollback.health.asking import Connection, NoAnswer, ask, rows

SECONDS = 2.0
KEPT = 1.0  # seconds
# For so many seconds an answer is better than none, while somebody else asks anew.
KNOWN = 10.0
# The triggers are judged every ten seconds; another process takes over after thirty.
YOUNG = 60.0
AGE = """
    SELECT extract(epoch FROM clock_timestamp() - beat_at)::float8
      FROM rollback_heartbeat WHERE name = %s
"""
Answer = tuple[str, bool]
NO_DATABASE: Answer = (f"The database has not answered within {SECONDS:g} seconds.", False)
BEING_ASKED: Answer = (f"It is being asked now. Ask again in {SECONDS:g} seconds.", False)
NEVER: Answer = ("The triggers have never been judged.", False)


class Answers:
    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._known = BEING_ASKED
        self._asked_at = -math.inf

    def answer(self) -> Answer:
        """In a sentence, and whether it is awake."""
        if not self._one_at_a_time.acquire(blocking=False):
            return self._known if self._is_known(for_seconds=KNOWN) else BEING_ASKED
        try:
            if not self._is_known(for_seconds=KEPT):
                self._known = _asked()
                self._asked_at = time.monotonic()
            return self._known
        finally:
            self._one_at_a_time.release()

    def _is_known(self, *, for_seconds: float) -> bool:
        return time.monotonic() - self._asked_at <= for_seconds


def _asked() -> Answer:
    ages: list[float] = []

    def question(connection: Connection) -> None:
        ages.extend(age for (age,) in rows(connection, AGE, [triggers.HEARTBEAT]))

    try:
        ask(question, who="alive", seconds=SECONDS)
    except NoAnswer:
        return NO_DATABASE
    if not ages:
        return NEVER
    words = f"The triggers were last judged {max(0, round(ages[0]))} seconds ago."
    return words, ages[0] < YOUNG


answers = Answers()
