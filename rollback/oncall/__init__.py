"""Who is called, until somebody says that they are at it."""

from rollback.oncall.acknowledging import acknowledge
from rollback.oncall.paging import look
from rollback.oncall.silence import notice

__all__ = ["acknowledge", "look", "notice"]
