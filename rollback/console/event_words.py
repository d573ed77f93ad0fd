"""An incident's timeline and figures in words."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback.console import words
from rollback.domain import decisions
from rollback.domain.letters import BY_KEY
from rollback.domain.oncall import EVERYBODY
from rollback.models import FlagChange, Incident, IncidentEvent, PhaseRun, Plan, PublicUpdate

# Told by other lines, or only for machines.
UNTOLD = frozenset(
    {
        "before", "turned_away", "changes", "flags", "recommendation", "field", "words", "severity",
        "phases", "counts", "text", "reason", "resolution", "root_cause", "lessons", "actions",
        "trigger", "first_bad_at", "is_not_the_feature", "people", "through", "standby",
    }
)  # fmt: skip


def details(event: IncidentEvent, changes: Mapping[int, FlagChange]) -> list[str]:
    """What is to be known of it, each in a sentence of its own; what people said is not among it."""
    payload: Mapping[str, Any] = event.payload
    if event.kind in TOLD:
        return TOLD[event.kind](payload)
    named = [changes[pk] for pk in payload.get("changes", ()) if pk in changes]
    found = [f"{words.title(one.flag_name)}: {words.difference(one)}" for one in named]
    if not named and payload.get("flags"):
        found.append(", ".join(words.title(flag) for flag in payload["flags"]))
    if payload.get("trigger"):
        found.append(_("Trigger: %s") % payload["trigger"])
    if payload.get("is_not_the_feature"):
        found.append(_("Not caused by the feature: without it, it was just as bad."))
    if "counts" in payload:
        found.append(_people(payload["counts"].get("all", 0)))
        found += [f"{name}: {number}" for name, number in reasons(payload["counts"])]
    advice = payload.get("recommendation") or {}
    found += [_("Recommended: %s") % _(told) for told in [advice.get("words")] if told]
    if payload.get("field") in decisions.BY_KEY:
        found.append(in_words(decisions.BY_KEY[payload["field"]]))
    elif payload.get("words"):
        found.append(str(payload["words"]))
    return found + _others(payload)


def _mailed(payload: Mapping[str, Any]) -> list[str]:
    """What became of a sending, and for how many."""
    what, counts = payload.get("what"), payload.get("counts") or {}
    letter = BY_KEY[payload["letter"]].title if payload.get("letter") in BY_KEY else ""
    told = {"letter": _(letter) if letter else payload.get("letter", "")}
    number = payload.get("number", 1)
    update = _("update %s") % number if number > 1 else ""
    people = payload["people"] if "people" in payload else counts.get("sent", 0)
    words = {
        "prepared": _("prepared, held back until it is released"),
        "released": _("released"),
        "paused": _("paused"),
        "resumed": _("resumed"),
        "stopped": _("stopped"),
        "again": _("tried again"),
        "done": _("all of it has gone out"),
    }
    parts = [_("“%(letter)s”") % told, update, words.get(str(what), str(what)), _people(people)]
    return [", ".join(part for part in parts if part), *_went_wrong(counts)]


def _went_wrong(counts: Mapping[str, int]) -> list[str]:
    words = {
        "not needed": _("%s not needed any more"),
        "dead": _("%s given up"),
        "stopped": _("%s stopped"),
        "bounced": _("%s came back"),
    }
    return [text % counts[key] for key, text in words.items() if counts.get(key)]


def _paged(payload: Mapping[str, Any]) -> list[str]:
    """Whom, is to be read at the page: a name may have to be forgotten."""
    if payload.get("level") != EVERYBODY:
        return [_("Called as number %(level)s.") % {"level": payload.get("level")}]
    people = _people(payload.get("people") or 0)
    return [_("Everybody was called who may switch features off: %s.") % people]


def _published(payload: Mapping[str, Any]) -> list[str]:
    state = str(payload.get("state", ""))
    return [_("The public reads: %s") % dict(PublicUpdate.State.choices).get(state, state)]


# What has sentences of its own.
TOLD: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    IncidentEvent.Kind.MAILED: _mailed,
    IncidentEvent.Kind.PAGED: _paged,
    IncidentEvent.Kind.PUBLISHED: _published,
}


def _others(payload: Mapping[str, Any]) -> list[str]:
    """Facts that no sentence is known for: better told plainly than left out."""
    known = _labels()
    return [
        f"{known.get(name) or name.replace('_', ' ')}: {_value(name, value)}"
        for name, value in payload.items()
        if name not in UNTOLD and isinstance(value, str | int | float) and value != ""
    ]


def _labels() -> Mapping[str, str]:
    """Of what the engine writes beside its sentences."""
    return {
        "judgment": _("judgment"),
        "version": _("version"),
        "processes": _("processes"),
        "silent": _("silent processes"),
        "slowest_ms": _("slowest, in ms"),
        "verification": _("verification"),
        "recovery_seconds": _("seconds to recover"),
        "plan": _("plan"),
        "step": _("step"),
        "percent": _("share in %"),
        "direction": _("direction"),
        "what": _("what"),
        "mode": _("mode"),
        "note": _("note"),
        "kind": _("kind"),
        "run": _("phase run"),
        "target": _("phase"),
        "seconds": _("seconds"),
        "tries": _("tries"),
        "passed": _("passed"),
        "error": _("not as it should be"),
        "backup": _("backup"),
    }


def _value(name: str, value: Any) -> Any:
    """Words of ours in the reader's language; whatever else stands there as it stands."""
    words_of: Mapping[str, Mapping[Any, Any]] = {
        "direction": dict(Plan.Direction.choices),
        "target": dict(PhaseRun.Target.choices),
        "mode": dict(Plan.Mode.choices),
        "kind": dict(Incident.Kind.choices),
        "what": {
            "started": _("started"),
            "running": _("running"),
            "told": _("told"),
            "paused": _("paused"),
            "done": _("done"),
            "aborted": _("aborted"),
            "asked": _("asked for"),
            "approved": _("approved"),
            "cancelled": _("cancelled"),
            "reopened": _("tried again"),
            "waits for approval": _("waits for approval"),
            "failed": _("failed"),
            "pages": _("pages off"),
            "gone": _("off in every process, and whoever was in the middle has finished"),
            "logic": _("API and tasks off"),
            "quiet": _("nothing of the features under way"),
            "backup": _("a proved backup"),
            "digests": _("rows counted and digested"),
            "tables": _("tables into the archive"),
            "proof": _("proof"),
            "home": _("tables back from the archive"),
            "keys": _("foreign keys checked"),
            "verification": _("verification"),
        },
    }
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return words_of.get(name, {}).get(value, value)


def said(event: IncidentEvent) -> str:
    told = [
        str(event.payload[key])
        for key in ("text", "reason", "resolution", "root_cause", "lessons")
        if event.payload.get(key)
    ]
    return "\n".join(told)


def in_words(field: decisions.Recommendation) -> str:
    taken = ", ".join(map(str, field.phases)) or _("none")
    facts = {"words": _(field.words), "severity": field.severity, "phases": taken}
    return _("%(words)s Severity %(severity)s; phases: %(phases)s.") % facts


def _people(number: int) -> str:
    return ngettext("%(number)d person", "%(number)d people", number) % {"number": number}


def reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(text, counts[key]) for key, text in reason_choices() if key in counts]


def reason_choices() -> list[tuple[str, str]]:
    return [
        ("exposed", _("had the feature")),
        ("draft", _("in the middle of enrolling")),
        ("lesson", _("with lessons to come")),
        ("teacher", _("teaching those lessons")),
    ]


def impact(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is not known is not there."""
    known = {
        "minutes": _("minutes it lasted"),
        "minutes_off": _("minutes switched off"),
        "drafts_saved": _("unfinished enrollments saved meanwhile"),
        "drafts_moved": _("of them moved to the original form"),
        "enrolled_original": _("enrolled through the original form meanwhile"),
        "turned_away": _("requests led to the fallback"),
        "complaints": _("people who complained"),
        "mails": _("mails to those concerned"),
    }
    return [(text, f"{figures[key]:g}") for key, text in known.items() if key in figures]


def span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        rest = {"minutes": minutes, "seconds": seconds % 60}
        return _("%(minutes)d min %(seconds)d s") % rest if seconds % 60 else _("%d min") % minutes
    return _("%d s") % seconds
