"""Django looks for admin pages here; they live in the console."""

from rollback.console import drafts, flags, incident_rows, incidents, records

__all__ = ["drafts", "flags", "incident_rows", "incidents", "records"]
