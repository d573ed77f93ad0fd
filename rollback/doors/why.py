"""Why a feature is off, where people are told something of their own about that."""

import structlog
from django.db import DatabaseError, transaction
from structlog.contextvars import bind_contextvars

from rollback import incidents, registry, switchboard
from rollback.doors.words import ARCHIVED
from rollback.models import Incident
from rollback.registry import Feature, Text

log = structlog.get_logger(__name__)


def usual_words(feature: Feature) -> Text:
    """Of a feature that is off, whatever the reason. Its own words may promise what an archived table
    cannot keep.
    """
    return ARCHIVED if switchboard.is_archived(feature.flag) else feature.fallback.words


def words_because(feature: Feature) -> Text | None:
    """None: the usual words. Asked only about a feature that is off; a lost database costs the words
    and nothing else."""
    if not feature.because:
        return None
    try:
        with transaction.atomic():
            held_by = incidents.holding(one.flag for one in registry.with_masters(feature))
    except DatabaseError:
        log.warning("door.kind_unknown", feature=feature.name)
        return None
    if held_by is None:
        return feature.because.get(Incident.Kind.OTHER)
    number, kind = held_by
    # For the lines that are logged of this request from here on.
    bind_contextvars(incident=number)
    return feature.because.get(kind)
