"""Phases 3, 2 and 1 on the copy, and the way back, as the school does it: asked, approved, carried out."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from rollback import incidents, phases
from rollback.audit import Actor, ChangeRefused, actor_of
from rollback.models import Incident, PhaseRun
from rollback.rehearsing.helper import StepFailed
from rollback.rehearsing.shares import ACTOR, REASON

BY = "rehearsal"
# Of a run's steps: what is no part of the phase; and what takes longer with more rows.
BESIDE, COUNTING = ("verification", "backup"), ("digests", "proof", "keys")
MOVING = ("tables", "home")


class Phases:
    """say: takes what is under way. Operator and approver are two people who exist in the copy alone."""

    def __init__(self, *, say: Callable[[str], object]) -> None:
        self._say = say
        self._operator, self._approver = _person("operator"), _person("approver")
        self.verified: int | None = None  # of the last run, if it has verified the school itself

    def down(self, target: int) -> dict[str, Any]:
        """:raises StepFailed:"""
        return self._go(target)

    def back(self) -> dict[str, Any]:
        """The tables. :raises StepFailed:"""
        return self._go(PhaseRun.Target.BACK)

    def let_back(self) -> None:
        """What holds the flags off is over: people may raise them again."""
        for incident in Incident.objects.filter(resolved_at=None):
            incidents.resolve(incident=incident.pk, actor=ACTOR, reason=REASON)

    def _go(self, target: int) -> dict[str, Any]:
        self.verified = None
        try:
            run = phases.ask(target=target, actor=self._operator, reason=REASON)
            if run.status == PhaseRun.Status.ASKED:
                run = phases.approve(run=run, approver=self._approver)
            run = phases.carry_out(run=run, by=BY, say=self._say)
        except ChangeRefused as refused:
            raise StepFailed(str(refused)) from refused
        facts = facts_of(run)
        if run.status != PhaseRun.Status.DONE or run.proof.get("equal") is False:
            raise StepFailed(run.error or _("It was not carried out to the end."), **facts)
        self.verified = run.proof.get("verification")
        return facts | {"words": _in_words(run, facts)}


def facts_of(run: PhaseRun) -> dict[str, Any]:
    """seconds: without what is done beside it. catalog: of the transaction that moves the tables. counting:
    of what takes longer with more rows.
    """
    took = {one["name"]: float(one.get("seconds") or 0.0) for one in run.progress}
    seconds = sum(one for name, one in took.items() if name not in BESIDE)
    facts: dict[str, Any] = {"seconds": round(seconds, 3)}
    counting = sum(took.get(name, 0.0) for name in COUNTING)
    if (catalog := run.proof.get("seconds")) is not None:
        moving = sum(took.get(name, 0.0) for name in MOVING)
        counting += max(0.0, moving - catalog)
        facts |= {"catalog": catalog, "blocked": run.proof["blocked"], "tries": run.proof["tries"]}
    if before := run.proof.get("before"):
        facts["rows"] = sum(rows for rows, _total in before.values())
    return facts | {"counting": round(counting, 3)}


def _in_words(run: PhaseRun, facts: dict[str, Any]) -> str:
    said = [
        f"{phases.step_word(one['name'])}: {one['words']}" for one in run.progress if one["words"]
    ]
    if "blocked" in facts:
        words = _("Nobody waited longer than %(seconds)s s for a table.")
        said.append(words % {"seconds": facts["blocked"]})
    return "; ".join(said)


def _person(role: str) -> Actor:
    return actor_of(
        get_user_model()._default_manager.create(
            email=f"{role}-{uuid4().hex}@rehearsal.invalid",
            first_name="Rehearsal",
            last_name=role,
            is_staff=True,
            is_superuser=True,
        )
    )
