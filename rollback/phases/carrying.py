"""Carrying a run out: step by step, by whoever has it in their hands."""

import time
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.translation import gettext as _

from rollback.audit import ChangeRefused
from rollback.domain.phases import Step, StepState, needs_approval, next_step
from rollback.models import PhaseRun
from rollback.phases import looking
from rollback.phases.holding import Hand, LeaseLost, Say, claim, renewed
from rollback.phases.refusing import ApprovalOver
from rollback.phases.steps import STEPS
from rollback.schema.archive import ArchiveRefused
from rollback.schema.locking import TablesAreHeld
from rollback.schema.reverse import ArchiveChanged

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.2
CARRIED_OUT = (PhaseRun.Status.READY, PhaseRun.Status.RUNNING)
REFUSALS = (ChangeRefused, ArchiveRefused, ArchiveChanged, TablesAreHeld)


def carry_out(*, run: PhaseRun, by: str, say: Say = lambda words: None) -> PhaseRun:
    """Until it is over, or waits for the approval. While somebody else is at it: looked at, and taken over
    when they die. say: each sentence of what happens, also by their hands.

    :returns: the run as it is then; `error` says what is not as it should be
    """
    tell = _Teller(say)
    while True:
        hand = claim(run.pk, by=by)
        if hand is not None:
            try:
                with renewed(hand):
                    _work(hand, tell=tell, patient=True)
            except LeaseLost:
                log.warning("phases.lease_lost", run=run.pk, by=by)
        found = PhaseRun.objects.get(pk=run.pk)
        tell(found)
        if found.status not in CARRIED_OUT:
            return found
        time.sleep(LOOK_EVERY)


def resume_due(*, by: str, say: Say = lambda words: None) -> int:
    """Each step that can be done now, of whatever run is alive and nobody else's. Waits for nothing.

    :returns: how many runs were in our hands
    """
    found = list(PhaseRun.objects.filter(status__in=CARRIED_OUT).order_by("pk"))
    return sum(_resume(run, by=by, say=say) for run in found)


def _resume(run: PhaseRun, *, by: str, say: Say) -> bool:
    hand = claim(run.pk, by=by)
    if hand is None:
        return False
    tell = _Teller(say, known=run)
    try:
        with renewed(hand):
            _work(hand, tell=tell, patient=False)
    except LeaseLost:
        log.warning("phases.lease_lost", run=run.pk, by=by)
    tell(PhaseRun.objects.get(pk=run.pk))
    return True


def _work(hand: Hand, *, tell: "_Teller", patient: bool) -> None:
    """:raises LeaseLost: what was begun is undone"""
    while (step := _begin(hand)) is not None:
        tell(PhaseRun.objects.get(pk=hand.number))
        done = _do(hand, step)
        if done is None:
            return
        if done:
            continue
        if not patient:
            hand.let_go()
            return
        tell(PhaseRun.objects.get(pk=hand.number))
        time.sleep(LOOK_EVERY)


def _begin(hand: Hand) -> Step | None:
    """:returns: None when it is over, or has to wait for people"""
    with hand.step() as run:
        step = next_step(run.progress)
        if step is None:
            facts = {"proof": run.proof, "error": run.error}
            hand.tell(run, "done", **facts)
            hand.leave(run, PhaseRun.Status.DONE)
        elif needs_approval(run.target, step) and not looking.is_approved(run):
            hand.wait_for_approval(run, step, looking.approve_again(run))
            return None
        else:
            hand.begin(run, step)
        return step


def _do(hand: Hand, step: Step) -> bool | None:
    """:returns: False while it waits, None when it failed: that ends the run, and the database's absence
    does not. None also when it has to be approved again.
    """
    try:
        return STEPS[step](hand)
    except ApprovalOver:
        with hand.step() as run:
            hand.wait_for_approval(run, step, looking.approve_again(run))
    except REFUSALS as refused:
        return _failed(hand, step, str(refused))
    except (LeaseLost, OperationalError, InterfaceError):
        raise
    except Exception as error:
        # A door: whatever is wrong with this step, the run has to end with words, so that another can be
        # asked for, and the runner has to live, for all the others.
        log.exception("phases.step_broken", run=hand.number, step=step)
        return _failed(hand, step, _reason(error))
    return None


def _failed(hand: Hand, step: Step, words: str) -> bool | None:
    """What went wrong when the step was done is seen to by the next ones."""
    if hand.fail(step, words):
        return None
    log.warning("phases.failed_when_done", run=hand.number, step=step, words=words)
    return True


def _reason(error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    if isinstance(error, DatabaseError):
        return _("The database refused: %(reason)s") % {"reason": reason}
    facts = {"kind": type(error).__name__, "reason": reason}
    return _("It broke (%(kind)s: %(reason)s); the log says where.") % facts


class _Teller:
    """Says what is new in a run's row, whoever wrote it there."""

    def __init__(self, say: Say, *, known: PhaseRun | None = None) -> None:
        self.say = say
        self.told: set[tuple[Any, ...]] = set(self._news(known)) if known else set()

    def __call__(self, run: PhaseRun) -> None:
        for news in self._news(run):
            if news not in self.told:
                self.told.add(news)
                self.say(_sentence(*news))

    @staticmethod
    def _news(run: PhaseRun) -> list[tuple[str, str, str]]:
        return [
            (one["name"], one["state"], one["words"])
            for one in run.progress
            if one["state"] != StepState.WAITING
        ]


def _sentence(name: str, state: str, words: str) -> str:
    said = {
        StepState.RUNNING: _("%(step)s …"),
        StepState.DONE: _("%(step)s: done."),
        StepState.FAILED: _("%(step)s: FAILED."),
    }[StepState(state)] % {"step": looking.step_word(name)}
    return f"{said} {words}".strip()
