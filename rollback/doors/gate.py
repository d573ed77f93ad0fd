"""One feature used on behalf of another, so that a broken one cannot break its neighbor."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import structlog
from django.db import connection, transaction

from rollback import registry, switchboard
from rollback.doors import measuring

log = structlog.get_logger(__name__)

T = TypeVar("T")


def call(
    flag: str,
    function: Callable[..., T],
    *arguments: Any,
    instead: T,
    who: Any = None,
    even_off: bool = False,
    reads: bool = False,
    **named: Any,
) -> T:
    """`function(*arguments, **named)` in a savepoint; `instead` when the feature is off or broken.

    who: the person it is done for; None asks whether the feature is on for anyone. even_off: what
    the feature has already recorded still counts while it is off (holidays still close the day), as
    long as its tables are there.
    reads: it writes nothing, so that there is nothing to undo outside of a transaction, and none is
    begun for it.
    """
    if registry.get(flag) is None:
        return instead
    on = switchboard.is_on_for_anyone(flag) if who is None else switchboard.is_on(flag, who)
    if not (on or even_off) or switchboard.is_archived(flag):
        return instead
    try:
        with _savepoint(reads=reads):
            answer = function(*arguments, **named)
    except Exception:
        # The door: whatever is wrong in there stays in there, and is said aloud.
        log.exception("gate.broken", feature=flag, function=function.__qualname__)
        answer, broken = instead, True
    else:
        broken = False
    if on:
        measuring.used(flag, broken=broken)
    return answer


def _savepoint(*, reads: bool) -> AbstractContextManager[None]:
    if reads and not connection.in_atomic_block:
        return nullcontext()
    return transaction.atomic()
