"""What is the same for all mails of a minute is asked once, while they go out; elsewhere each time."""

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

# Seconds. A letter that is edited meanwhile has its new words in the mails after that.
FOR = 5.0
MOST = 1000

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
        remember(key, answer, seconds=FOR)
    return cast(Answer, answer)


def remember(key: Hashable, answer: object, *, seconds: float) -> None:
    """What was asked for many at once."""
    kept = _kept.get()
    if kept is None:
        return
    now = time.monotonic()
    if len(kept) >= MOST:
        for old in [known for known, (until, _answer) in kept.items() if until <= now]:
            del kept[old]
    kept[key] = (now + seconds, answer)
