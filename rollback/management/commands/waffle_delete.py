from rollback.management.refused import RefusedCommand as Command

__all__ = ["Command"]
