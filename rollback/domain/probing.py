"""Whether what runs now is a probe. Pure.

A probe walks through the school's own pages, in a transaction that is undone. What is counted in
memory is not undone with it: whoever counts people asks here first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_probing: ContextVar[bool] = ContextVar("probing", default=False)


def is_probe() -> bool:
    return _probing.get()


@contextmanager
def probing() -> Iterator[None]:
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)
