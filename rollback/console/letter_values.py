"""What a preview of a letter is filled with: samples, an incident's facts, or what one person would read."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone, translation
from django.utils.translation import gettext, ngettext

from enrollment.models import User
from enrollment.queries.people import zone_of
from rollback import briefing, words
from rollback.briefing import STATES
from rollback.domain.letters import Audience, Letter, LetterKey
from rollback.models import AffectedPerson, Incident, Notification, Sending
from rollback.outbox import values

TO_THE_MANAGEMENT = frozenset({LetterKey.BRIEFING, LetterKey.NEXT_STEPS})


@dataclass(frozen=True, kw_only=True)
class Filling:
    """samples: which of the values are none of the incident's."""

    values: Mapping[str, str]
    samples: tuple[str, ...]


def filling(
    letter: Letter, *, language: str, incident: Incident | None = None, person: User | None = None
) -> Filling:
    """person: one of those whom the incident concerns."""
    samples = words.samples_of(letter, language)
    with translation.override(language):
        real = {"school": values.school()}
        if incident is not None and person is not None:
            real |= _of_person(letter, incident, person, language)
        elif incident is not None:
            real |= _of_incident(letter, incident)
    known = {name: value for name, value in real.items() if name in samples}
    return Filling(
        values={**samples, **known}, samples=tuple(name for name in samples if name not in known)
    )


def _of_person(
    letter: Letter, incident: Incident, person: User, language: str
) -> Mapping[str, str]:
    """As the outbox would fill it in now; nothing of it is kept."""
    if letter.audience != Audience.PEOPLE:
        return _of_incident(letter, incident, zone=zone_of(person))
    sending = Sending(incident=incident, letter=letter.key)
    return values.of(Notification(sending=sending, user=person), language=language)


def _of_incident(letter: Letter, incident: Incident, *, zone: str = "") -> Mapping[str, str]:
    if letter.key in TO_THE_MANAGEMENT:
        page = briefing.page(briefing.gather(incident, now=timezone.now()))
        return {name: value for name, value in briefing.letter_values(page).items() if value}
    concerned = AffectedPerson.objects.filter(incident=incident).count()
    facts = {
        "incident": str(incident.pk),
        "title": incident.title,
        "feature": values.features_of(incident),
        "state": str(STATES[incident.state]),
        "severity": str(incident.severity or ""),
        "since": values.moment(
            incident.opened_at, zone=zone or timezone.get_default_timezone_name()
        ),
        "who": ngettext("%s person is concerned.", "%s people are concerned.", concerned)
        % concerned,
        "status_link": values.absolute("watch:status"),
        "console_link": values.absolute("admin:rollback_incident_change", incident.pk),
        "cause": incident.root_cause or gettext("not known yet"),
    }
    return {name: value for name, value in facts.items() if value}
