"""How the school is, in a sentence, and the one thing to do next."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from rollback import exposure
from rollback.backups import age
from rollback.console import engine, judging, measured, shown, waiting
from rollback.console.readings import Readings
from rollback.console.room_rights import May
from rollback.domain.advice import Advice, Breach, Case, Do, Feature, Live, Situation, advise
from rollback.domain.metrics import Verdict
from rollback.domain.plans import PlanState
from rollback.models import Flag, Incident, Plan, Trigger

# ---------------------------------------------------------------- what is known


def situation(found: Readings) -> Situation:
    return Situation(
        features=_features(found),
        cases=[
            Case(
                number=incident.pk,
                took=bool(incident.latches.all()),
                acknowledged=incident.acknowledged_at is not None,
                contained=incident.contained_at is not None,
                passed=getattr(incident, "passed", None),
                verified=incident.verified_at is not None,
            )
            for incident in found.incidents or ()
        ],
        breaches=[
            Breach(trigger=trigger.name, flags=_taken_by(trigger)) for trigger in breaching(found)
        ],
        plans=[
            Live(
                number=plan.pk,
                down=plan.direction == Plan.Direction.DOWN,
                paused=plan.state == PlanState.PAUSED,
                flags=plan.flags,
            )
            for plan in found.plans or ()
        ],
        unwatched=_unwatched(found),
        behind=len(found.processes.waiting) if found.processes else 0,
        letters=list(found.letters or ()),
    )


def _features(found: Readings) -> list[Feature] | None:
    if found.flags is None:
        return None
    held = shown.latches(found)
    return [
        Feature(
            flag=flag.name,
            share=float(flag.percent),
            killed=flag.is_killed,
            latched=flag.name in held,
            on=is_on(flag),
        )
        for flag in found.flags
    ]


def is_on(flag: Flag) -> bool:
    """For anybody; the master asked as well."""
    if flag.is_killed or not flag.percent:
        return False
    return flag.requires is None or is_on(flag.requires)


def breaching(found: Readings) -> list[Trigger]:
    watch = found.watch
    if watch is None:
        return []
    return [one for one in watch.triggers if measured.verdict_of(watch, one) == Verdict.BREACH]


def _taken_by(trigger: Trigger) -> Sequence[str]:
    acts = trigger.action in (Trigger.Action.KILL, Trigger.Action.PLAN) and not trigger.is_shadow
    return trigger.flags if acts else ()


def _unwatched(found: Readings) -> timedelta | None:
    beat = found.watch.beat if found.watch else None
    return None if beat is None else found.now - beat.beat_at


# ---------------------------------------------------------------- how it is


def headline(found: Readings) -> list[str]:
    """What is on, and what is wrong: one sentence each."""
    return [sentence for sentence in (_what_is_on(found), *_what_is_wrong(found)) if sentence]


def is_well(found: Readings) -> bool:
    """Nothing is off, nothing is wrong, and somebody looks whether it is so."""
    known = found.flags is not None and not found.unread and measured.is_watched(found)
    return (
        known
        and bool(judging.judged(found))
        and all(map(is_on, found.flags or ()))
        and not any((found.incidents, breaching(found), judging.at_fault(found), _backups(found)))
    )


def unwatched(found: Readings) -> str:
    """Empty while somebody watches."""
    if measured.is_watched(found):
        return ""
    if found.watch is None:
        return _("Whether anybody watches cannot be read now.")
    if found.watch.beat is None:
        return _("Nobody is watching: the triggers have never been evaluated.")
    since = shown.clock(found.watch.beat.beat_at)
    return _("Nobody is watching: the triggers were last evaluated at %(at)s.") % {"at": since}


def _what_is_on(found: Readings) -> str:
    if found.flags is None:
        return _("What is on cannot be read now.")
    if all(is_on(flag) and flag.percent == 100 for flag in found.flags):
        return _("Everything is on.")
    off = [flag for flag in found.flags if not is_on(flag)]
    parts = [_for_some(flag) for flag in found.flags if is_on(flag) and flag.percent < 100]
    if len(off) == len(found.flags):
        return _off(_("Everything"), off, found)
    by_themselves = [flag for flag in off if flag.requires is None or is_on(flag.requires)]
    return " ".join([*(_off(exposure.title(f.name), [f], found) for f in by_themselves), *parts])


def _off(what: str, flags: Sequence[Flag], found: Readings) -> str:
    held = shown.latches(found)
    incident = next((held[flag.name] for flag in flags if flag.name in held), None)
    times = [at for flag in flags if (at := shown.changed_at(found, flag)) is not None]
    told = {"what": what, "since": shown.clock(max(times)) if times else ""}
    words = (
        _("%(what)s is off for everybody since %(since)s")
        if times
        else _("%(what)s is off for everybody")
    )
    if incident is None:
        return f"{words % told}."
    return f"{words % told}: {_named(incident)}."


def _for_some(flag: Flag) -> str:
    told = {"what": exposure.title(flag.name), "share": shown.share(flag.percent)}
    return _("%(what)s is on for %(share)s of the users.") % told


def _what_is_wrong(found: Readings) -> list[str]:
    """Never better than it is known to be."""
    said = [_cases(found), _out_of_bounds(found), _backups(found)]
    if any(said) or found.incidents:
        return [*said, judging.not_judged(found), judging.switched_off(found)]
    if found.unread or not measured.is_watched(found):
        return [_("Whether anything is wrong is not known."), judging.switched_off(found)]
    return [judging.nothing(found), judging.not_judged(found), judging.switched_off(found)]


def _cases(found: Readings) -> str:
    """Those that the sentence before has not named already."""
    if found.incidents is None:
        return _("Whether an incident is open cannot be read now.")
    off = {flag.name for flag in found.flags or () if not is_on(flag)}
    named = {incident.pk for flag, incident in shown.latches(found).items() if flag in off}
    left = [_named(incident) for incident in found.incidents if incident.pk not in named]
    return _("Open: %(incidents)s.") % {"incidents": "; ".join(left)} if left else ""


def _named(incident: Incident) -> str:
    """Without its title for whoever may not read it (room_rights)."""
    told = {"number": incident.pk, "title": incident.title}
    words = _("incident %(number)s, “%(title)s”") if incident.title else _("incident %(number)s")
    return words % told


def _out_of_bounds(found: Readings) -> str:
    titles = [trigger.title for trigger in breaching(found)]
    if not titles or not measured.is_watched(found):
        return ""
    return _("Out of bounds: %(titles)s.") % {"titles": "; ".join(titles)}


def _backups(found: Readings) -> str:
    return age.sentence(found.backups) if found.backups else ""


# ---------------------------------------------------------------- what to do


def next_action(found: Readings, *, may: May) -> dict[str, Any]:
    """words; whom it concerns; and a button (`label` with `url`, or `post` with what is asked there)."""
    advice = advise(situation(found))
    action = WORDS[advice.do](advice, found)
    if advice.do is Do.ACKNOWLEDGE and not may.acknowledge:
        action |= {"post": ""}
    if advice.do in ON_ITS_PAGE and not may.see_incidents:
        action |= {"url": ""}
    if advice.do is Do.BRING_BACK and not may.give:
        action |= {"url": "", "blast": _("Raising is for administrators: ask one.")}
    return {"blast": _("Changes nothing for anybody."), "key": advice.do.name.lower()} | action


def _look_elsewhere(advice: Advice, found: Readings) -> dict[str, Any]:
    return {
        "words": _(
            "The flags cannot be read. If the database is in trouble, every process has switched "
            "off by itself; look from a terminal: manage.py rollback status."
        ),
    }


def _take_back(advice: Advice, found: Readings) -> dict[str, Any]:
    first = next(flag for flag in found.flags or () if flag.name in advice.flags)
    title = exposure.title(first.name)
    told = {"title": title, "trigger": _title(found, advice.trigger)}
    return {
        "words": _("Take %(title)s back: %(trigger)s.") % told,
        "label": _("Take %(title)s back …") % told,
        "url": reverse("admin:rollback_flag_kill", args=[first.pk]) + "?latch=on",
        "blast": engine.kept_blast_words(flags=advice.flags, percent=Decimal(0), now=found.now),
        "danger": True,
    }


def _title(found: Readings, name: str) -> str:
    triggers = found.watch.triggers if found.watch else ()
    return next((trigger.title for trigger in triggers if trigger.name == name), name)


def _end_processes(advice: Advice, found: Readings) -> dict[str, Any]:
    count = len(found.processes.waiting) if found.processes else 0
    words = ngettext(
        "%(count)d process still runs older flags: end it or start it again.",
        "%(count)d processes still run older flags: end them or start them again.",
        count,
    )
    return {
        "words": words % {"count": count},
        "label": _("Which ones"),
        "url": "#room-processes",
        "blast": _("Whoever is served by them meets the original pages afterwards."),
    }


def _acknowledge(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"number": advice.incident}
    return {
        "words": _("Take incident %(number)s on, so that the others know that you are there.")
        % told,
        "label": _("I am on it: incident %(number)s") % told,
        "post": reverse("admin:rollback_flag_acknowledge", args=[advice.incident]),
    }


def _start_the_watch(advice: Advice, found: Readings) -> dict[str, Any]:
    return {
        "words": _(
            "Start the worker and the beat again. Until then no feature is taken back by itself: "
            "look at the numbers here, and if in doubt take everything back."
        ),
        "label": _("Which processes live"),
        "url": "#room-processes",
    }


def _go_on(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"number": advice.plan, "title": _plan_title(advice, found)}
    return {
        "words": _("Plan %(number)s is paused (%(title)s): let it go on, or finish it at once.")
        % told,
        "label": _("Resume plan %(number)s …") % told,
        "url": reverse("admin:rollback_flag_plan", args=[advice.plan, "resume"]),
        "blast": _next_step(advice, found),
    }


def _plan_title(advice: Advice, found: Readings) -> str:
    return next((shown.plan_title(one) for one in found.plans or () if one.pk == advice.plan), "")


def _next_step(advice: Advice, found: Readings) -> str:
    plan = next((one for one in found.plans or () if one.pk == advice.plan), None)
    steps = [] if plan is None else [one for one in plan.steps.all() if one.done_at is None]
    if not steps:
        return _("No step is left.")
    is_up = plan is not None and plan.direction == Plan.Direction.UP
    return engine.kept_blast_words(
        flags=advice.flags, percent=steps[0].percent, now=found.now, up=is_up
    )


def _incident(words: str, label: str) -> Callable[[Advice, Readings], dict[str, Any]]:
    """Where the next thing is done on the incident's page."""

    def action(advice: Advice, found: Readings) -> dict[str, Any]:
        told = {"number": advice.incident}
        url = reverse("admin:rollback_incident_change", args=[advice.incident])
        return {"words": _(words) % told, "label": _(label) % told, "url": url}

    return action


def _resolve(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"number": advice.incident}
    return {
        "words": _(
            "The school works. Incident %(number)s can be resolved once it is known what was wrong."
        )
        % told,
        "label": _("Resolve incident %(number)s …") % told,
        "url": reverse("admin:rollback_incident_resolve", args=[advice.incident]),
    }


def _wait_for_plan(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"number": advice.plan, "title": _plan_title(advice, found)}
    return {
        "words": _("Nothing: plan %(number)s goes on by itself (%(title)s).") % told,
        "label": _("Look at the plan"),
        "url": "#room-plans",
        "blast": _next_step(advice, found),
    }


def _look(advice: Advice, found: Readings) -> dict[str, Any]:
    return {
        "words": _("Look at what is out of bounds: %(trigger)s.")
        % {"trigger": _title(found, advice.trigger)},
        "label": _("Look at the numbers"),
        "url": "#room-measures",
    }


def _bring_back(advice: Advice, found: Readings) -> dict[str, Any]:
    told = {"titles": shown.titles(advice.flags)}
    asked = urlencode({"direction": "up", "flags": advice.flags}, doseq=True)
    return {
        "words": _(
            "No incident holds %(titles)s any more. Bring it back in small steps when you are ready."
        )
        % told,
        "label": _("Plan the way back …"),
        "url": f"{reverse('admin:rollback_flag_start_plan')}?{asked}",
        "blast": _("How many get it is shown before anything changes."),
    }


def _nothing_to_do(advice: Advice, found: Readings) -> dict[str, Any]:
    return {"words": _("Nothing needs to be done.")}


WORDS: Mapping[Do, Callable[[Advice, Readings], dict[str, Any]]] = {
    Do.LOOK_ELSEWHERE: _look_elsewhere,
    Do.TAKE_BACK: _take_back,
    Do.END_PROCESSES: _end_processes,
    Do.ACKNOWLEDGE: _acknowledge,
    Do.START_THE_WATCH: _start_the_watch,
    Do.GO_ON: _go_on,
    Do.MEND: _incident(
        gettext_noop(
            "The verification of incident %(number)s failed: look at what failed. It is tried "
            "again by itself."
        ),
        gettext_noop("What failed"),
    ),
    Do.DECIDE: _incident(
        gettext_noop("Incident %(number)s waits for a decision; nothing was taken away for it."),
        gettext_noop("Decide incident %(number)s …"),
    ),
    Do.RELEASE: waiting.release,
    Do.WAIT_FOR_PROCESSES: _incident(
        gettext_noop("Nothing: incident %(number)s is being contained; it takes seconds."),
        gettext_noop("Look at incident %(number)s"),
    ),
    Do.WAIT_FOR_PROBES: _incident(
        gettext_noop("Nothing: the school is being verified for incident %(number)s."),
        gettext_noop("Look at incident %(number)s"),
    ),
    Do.WAIT_FOR_PLAN: _wait_for_plan,
    Do.RESOLVE: _resolve,
    Do.LOOK: _look,
    Do.BRING_BACK: _bring_back,
    Do.NOTHING: _nothing_to_do,
}
# What is done on an incident's own page.
ON_ITS_PAGE = {
    Do.MEND,
    Do.DECIDE,
    Do.RELEASE,
    Do.WAIT_FOR_PROCESSES,
    Do.WAIT_FOR_PROBES,
    Do.RESOLVE,
}
