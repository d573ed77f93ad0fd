"""What lies in the archive: who asks for it there, what becomes of it, and when it is deleted for good."""

from rollback.keeping.leftovers import concerns, copy_for, erase_person, unsaid
from rollback.keeping.purging import PurgeRefused, purge
from rollback.keeping.reaching import apps_away, is_away, within_reach
from rollback.keeping.shelf import Kept, kept_of, shelf

__all__ = [
    "Kept",
    "PurgeRefused",
    "apps_away",
    "concerns",
    "copy_for",
    "erase_person",
    "is_away",
    "kept_of",
    "purge",
    "shelf",
    "unsaid",
    "within_reach",
]
