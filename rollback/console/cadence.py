"""When the public has to hear of an incident next, as the console and an incident's page count down to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from rollback.domain.public import Cadence, Due, PublicState
from rollback.models import Incident, Latch, OnCallPolicy, PublicUpdate
from rollback.public import updates
from rollback.public.updates import Words

# Whoever has not been told for a week that it is over will not hear it here.
KEPT = timedelta(days=7)
# What is needed of the last update, and of the policy.
SAID = ("state", "published_at", "next_at")
PATIENCE = ("first_update_minutes", "update_minutes")


@dataclass(frozen=True, kw_only=True)
class Word:
    """newest: of what was said last only what `SAID` names."""

    incident: Incident
    newest: PublicUpdate | None
    due: Due


def all_due(now: datetime) -> Sequence[Word]:
    """Of every incident of which the public has to hear again, what is due first first. One query."""
    found = Incident.objects.filter(Q(resolved_at=None) | Q(resolved_at__gt=now - KEPT))
    return _due(found)


def due_of(incident: Incident) -> Word | None:
    return next(iter(_due(Incident.objects.filter(pk=incident.pk))), None)


def _due(incidents: Any) -> Sequence[Word]:
    words = []
    for incident in incidents.annotate(**_facts()):
        said, cadence = _said(incident), _cadence(incident)
        due = updates.due(incident, newest=said, takes_away=incident.takes_away, cadence=cadence)
        if due is not None:
            words.append(Word(incident=incident, newest=said, due=due))
    return sorted(words, key=lambda word: (word.due.at, word.incident.pk))


def _facts() -> dict[str, Any]:
    """Beside the incident, so that the console asks once for all of it."""
    said = PublicUpdate.objects.filter(incident=OuterRef("pk")).order_by("-published_at", "-pk")
    policy = OnCallPolicy.objects.order_by("pk")
    return {
        "takes_away": Exists(Latch.objects.filter(incident=OuterRef("pk"))),
        **{f"said_{name}": Subquery(said.values(name)[:1]) for name in SAID},
        **{f"policy_{name}": Subquery(policy.values(name)[:1]) for name in PATIENCE},
    }


def _said(incident: Any) -> PublicUpdate | None:
    if incident.said_state is None:
        return None
    return PublicUpdate(**{name: getattr(incident, f"said_{name}") for name in SAID})


def _cadence(incident: Any) -> Cadence:
    told = {name: getattr(incident, f"policy_{name}") for name in PATIENCE}
    return updates.cadence_of(OnCallPolicy(**{k: v for k, v in told.items() if v is not None}))


def shown(
    word: Word, *, now: datetime, may_publish: bool, ahead: bool = False
) -> Mapping[str, Any]:
    """ahead: filled in before it is late, where nobody asks the server again.

    Whole minutes, so that what has not changed is the same for a minute; a script counts on."""
    is_late = word.due.is_late(now)
    return {
        "number": word.incident.pk,
        "title": word.incident.title,
        "url": reverse("admin:rollback_incident_change", args=[word.incident.pk]),
        "publish_url": reverse("admin:rollback_incident_publish", args=[word.incident.pk])
        if may_publish
        else "",
        "what": _what(word),
        "at": word.due.at,
        "clock": date_format(localtime(word.due.at), "H:i"),
        "left": _late(now - word.due.at) if is_late else _left(word.due.at - now),
        "is_late": is_late,
        "prefilled": _prefilled(word) if may_publish and (is_late or ahead) else None,
    }


def _what(word: Word) -> str:
    if word.due.is_first:
        return _("The public has not heard of it yet.")
    if word.due.is_last:
        return _("The public has not heard yet that it is over.")
    newest = word.newest
    said = {
        "state": newest.get_state_display() if newest else "–",
        "at": date_format(localtime(newest.published_at), "H:i") if newest else "–",
    }
    return _("Last word: %(state)s, %(at)s.") % said


def _left(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if not minutes:
        return _("in less than a minute")
    return ngettext("in %(count)d minute", "in %(count)d minutes", minutes) % {"count": minutes}


def _late(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if not minutes:
        return _("overdue")
    words = ngettext("overdue for %(count)d minute", "overdue for %(count)d minutes", minutes)
    return words % {"count": minutes}


def _prefilled(word: Word) -> Words | None:
    """What the page would begin with, in the reader's language."""
    state: PublicState = updates.proposed(word.incident, word.newest)
    language = get_language() or "en"
    return updates.prefilled(word.incident, state, languages=[language]).get(language)
