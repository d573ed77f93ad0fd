"""The watch's verdicts, every ten seconds, and what follows from them."""

from rollback.evaluate.ticking import delete_old, say_first, take_over, tick

__all__ = ["delete_old", "say_first", "take_over", "tick"]
