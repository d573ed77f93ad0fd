"""Incidents and their latches: opened, decided, resolved, and every step in a timeline that stays.

A line of the timeline is written in the transaction that makes it true, so that it cannot disagree.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from enrollment.models import User
from rollback import audit
from rollback.audit import Actor, ChangeRefused, actor_of
from rollback.domain import decisions
from rollback.domain.decisions import Recommendation
from rollback.models import FlagChange, Incident, IncidentAction, IncidentEvent, Latch, Page

RESOLVE_AT = "manage.py rollback incident resolve"
Kind = IncidentEvent.Kind


def open_with_latches(
    *,
    title: str,
    flags: Iterable[str],
    actor: Actor,
    cause: str,
    kind: str = Incident.Kind.OTHER,
    severity: int = Incident.Severity.TWO,
    trigger: str = "",
    first_bad_at: datetime | None = None,
    is_not_the_feature: bool = False,
) -> Incident:
    """Called in the transaction that switches off; from its end on nothing raises the flags."""
    names = list(flags)
    incident = _create(
        flags=names,
        actor=actor,
        title=title,
        kind=kind,
        severity=severity,
        trigger_name=trigger,
        cause=cause,
        first_bad_at=first_bad_at,
        is_not_the_feature=is_not_the_feature,
    )
    _latch(incident, names)
    return incident


def open_case(
    *,
    title: str,
    trigger: str = "",
    severity: int = Incident.Severity.FOUR,
    flags: Iterable[str],
    actor: Actor,
    cause: str,
    first_bad_at: datetime | None = None,
    recommendation: Recommendation | str | None = None,
    kind: str = Incident.Kind.CASE,
) -> Incident | None:
    """Put before a person; nothing is taken away. flags: what it is about.

    recommendation: the field of the matrix that speaks, or words.

    :returns: None while an incident that this trigger opened is not resolved
    :raises ChangeRefused: without a title
    """
    if not title.strip():
        raise ChangeRefused(_("An incident needs a title."))
    with transaction.atomic():
        if trigger and _is_open_by(trigger):
            return None
        return _create(
            flags=list(flags),
            actor=actor,
            recommendation=recommendation,
            title=title.strip(),
            kind=kind,
            severity=severity,
            trigger_name=trigger,
            cause=cause.strip(),
            first_bad_at=first_bad_at,
        )


def _is_open_by(trigger: str) -> bool:
    """Two that ask at once come one after the other, until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('incident by ' || %s, 0))", [trigger]
        )
    return Incident.objects.filter(trigger_name=trigger, resolved_at=None).exists()


def _create(
    *,
    flags: list[str],
    actor: Actor,
    recommendation: Recommendation | str | None = None,
    **fields: Any,
) -> Incident:
    incident = Incident.objects.create(
        **fields | {"title": fields["title"][:200]},
        opened_by_id=_known(actor),
        opened_by_name=actor.name[:150],
    )
    first_bad_at = incident.first_bad_at
    record(
        incident=incident.pk,
        kind=Kind.OPENED,
        actor=actor,
        flags=flags,
        severity=int(incident.severity),
        trigger=incident.trigger_name,
        first_bad_at=first_bad_at.isoformat() if first_bad_at else None,
        is_not_the_feature=incident.is_not_the_feature,
        recommendation=_as_facts(recommendation),
        # Who had them is worked out later, by what they were now: a kill waits for no counting.
        before=facts_of_flags(),
        turned_away=_turned_away(),
    )
    return incident


def _as_facts(recommendation: Recommendation | str | None) -> dict[str, Any]:
    if recommendation is None:
        return {}
    if isinstance(recommendation, str):
        return {"words": recommendation}
    return {
        "field": recommendation.key,
        "words": recommendation.words,
        "severity": recommendation.severity,
        "phases": list(recommendation.phases),
    }


def facts_of_flags() -> dict[str, Any]:
    """Every flag as the audit would describe it now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, rollback_facts(name)::text FROM rollback_flag")
        return {name: json.loads(facts) for name, facts in cursor.fetchall()}


def _turned_away() -> dict[str, Any]:
    """How many the doors had turned away before, by feature, on the day (UTC) it began."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT today::text, (SELECT coalesce(jsonb_object_agg(feature, turned_away), '{}')::text
                                   FROM (SELECT feature, sum(turned_away) AS turned_away
                                           FROM rollback_doorcount WHERE on_date = today
                                          GROUP BY feature) AS doors)
              FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS clock
            """
        )
        day, before = cursor.fetchone()
    return {"day": day, "before": json.loads(before)}


def latch(*, incident: int, flags: Iterable[str]) -> Incident:
    """Further flags for one that is open, in the transaction that switches off. :raises ChangeRefused:"""
    found, names = _open(incident), set(flags)
    # What is new has to be off everywhere and verified too; that the rest was stays in the timeline.
    if names - set(found.latches.values_list("flag_name", flat=True)):
        found.contained_at = found.verified_at = None
        found.save(update_fields=["contained_at", "verified_at"])
    _latch(found, names)
    return found


def _latch(incident: Incident, flags: Iterable[str]) -> None:
    Latch.objects.bulk_create(
        [Latch(incident=incident, flag_name=flag) for flag in flags], ignore_conflicts=True
    )


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
    if actor.user is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM enrollment_user WHERE id = %s FOR KEY SHARE SKIP LOCKED",
            [actor.user.pk],
        )
        row = cursor.fetchone()
    return row[0] if row else None


@transaction.atomic
def acknowledge(*, incident: int, actor: Actor) -> Incident:
    """Somebody is at it. The first one stays.

    :raises ChangeRefused: also by a machine, or when somebody has already
    """
    _check_person(actor)
    found = _open(incident)
    if found.acknowledged_at is not None:
        words = _("Incident %(number)s is acknowledged already.")
        raise ChangeRefused(words % {"number": incident})
    _acknowledge(found, actor)
    return found


def _acknowledge(found: Incident, actor: Actor) -> None:
    event = record(incident=found.pk, kind=Kind.ACKNOWLEDGED, actor=actor)
    event.refresh_from_db(fields=["at"])
    found.acknowledged_at, found.acknowledged_by_id = event.at, event.actor_id
    found.save(update_fields=["acknowledged_at", "acknowledged_by"])
    # Nobody else is called.
    Page.objects.filter(incident=found, acknowledged_at=None).update(
        acknowledged_at=event.at,
        acknowledged_by_id=event.actor_id,
        acknowledged_by_name=actor.name[:150],
        escalates_at=None,
    )


@transaction.atomic
def note(*, incident: int, actor: Actor, text: str) -> IncidentEvent:
    """What somebody saw or did. At any time, after it was resolved as well.

    :raises ChangeRefused: also without words
    """
    if not text.strip():
        raise ChangeRefused(_("A note needs words."))
    return record(incident=_locked(incident).pk, kind=Kind.NOTE, actor=actor, text=text.strip())


@transaction.atomic
def decide(*, incident: int, actor: Actor, field: str, reason: str) -> Recommendation:
    """Which field of the matrix a person has chosen, whatever was recommended. It is theirs from then
    on, of that field's severity; the decision itself takes nothing away.

    :raises ChangeRefused:
    """
    _check_person(actor)
    chosen = decisions.BY_KEY.get(field)
    if chosen is None:
        fields = ", ".join(decisions.BY_KEY)
        raise ChangeRefused(_("There is no such field of the matrix: %s.") % f"{field} ({fields})")
    if not reason.strip():
        raise ChangeRefused(_("A decision needs a reason."))
    found = _open(incident)
    if found.acknowledged_at is None:
        _acknowledge(found, actor)
    record(
        incident=incident,
        kind=Kind.DECIDED,
        actor=actor,
        **_as_facts(chosen),
        before=int(found.severity),
        reason=reason.strip(),
    )
    Incident.objects.filter(pk=incident).update(severity=chosen.severity)
    return chosen


def resolve(*, incident: int, actor: Actor, reason: str) -> Incident:
    """From then on a person may raise the flags again; nothing comes back by itself.

    :raises ChangeRefused: no such incident, resolved already, no reason, or no person
    """
    if actor.automatic:
        raise ChangeRefused(_("Resolving an incident needs a person."))
    with audit.told(actor=actor, reason=reason):
        found = _open(incident)
        Incident.objects.filter(pk=incident).update(
            resolved_at=Now(),
            resolved_by=actor.user,
            resolved_by_name=actor.name[:150],
            resolution=reason.strip(),
        )
        record(incident=incident, kind=Kind.RESOLVED, actor=actor, resolution=reason.strip())
        Page.objects.filter(incident=incident).update(closed_at=Now(), escalates_at=None)
        found.refresh_from_db()
    return found


@transaction.atomic
def review(
    *,
    incident: int,
    actor: Actor,
    root_cause: str,
    lessons: str,
    actions: Sequence[tuple[str, User | None, date | None]] = (),
) -> Incident:
    """The post-mortem's three fields that no machine can fill. Again at any time: what stood before
    stays in the timeline. actions: what, by whom, until when; those that are written already stay.

    :raises ChangeRefused: before it is resolved, without a root cause or lessons, or by a machine
    """
    _check_person(actor)
    found = _locked(incident)
    if found.is_open:
        words = _("Incident %(number)s is open: it is reviewed when it is resolved.")
        raise ChangeRefused(words % {"number": incident})
    if not (root_cause.strip() and lessons.strip()):
        raise ChangeRefused(_("A review needs a root cause and what was learned."))
    new = [
        IncidentAction(
            incident=found,
            text=text.strip()[:300],
            who=who,
            who_name=actor_of(who).name[:150] if who else "",
            due_on=due,
        )
        for text, who, due in actions
    ]
    IncidentAction.objects.bulk_create(new)
    record(
        incident=incident,
        kind=Kind.REVIEWED,
        actor=actor,
        root_cause=root_cause.strip(),
        lessons=lessons.strip(),
        actions=[action.pk for action in new],
    )
    Incident.objects.filter(pk=incident).update(
        root_cause=root_cause.strip(), lessons=lessons.strip(), reviewed_at=Now()
    )
    found.refresh_from_db()
    return found


def _check_person(actor: Actor) -> None:
    if actor.automatic:
        raise ChangeRefused(_("This needs a person."))


def _open(incident: int) -> Incident:
    found = _locked(incident)
    if not found.is_open:
        words = _("Incident %(number)s is resolved already, by %(name)s.")
        raise ChangeRefused(words % {"number": incident, "name": found.resolved_by_name})
    return found


def _locked(incident: int) -> Incident:
    # Not its key: so nobody waits for rows that name it and are not committed.
    found = Incident.objects.select_for_update(no_key=True).filter(pk=incident).first()
    if found is None:
        words = _("There is no incident %(number)s. See manage.py rollback incident list.")
        raise ChangeRefused(words % {"number": incident})
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


CHECK = """
    WITH counted AS (
        SELECT e.number, e.prev_hash, e.hash, rollback_event_hash(e) AS computed,
               row_number() OVER (ORDER BY e.number) AS expected,
               lag(e.hash, 1, '') OVER (ORDER BY e.number) AS before
          FROM rollback_incidentevent e WHERE e.incident_id = %s)
    SELECT min(number) FROM counted
     WHERE hash <> computed OR prev_hash <> before OR number <> expected
"""


def check_chain(incident: Incident) -> int | None:
    """:returns: the number of the first line that is not as it was written, or follows a gap.

    The end of a chain that was cut off is not seen from the chain itself: compare the last hash
    with that of an export.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHECK, [incident.pk])
        broken: int | None = cursor.fetchone()[0]
    return broken
