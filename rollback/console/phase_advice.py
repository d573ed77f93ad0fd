"""The one thing to do next about the phases. Nothing here goes further down by itself: that is decided."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.urls import reverse
from django.utils.translation import gettext as _

from enrollment.models import User
from rollback import phases
from rollback.audit import actor_of
from rollback.console import shown
from rollback.console.phase_words import Holds, holds, live, reached, target_words
from rollback.console.readings import Readings
from rollback.doctor import Diagnosis
from rollback.domain import decisions
from rollback.models import Incident, IncidentEvent, PhaseRun

APPROVE = "rollback.approve_phase"
MOST_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class Who:
    """user: who looks at the page. ask: may go down; bring_back: may go up."""

    user: User
    ask: bool
    bring_back: bool

    def why_not_approve(self, run: PhaseRun) -> str:
        """Empty: this person may. It is somebody else than who asked, whoever that is."""
        if not waits_for_approval(run):
            return _("There is nothing to be approved: it is %(state)s.") % {
                "state": run.get_status_display()
            }
        if run.operator_id == self.user.pk:
            return _("You asked for it yourself: a second person looks at it. %(who)s") % {
                "who": who_may(run)
            }
        if not self.user.has_perm(APPROVE):
            return _("You have no permission to approve it. %(who)s") % {"who": who_may(run)}
        if run.approver_id not in (None, self.user.pk):
            return phases.approve_again(run)
        return ""


def waits_for_approval(run: PhaseRun) -> bool:
    """Also before it has come to the tables; and once more when it came to them too late."""
    if run.target != PhaseRun.Target.TABLES:
        return False
    unapproved = run.approver_id is None and run.status in PhaseRun.LIVE
    return unapproved or run.status == PhaseRun.Status.ASKED


def who_may(run: PhaseRun) -> str:
    """The others who could approve it, by their names."""
    if again := phases.approve_again(run):
        return again
    found = ModelBackend().with_perm(APPROVE, is_active=True).filter(is_staff=True)
    if run.operator_id is not None:
        found = found.exclude(pk=run.operator_id)
    names = [actor_of(user).name for user in found.order_by("last_name", "pk")[:MOST_NAMES]]
    if not names:
        return _("Nobody else may yet: somebody has to be put into the group “admin”.")
    return _("These may: %(names)s.") % {"names": ", ".join(names)}


def wanted(incident: Incident | None) -> tuple[int, ...]:
    """The phases that were decided for it, the first one first."""
    if incident is None:
        return ()
    decided = incident.events.filter(kind=IncidentEvent.Kind.DECIDED).order_by("-number").first()
    field = decisions.BY_KEY.get(decided.payload.get("field", "")) if decided else None
    return field.phases if field else ()


def next_step(
    found: Readings, *, who: Who, runner: bool | None, diagnosis: Diagnosis | None
) -> dict[str, Any]:
    """words, and a button (`label` with `url`); target: what it would carry out, if anything.

    diagnosis: what is not as it should be is mended first.
    """
    run, state = live(found), holds(found)
    if run is not None:
        return _about_run(run, who=who, runner=runner)
    if diagnosis is not None and not diagnosis.sound:
        return {"words": diagnosis.words, "command": diagnosis.next, "alarm": True}
    if state is Holds.UNKNOWN:
        return {"words": _("Look from a terminal: manage.py rollback doctor.")}
    if state is Holds.PART:
        return _take(
            _("Finish what was begun: put the other tables into the archive, or bring these back."),
            PhaseRun.Target.BACK,
            who,
        )
    newest = found.phases.newest if found.phases else None
    if (
        newest is not None
        and newest.status == PhaseRun.Status.FAILED
        and not _is_there(newest, state)
    ):
        return {
            "words": _("The last run failed: %(why)s") % {"why": newest.error or "–"},
            "label": _("See what failed"),
            "url": reverse("admin:rollback_phaserun_change", args=[newest.pk]),
            "target": newest.target,
        }
    return _by_incident(found, state, who)


def _is_there(run: PhaseRun, state: Holds) -> bool:
    lowest = reached(state)
    if run.target == PhaseRun.Target.BACK:
        return lowest != 1
    return lowest is not None and lowest <= run.target


def _about_run(run: PhaseRun, *, who: Who, runner: bool | None) -> dict[str, Any]:
    told = {"what": target_words(run.target), "name": run.operator_name}
    if run.status == PhaseRun.Status.ASKED:
        why_not = who.why_not_approve(run)
        action: dict[str, Any] = {
            "words": _("%(name)s asks for it: %(what)s. It waits for a second person.") % told,
            "target": run.target,
        }
        if why_not:
            return action | {"more": why_not}
        url = reverse("admin:rollback_phaserun_approve", args=[run.pk])
        return action | {"label": _("Look at it and approve …"), "url": url, "danger": True}
    if runner is False:
        return {"words": no_runner(), "alarm": True}
    return {"words": _("Nothing: it goes on by itself (%(what)s).") % told}


def no_runner() -> str:
    return _(
        "No runner lives, so nothing is carried out: start it with manage.py rollback run. Whatever was "
        "begun goes on then by itself."
    )


def _by_incident(found: Readings, state: Holds, who: Who) -> dict[str, Any]:
    incident = next(iter(found.incidents or ()), None)
    lowest = reached(state) or 4
    lower = [phase for phase in wanted(incident) if phase < lowest]
    told: dict[str, Any] = {"number": incident.pk if incident else None}
    if incident is not None and lower:
        words = _("For incident %(number)s it was decided: %(what)s.")
        told["what"] = target_words(lower[0])
        return _take(words % told, lower[0], who)
    if state is Holds.TABLES:
        words = (
            _(
                "Nothing in a hurry: the rows are safe. Once incident %(number)s is understood and mended:"
            )
            if incident
            else _("No incident is open any more. When the cause is mended:")
        )
        return _take(words % told + " " + target_words(PhaseRun.Target.BACK) + ".", 0, who)
    if incident is not None:
        words = _("Nothing more is taken away unless it is decided for incident %(number)s.")
        url = reverse("admin:rollback_incident_change", args=[incident.pk])
        return {"words": words % told, "label": _("Look at incident %(number)s") % told, "url": url}
    if lowest < 4:
        return {
            "words": _("No incident is open: bring the features back in small steps."),
            "label": _("Plan the way back …"),
            "url": reverse("admin:rollback_flag_start_plan") + "?direction=up",
        }
    return {"words": _("Nothing needs to be done.")}


def _take(words: str, target: int, who: Who) -> dict[str, Any]:
    may = who.bring_back if target == PhaseRun.Target.BACK else who.ask
    if not may:
        return {"words": words, "target": target, "more": _("An administrator does that: ask one.")}
    return {
        "words": words,
        "target": int(target),
        "label": target_words(target) + " …",
        "url": f"?target={int(target)}#phase-ask",
        "danger": target != PhaseRun.Target.BACK,
    }


def lower_one(found: Readings) -> int | None:
    """What the next phase down would be; None: there is none."""
    lowest = reached(holds(found)) or 4
    return lowest - 1 if lowest > 1 else None


def clock_of(run: PhaseRun) -> str:
    return shown.clock(run.asked_at)
