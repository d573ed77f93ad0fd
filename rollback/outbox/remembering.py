"""What is the same for all mails of a minute is asked once, while they go out; elsewhere each time."""

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

# Seconds. A letter that is edited meanwhile has its new words in the mails after that.
FOR = 5.0

Answer = TypeVar("Answer")

_kept: ContextVar[dict[Hashable, tuple[float, Any]] | None] = ContextVar("kept", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def remembered(key: Hashable, ask: Callable[[], Answer]) -> Answer:
    kept = _kept.get()
    if kept is None:
        return ask()
    now = time.monotonic()
    until, answer = kept.get(key, (now, None))
    if until <= now:
        answer = ask()
        kept[key] = (now + FOR, answer)
    return cast(Answer, answer)
