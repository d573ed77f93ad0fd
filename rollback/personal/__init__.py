"""What rollback keeps about people, by what it is kept for."""

from rollback.personal import engine, oncall, words

CONTRIBUTORS = (*oncall.CONTRIBUTORS, *words.CONTRIBUTORS, *engine.CONTRIBUTORS)

__all__ = ["CONTRIBUTORS"]
