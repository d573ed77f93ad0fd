"""Django's `migrate`, which leaves in the archive what is there, unless its app is named."""

from rollback.safely.planning import Migrate as Command

__all__ = ["Command"]
