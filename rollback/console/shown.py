"""What was read, as the console's templates show it: rows of plain values, each in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback import exposure, runbooks
from rollback.console import cadence, words
from rollback.console.readings import NEWEST, Readings
from rollback.domain.advice import RECOVERY
from rollback.domain.incidents import IncidentState
from rollback.domain.plans import PlanState
from rollback.models import Flag, Incident, IncidentEvent, Plan, PlanStep


def clock(at: datetime) -> str:
    """Today's is a time, an older one has its date as well."""
    here = localtime(at)
    if here.date() == localtime().date():
        return date_format(here, "H:i:s")
    return date_format(here, "SHORT_DATETIME_FORMAT")


def share(percent: Decimal) -> str:
    return f"{percent.normalize():f}\N{NO-BREAK SPACE}%"


def minutes(span: timedelta) -> str:
    """In whole minutes, so that a page that has not changed is the same for a minute."""
    count = max(0, int(span.total_seconds() // 60))
    if count < 120:
        return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}
    hours = count // 60
    if hours < 48:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    return ngettext("%(count)d day", "%(count)d days", hours // 24) % {"count": hours // 24}


def titles(flags: Iterable[str]) -> str:
    return ", ".join(exposure.title(flag) for flag in flags)


# ---------------------------------------------------------------- features


def features(found: Readings) -> list[dict[str, Any]] | None:
    if found.flags is None:
        return None
    held = latches(found)
    users, on = found.on or (None, {})
    rows = []
    for flag in found.flags:
        key, word = exposure.state(flag)
        rows.append(
            {
                "pk": flag.pk,
                "name": flag.name,
                "title": exposure.title(flag.name),
                "key": key,
                "state": word,
                "share": share(flag.percent),
                "on": on.get(flag.name),
                "users": users,
                "incident": held.get(flag.name),
                "runbook": runbooks.url_of(flag.name),
                "is_killed": flag.is_killed,
                "is_archived": key == "archived",
                "can_raise": flag.name not in held
                and key != "archived"
                and (flag.is_killed or flag.percent < 100),
            }
        )
    return rows


def latches(found: Readings) -> dict[str, Incident]:
    """Flag name → the oldest open incident that holds it."""
    held: dict[str, Incident] = {}
    for incident in found.incidents or ():
        for latch in incident.latches.all():
            held.setdefault(latch.flag_name, incident)
    return held


def changed_at(found: Readings, flag: Flag) -> datetime | None:
    """When it became what it is; None: so long ago that it is not among the newest changes."""
    changes = found.events.changes if found.events else ()
    return next((one.changed_at for one in changes if one.flag_name == flag.name), None)


# ---------------------------------------------------------------- incidents


def incidents(found: Readings) -> list[dict[str, Any]] | None:
    if found.incidents is None:
        return None
    return [_incident(incident, found.now) for incident in found.incidents]


def _incident(incident: Incident, now: datetime) -> dict[str, Any]:
    flags = [latch.flag_name for latch in incident.latches.all()]
    began = incident.first_bad_at or incident.opened_at
    lasted = (incident.verified_at or now) - began
    return {
        "number": incident.pk,
        "title": incident.title,
        "severity": incident.get_severity_display(),
        "state": state_words(incident),
        "opened": clock(incident.opened_at),
        "opened_by": incident.opened_by_name,
        "features": titles(flags),
        "runbooks": [(exposure.title(flag), runbooks.url_of(flag)) for flag in flags],
        "acknowledged": _acknowledged(incident),
        "is_acknowledged": incident.acknowledged_at is not None,
        "is_not_the_feature": incident.is_not_the_feature,
        # A case took nothing away, so there is nothing to be recovered.
        "clock": _recovery(lasted, is_over=incident.verified_at is not None) if flags else None,
        "is_late": bool(flags) and lasted > RECOVERY,
        "spent": min(100, max(0, round(100 * (lasted / RECOVERY)))) if flags else None,
        "url": reverse("admin:rollback_incident_change", args=[incident.pk]),
    }


def public_words(found: Readings, *, may_publish: bool) -> list[Mapping[str, Any]]:
    return [
        cadence.shown(word, now=found.now, may_publish=may_publish) for word in found.words or ()
    ]


def state_words(incident: Incident) -> str:
    if getattr(incident, "passed", None) is False and incident.verified_at is None:
        return _("Verification failed")
    return {
        IncidentState.OPEN: _("Open: nobody has taken it on"),
        IncidentState.ACKNOWLEDGED: _("Somebody is on it"),
        IncidentState.CONTAINED: _("Off in every process, being verified"),
        IncidentState.VERIFIED: _("Verified: the school works"),
        IncidentState.RESOLVED: _("Resolved"),
        IncidentState.REVIEWED: _("Reviewed"),
    }[incident.state]


def _acknowledged(incident: Incident) -> str:
    if incident.acknowledged_at is None:
        return ""
    who = incident.acknowledged_by
    told = {"name": who.get_username() if who else "–", "at": clock(incident.acknowledged_at)}
    return _("%(name)s has it, since %(at)s.") % told


def _recovery(lasted: timedelta, *, is_over: bool) -> str:
    told = {"lasted": minutes(lasted), "limit": minutes(RECOVERY)}
    if is_over:
        return _("Recovered within %(lasted)s; the limit is %(limit)s.") % told
    if lasted > RECOVERY:
        return _("For %(lasted)s; the limit of %(limit)s is exceeded.") % told
    return _("For %(lasted)s; the limit is %(limit)s.") % told


# ---------------------------------------------------------------- plans


def plans(found: Readings) -> list[dict[str, Any]] | None:
    if found.plans is None:
        return None
    return [_plan(plan) for plan in found.plans]


def _plan(plan: Plan) -> dict[str, Any]:
    steps = list(plan.steps.all())
    done = [step for step in steps if step.done_at is not None]
    is_paused = plan.state == PlanState.PAUSED
    return {
        "number": plan.pk,
        "title": plan_title(plan),
        "mode": plan.get_mode_display(),
        "by": plan.actor_name,
        "reason": plan.reason,
        "note": plan.note,
        "is_paused": is_paused,
        "state": _("Paused") if is_paused else _("Running"),
        "progress": _("%(done)s of %(all)s steps done") % {"done": len(done), "all": len(steps)},
        "steps": [
            _step(step, steps[place - 1] if place else None, is_paused)
            for place, step in enumerate(steps)
        ],
    }


def plan_title(plan: Plan) -> str:
    is_down = plan.direction == Plan.Direction.DOWN
    words_of = _("Step back: %(features)s") if is_down else _("Bring back: %(features)s")
    return words_of % {"features": titles(plan.flags)}


def _step(step: PlanStep, before: PlanStep | None, is_paused: bool) -> dict[str, Any]:
    return {
        "share": share(step.percent),
        "is_done": step.done_at is not None,
        "is_next": step.done_at is None and (before is None or before.done_at is not None),
        "when": _when(step, before, is_paused),
        "people": len(step.people),
    }


def _when(step: PlanStep, before: PlanStep | None, is_paused: bool) -> str:
    if step.done_at is not None:
        return _("done at %(at)s") % {"at": clock(step.done_at)}
    if before is not None and before.done_at is None:
        wait = timedelta(seconds=before.dwell_seconds)
        return _("%(wait)s after the one before") % {"wait": minutes(wait)}
    if is_paused:
        return _("waits, for the plan is paused")
    if before is None or before.done_at is None:
        return _("now")
    due = before.done_at + timedelta(seconds=before.dwell_seconds)
    return _("due at %(at)s") % {"at": clock(due)}


# ---------------------------------------------------------------- timeline


def timeline(found: Readings, *, with_changes: bool = True) -> list[dict[str, Any]] | None:
    """The newest first: what changed, and what incidents have written."""
    if found.events is None:
        return None
    rows: list[dict[str, Any]] = [
        {
            "at": change.changed_at,
            "what": f"{words.title(change.flag_name)}: {words.difference(change)}",
            "who": words.who(change),
            "why": change.reason,
            "url": "",
        }
        for change in (found.events.changes[:NEWEST] if with_changes else ())
    ]
    rows += [_line(event) for event in found.events.lines]
    rows.sort(key=lambda row: row["at"], reverse=True)
    return [row | {"clock": clock(row["at"])} for row in rows[:NEWEST]]


def _line(event: IncidentEvent) -> dict[str, Any]:
    told = {"number": event.incident_id, "what": event.get_kind_display()}
    return {
        "at": event.at,
        "what": _("Incident %(number)s: %(what)s") % told,
        "who": event.actor_name,
        "why": "",
        "url": reverse("admin:rollback_incident_change", args=[event.incident_id]),
    }
