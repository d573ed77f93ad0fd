"""Django looks for admin pages here; they live in the console."""

from rollback.console import drafts, flags, incidents, records, verifications

__all__ = ["drafts", "flags", "incidents", "records", "verifications"]
