"""The decision matrix on the console: what is recommended for each open incident, and what was decided."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from rollback.console import story
from rollback.console.readings import Readings
from rollback.domain import decisions
from rollback.models import Incident, IncidentEvent


def matrix(found: Readings) -> dict[str, Any] | None:
    """None where nothing is open, or that cannot be read. From what was read already: no query."""
    if not found.incidents:
        return None
    recommended, decided, sentences = _marked(found)
    return {
        "harms": [_(words) for words in decisions.HARM_WORDS.values()],
        "rows": [
            {
                "reach": row.reach,
                "cells": [
                    _cell(field, words, recommended, decided) for _harm, words, field in row.fields
                ],
            }
            for row in story.matrix()
        ],
        "sentences": sentences,
        "incidents": [
            {
                "number": incident.pk,
                "url": reverse("admin:rollback_incident_decide", args=[incident.pk]),
            }
            for incident in found.incidents
        ],
    }


Marks = dict[str, list[int]]


def _marked(found: Readings) -> tuple[Marks, Marks, list[str]]:
    """Field → the incidents it is recommended for, and decided; and what is recommended in words alone."""
    recommended: Marks = {}
    decided: Marks = {}
    sentences = []
    for incident in found.incidents or ():
        field, words = _advice(incident, found)
        if field is not None:
            recommended.setdefault(field.key, []).append(incident.pk)
        elif words:
            told = {"number": incident.pk, "words": words}
            sentences.append(_("Incident %(number)s, recommended: %(words)s") % told)
        chosen = _told(incident, IncidentEvent.Kind.DECIDED).get("field")
        if chosen in decisions.BY_KEY:
            decided.setdefault(str(chosen), []).append(incident.pk)
    return recommended, decided, sentences


def _advice(incident: Incident, found: Readings) -> tuple[decisions.Recommendation | None, str]:
    """People as they were last counted. Of how many is unknown: then nothing is said."""
    counts = incident.impact.get("people", {}) if found.on else {}
    users = found.on[0] if found.on else 0
    return story.advice(_told(incident, IncidentEvent.Kind.OPENED), counts, users=lambda: users)


def _told(incident: Incident, kind: str) -> Mapping[str, Any]:
    events: list[IncidentEvent] = getattr(incident, "told", [])
    return next((event.payload for event in reversed(events) if event.kind == kind), {})


def _cell(
    field: decisions.Recommendation, words: str, recommended: Marks, decided: Marks
) -> dict[str, Any]:
    marks = [
        _("Decided: incident %s") % number
        if number not in recommended.get(field.key, ())
        else _("Decided, as recommended: incident %s") % number
        for number in decided.get(field.key, ())
    ]
    marks += [
        _("Recommended: incident %s") % number
        for number in recommended.get(field.key, ())
        if number not in decided.get(field.key, ())
    ]
    return {
        "words": words,
        "phases": field.phases,
        "marks": marks,
        "is_decided": field.key in decided,
    }
