"""Where the rows are of a feature whose tables were taken away, for who comes to its pages of the office."""

import structlog
from django.db import DatabaseError, transaction

from rollback import switchboard
from rollback.registry import Feature
from rollback.schema import standing

log = structlog.get_logger(__name__)


def words_if_archived(feature: Feature) -> str:
    """And how they come back. Empty: its tables are here, or nobody can say at the moment where they are."""
    if not switchboard.is_archived(feature.flag):
        return ""
    try:
        with transaction.atomic():
            found = standing.away(feature.admin_apps)
    except DatabaseError:
        log.warning("door.archive_unknown", feature=feature.name)
        return ""
    return standing.words(feature.title, found) if found else ""
