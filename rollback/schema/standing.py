"""Since when the tables of a feature are in the archive, and how many rows lie there; in words for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Min, Q, Sum
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback.models import LedgerEntry


@dataclass(frozen=True, kw_only=True)
class Away:
    """apps: whose tables. rows: None before all of them were counted. purged_at: since when none of them is
    there any more.
    """

    apps: frozenset[str]
    since: datetime
    tables: int
    rows: int | None
    purged_at: datetime | None


def away(apps: Iterable[str]) -> Away | None:
    """Of these apps; None: nothing of theirs is in the archive. One query."""
    lies_there = LedgerEntry.objects.filter(
        app__in=list(apps), kind=LedgerEntry.Kind.TABLE, back_at__isnull=True
    )
    found = lies_there.aggregate(
        apps=ArrayAgg("app", distinct=True),
        since=Min("archived_at"),
        tables=Count("pk"),
        total=Sum("rows"),
        counted=Count("rows"),
        left=Count("pk", filter=Q(purged_at__isnull=True)),
        purged_at=Max("purged_at"),
    )
    if not found["tables"]:
        return None
    return Away(
        apps=frozenset(found["apps"]),
        since=found["since"],
        tables=found["tables"],
        rows=found["total"] if found["counted"] == found["tables"] else None,
        purged_at=None if found["left"] else found["purged_at"],
    )


def words(title: object, found: Away) -> str:
    """What became of it, and how it comes back."""
    told: dict[str, Any] = {
        "title": title,
        "since": moment(found.since),
        "tables": found.tables,
        "rows": "" if found.rows is None else number_format(found.rows, force_grouping=True),
        "purged": moment(found.purged_at) if found.purged_at else "",
    }
    return f"{_sentence(found) % told} {way_back()}"


def _sentence(found: Away) -> str:
    if found.purged_at is not None:
        return _(
            "“%(title)s” is in the archive since %(since)s; its rows were deleted from there on "
            "%(purged)s."
        )
    if found.rows is None:
        return _(
            "“%(title)s” is in the archive since %(since)s; its rows are safe there, in %(tables)s "
            "tables."
        )
    return _(
        "“%(title)s” is in the archive since %(since)s; its rows are safe there: %(rows)s, in "
        "%(tables)s tables."
    )


def way_back() -> str:
    return _(
        "To bring it back, choose “Bring the tables back” on the office's page “Phases”, or run "
        "manage.py rollback reapply."
    )


def moment(at: datetime) -> str:
    return date_format(localtime(at), "DATETIME_FORMAT")
