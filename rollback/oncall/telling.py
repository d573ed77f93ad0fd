"""What whoever is called reads, and what the channels get."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from enrollment.models import User
from enrollment.queries.people import language_of, zone_of
from rollback import outbox, runbooks
from rollback.audit import Actor
from rollback.domain.letters import LetterKey
from rollback.models import (
    Channel,
    Incident,
    IncidentEvent,
    Notification,
    OnCallShift,
    Page,
    Sending,
)
from rollback.oncall import acknowledging, roster
from rollback.outbox import Recipient, values

ON_CALL = Actor(name="on call", automatic=True)
TRIGGER, ACKNOWLEDGE, RESOLVE = "trigger", "acknowledge", "resolve"


def call(
    page: Page,
    people: Iterable[User],
    *,
    letter: LetterKey,
    escalates_at: datetime | None,
    nobody: bool,
) -> Sending:
    """nobody: none of them is on call; they are told because somebody has to be."""
    people = list(people)
    told = [
        Recipient(user=one, values=_letter(page, one, escalates_at=escalates_at, nobody=nobody))
        for one in people
    ]
    return outbox.tell(
        letter=letter,
        recipients=[*told, *_channels(page, TRIGGER, called=people)],
        actor=ON_CALL,
        incident=page.incident,
        urgency=Notification.Urgency.PAGE,
    )


def tell_channels(page: Page, event: str) -> None:
    """That somebody is at it, or that it is over."""
    if recipients := _channels(page, event, called=()):
        outbox.tell(
            letter=LetterKey.PAGE,
            recipients=recipients,
            actor=ON_CALL,
            incident=page.incident,
            urgency=Notification.Urgency.PAGE,
        )


def hand_over(shift: OnCallShift) -> None:
    user = shift.user
    with translation.override(language_of(user)):
        before = roster.before(shift)
        told = {
            "until": values.moment(shift.ends_at, zone=zone_of(user)),
            "console_link": values.absolute("admin:rollback_flag_room"),
            "previous": str(before or ""),
            "open": "\n".join(
                f"- {one.pk}: {one.title}"
                for one in Incident.objects.filter(resolved_at=None).order_by("severity", "pk")
            ),
        }
    outbox.tell(
        letter=LetterKey.HAND_OVER,
        recipients=[Recipient(user=user, values=told)],
        actor=ON_CALL,
        urgency=Notification.Urgency.STAFF,
    )


# ---------------------------------------------------------------- a mail's words


def _letter(
    page: Page, user: User, *, escalates_at: datetime | None, nobody: bool
) -> dict[str, str]:
    zone, token = zone_of(user), acknowledging.token_for(page=page.pk, user=user.pk)
    with translation.override(language_of(user)):
        told = {
            "acknowledge_link": values.absolute("oncall:acknowledge", token),
            "escalates": values.moment(escalates_at, zone=zone) if escalates_at else "",
            "since": values.moment(began_at(page), zone=zone),
            "console_link": values.absolute("admin:rollback_flag_room"),
        }
        if page.incident is not None:
            told |= _of_incident(page.incident)
            if nobody:
                told["title"] = _("%(title)s (nobody is on call: everybody is told)") % told
    return told


def _of_incident(incident: Incident) -> dict[str, str]:
    return {
        "incident": str(incident.pk),
        "title": incident.title,
        "feature": values.features_of(incident),
        "severity": str(incident.get_severity_display()),
        "console_link": values.absolute("admin:rollback_incident_change", incident.pk),
        "runbook_link": runbook_of(incident),
    }


def runbook_of(incident: Incident) -> str:
    """Of the first feature that it is about; else where all of them are listed."""
    opening = incident.events.filter(kind=IncidentEvent.Kind.OPENED).first()
    return runbooks.address_of(opening.payload["flags"] if opening else ())


def began_at(page: Page) -> datetime:
    return page.incident.opened_at if page.incident else page.opened_at


def title_of(page: Page) -> str:
    """In the language that is active."""
    if page.incident is not None:
        return page.incident.title
    if page.kind == Page.Kind.TEST:
        return _("Weekly test of the on-call pages")
    return _("The watch is silent: nobody judges how the school fares")


# ---------------------------------------------------------------- for programs


def _channels(page: Page, event: str, *, called: Iterable[User]) -> list[Recipient]:
    with translation.override(settings.LANGUAGE_CODE):
        facts = program_facts(page, event, called=called)
    return [
        Recipient(channel=channel, values=facts)
        for channel in Channel.objects.filter(is_active=True)
    ]


def program_facts(page: Page, event: str, *, called: Iterable[User]) -> Mapping[str, Any]:
    incident = page.incident
    return {
        "event": event,
        "page": page.pk,
        "key": f"{urlsplit(settings.SITE_URL).hostname}-page-{page.pk}",
        "kind": page.kind,
        "title": title_of(page),
        "severity": int(incident.severity) if incident else _severity(page),
        "incident": incident.pk if incident else None,
        "feature": values.features_of(incident) if incident else "",
        "since": began_at(page).isoformat(),
        "called": roster.names(called),
        "link": values.absolute("admin:rollback_incident_change", incident.pk)
        if incident
        else values.absolute("admin:rollback_flag_room"),
        "runbook": runbook_of(incident) if incident else "",
        "school": values.school(),
    }


def _severity(page: Page) -> int:
    is_test = page.kind == Page.Kind.TEST
    return Incident.Severity.FOUR if is_test else Incident.Severity.ONE
