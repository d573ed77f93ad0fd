"""How it was while all was well: what a verification compares with."""

from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback.domain.probing import probing
from rollback.models import Baseline, Incident
from rollback.probes import pages, rows

REQUESTS = 15
LIMIT = (
    "SELECT set_config('statement_timeout', '60s', true), set_config('lock_timeout', '2s', true)"
)


class IncidentOpen(Exception):
    """What is measured now is not how it is while all is well. The message says which."""


def take() -> list[Baseline]:
    """Replace the baselines by what is measured now.

    :raises IncidentOpen:
    :raises ProbeFailed: a page of the original flow does not answer; nothing was replaced
    """
    is_open = Incident.objects.filter(resolved_at=None).order_by("pk").first()
    if is_open is not None:
        words = _("Incident %(incident)s is open. Take a baseline when it is resolved.")
        raise IncidentOpen(words % {"incident": is_open})
    times = _times()
    with transaction.atomic():
        _limit()
        kept = [_keep(rows.BASELINE, rows.measured())]
        kept += [_keep(pages.LATENCY + name, found) for name, found in times.items()]
        Baseline.objects.filter(_of_incidents()).delete()
    return kept


def _times() -> dict[str, dict[str, float]]:
    with probing(), transaction.atomic():
        _limit()
        try:
            return pages.measured(requests=REQUESTS)
        finally:
            transaction.set_rollback(True)


def _limit() -> None:
    with connection.cursor() as cursor:
        cursor.execute(LIMIT)


def _keep(name: str, facts: object) -> Baseline:
    kept, _made = Baseline.objects.update_or_create(
        name=name, defaults={"facts": facts, "measured_at": Now()}
    )
    kept.refresh_from_db()
    return kept


def _of_incidents() -> Q:
    return Q(name__startswith=f"{rows.BASELINE}:")


def remember_rows(*, incident: int) -> None:
    """Which rows there are, once: what came since the last baseline must not be lost either."""
    name = f"{rows.BASELINE}:{incident}"
    if Baseline.objects.filter(name=name).exists():
        return
    with transaction.atomic():
        _limit()
        Baseline.objects.bulk_create(
            [Baseline(name=name, facts=rows.measured())], ignore_conflicts=True
        )


def of_rows(*, incident: Incident | None) -> Callable[[], list[Baseline]]:
    """Asked in the probe: of the last quiet night, and of when the incident was first looked at."""
    names = [rows.BASELINE, *([f"{rows.BASELINE}:{incident.pk}"] if incident else [])]
    return lambda: list(Baseline.objects.filter(name__in=names).order_by("measured_at"))
