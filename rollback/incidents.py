"""Incidents and their latches: opened, resolved, and what happened to the flags meanwhile."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback import audit
from rollback.audit import Actor, ChangeRefused
from rollback.models import FlagChange, Incident, IncidentEvent, Latch

RESOLVE_AT = "manage.py rollback incident resolve"


def open_with_latches(
    *, title: str, flags: Iterable[str], actor: Actor, cause: str, kind: str = Incident.Kind.OTHER
) -> Incident:
    """Called in the transaction that switches off; from its end on nothing raises the flags."""
    incident = Incident.objects.create(
        title=title[:200],
        kind=kind,
        cause=cause,
        opened_by_id=_known(actor),
        opened_by_name=actor.name[:150],
    )
    for flag in flags:
        Latch.objects.create(incident=incident, flag_name=flag)
    return incident


def record(*, incident: int, kind: str, actor: Actor, **facts: Any) -> IncidentEvent:
    """Adds a line to the timeline, in the transaction that made it true.

    facts: what JSON holds, and nobody's name: ids.
    """
    return IncidentEvent.objects.create(
        incident_id=incident,
        kind=kind,
        actor_id=_known(actor),
        actor_name=actor.name[:150],
        payload=facts,
    )


def _known(actor: Actor) -> int | None:
    """As in the audit: taken now, or COMMIT would wait for whoever is deleting that person."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM enrollment_user WHERE id = %s FOR KEY SHARE SKIP LOCKED",
            [getattr(actor.user, "pk", None)],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def resolve(*, incident: int, actor: Actor, reason: str) -> Incident:
    """From then on a person may raise the flags again; nothing comes back by itself.

    :raises ChangeRefused: no such incident, resolved already, no reason, or no person
    """
    if actor.automatic:
        raise ChangeRefused("Resolving an incident needs a person.")
    with audit.told(actor=actor, reason=reason):
        found = _locked(incident)
        if not found.is_open:
            words = _("Incident %(number)s is resolved already, by %(name)s.")
            raise ChangeRefused(words % {"number": incident, "name": found.resolved_by_name})
        Incident.objects.filter(pk=incident).update(
            resolved_at=Now(),
            resolved_by=actor.user,
            resolved_by_name=actor.name[:150],
            resolution=reason.strip(),
        )
        found.refresh_from_db()
    return found


def _locked(incident: int) -> Incident:
    found = Incident.objects.select_for_update().filter(pk=incident).first()
    if found is None:
        raise ChangeRefused(
            f"There is no incident {incident}. See manage.py rollback incident list."
        )
    return found


def latches() -> dict[str, Incident]:
    """Flag name → the oldest unresolved incident that holds it. One query."""
    held = Latch.objects.filter(incident__resolved_at=None).select_related("incident")
    return {latch.flag_name: latch.incident for latch in held.order_by("-incident_id")}


def holding(flags: Iterable[str]) -> tuple[int, str] | None:
    """Number and kind of the newest unresolved incident that holds one of them. One query."""
    held = Latch.objects.filter(flag_name__in=list(flags), incident__resolved_at=None)
    return held.order_by("-incident_id").values_list("incident_id", "incident__kind").first()


def timeline(incident: Incident) -> QuerySet[FlagChange]:
    """The changes of its flags while it lasted, oldest first."""
    changes = FlagChange.objects.filter(
        flag_name__in=incident.latches.values("flag_name"), changed_at__gte=incident.opened_at
    )
    if incident.resolved_at is not None:
        changes = changes.filter(changed_at__lte=incident.resolved_at)
    return changes.order_by("changed_at", "pk")
