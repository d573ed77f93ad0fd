"""Django looks for admin pages here; they live in the console."""

from rollback.console import flags, incidents, records

__all__ = ["flags", "incidents", "records"]
