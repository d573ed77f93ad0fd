"""What people decide about a run that is there: approve, cancel, go on with one that failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback import incidents
from rollback.audit import Actor
from rollback.domain.phases import Phase, Step, is_done, taken_up_again
from rollback.models import IncidentEvent, PhaseRun, Switchboard
from rollback.phases import looking
from rollback.phases.refusing import PhaseRefused, PhaseRuns

APPROVE, BRING_BACK = "rollback.approve_phase", "rollback.raise_flag"


def approve(*, run: PhaseRun, approver: Actor) -> PhaseRun:
    """That tables are archived, by somebody else than who asked.

    :raises PhaseRefused:
    """
    user = approver.user
    if approver.automatic or user is None:
        raise PhaseRefused(_("Approving needs a person who is logged in."))
    with _deciding(run, PhaseRun.LIVE) as found:
        if found.operator_id == user.pk:
            raise PhaseRefused(_("Who asked for it cannot approve it: it needs a second person."))
        if not (user.is_active and user.is_staff and user.has_perm(APPROVE)):
            raise PhaseRefused(_("Only who may approve that tables are archived can approve."))
        if found.target != Phase.TABLES:
            raise PhaseRefused(_("Only phase 1 needs an approval."))
        if found.approver_id is not None:
            _check_again(found, user)
        if found.status == PhaseRun.Status.ASKED:
            found.status = PhaseRun.Status.READY
        found.approver, found.approver_name = user, approver.name[:254]
        found.approved_at = Now()
        found.save(update_fields=["status", "approver", "approver_name", "approved_at"])
        _tell(found, "approved", actor=approver)
    found.refresh_from_db()
    return found


def _check_again(run: PhaseRun, user: Any) -> None:
    """Who approved a run stays who did: after an hour they look at it once more, and nobody for them."""
    if looking.is_approved(run) or is_done(run.progress, Step.TABLES):
        raise PhaseRefused(_("It is approved already."))
    if run.approver_id != user.pk:
        words = _("Only %(name)s can approve it again. Or cancel it, and ask again.")
        raise PhaseRefused(words % {"name": run.approver_name})


def cancel(*, run: PhaseRun, actor: Actor, reason: str) -> PhaseRun:
    """What was taken away stays so, latched by its incident. Not while tables have been moved.

    :raises PhaseRefused:
    """
    if actor.automatic:
        raise PhaseRefused(_("What becomes of a phase run is decided by a person."))
    if not reason.strip():
        raise PhaseRefused(_("A reason is needed: one sentence for whoever reads it later."))
    with _deciding(run, PhaseRun.LIVE) as found:
        if is_done(found.progress, Step.TABLES) or is_done(found.progress, Step.HOME):
            words = _("The tables have been moved already; it goes on to its end.")
            raise PhaseRefused(words)
        found.status, found.error = PhaseRun.Status.CANCELLED, reason.strip()
        found.lease_owner, found.lease_until, found.finished_at = "", None, Now()
        found.save(update_fields=["status", "error", "lease_owner", "lease_until", "finished_at"])
        _tell(found, "cancelled", actor=actor, reason=reason.strip())
    found.refresh_from_db()
    return found


def reopen(*, run: PhaseRun, actor: Actor) -> PhaseRun:
    """The last run, if it failed: the step that could not be done is tried again.

    :raises PhaseRefused: it has not failed, or is not the last; not theirs to do; an approval of long ago
    """
    if actor.automatic:
        raise PhaseRefused(_("What becomes of a phase run is decided by a person."))
    try:
        with _deciding(run, (PhaseRun.Status.FAILED,)) as found:
            _check_reopening(found, actor)
            _check_approval(found)
            found.progress = taken_up_again(found.progress)
            found.status, found.error, found.finished_at = PhaseRun.Status.READY, "", None
            if found.target == Phase.TABLES and found.approver_id is None:
                found.status = PhaseRun.Status.ASKED
            found.save(update_fields=["status", "error", "finished_at", "progress"])
            _tell(found, "reopened", actor=actor)
    except IntegrityError:
        if (live := looking.live()) is not None:
            raise PhaseRuns(live) from None
        raise
    return found


def _check_reopening(run: PhaseRun, actor: Actor) -> None:
    """Whoever asks for a run holds the switchboard's row: none becomes the last one after this."""
    Switchboard.objects.select_for_update().get(pk=1)
    if PhaseRun.objects.filter(pk__gt=run.pk).exists():
        words = _(
            "Phase run %(number)s is not the last one; only the last is tried again. "
            "See manage.py rollback phases."
        )
        raise PhaseRefused(words % {"number": run.pk})
    may = actor.user is None or (actor.user.is_active and actor.user.has_perm(BRING_BACK))
    if run.target == Phase.BACK and not may:
        raise PhaseRefused(_("Only who may raise flags can bring the tables back."))


def _check_approval(run: PhaseRun) -> None:
    """Once the tables are away, what is left to do is only to prove it."""
    if run.approver_id is None or is_done(run.progress, Step.TABLES):
        return
    if not looking.is_approved(run):
        words = _(
            "Phase run %(number)s was approved more than an hour ago. Ask for it again, and for the approval."
        )
        raise PhaseRefused(words % {"number": run.pk})


@contextmanager
def _deciding(run: PhaseRun, states: tuple[Any, ...]) -> Iterator[PhaseRun]:
    with transaction.atomic():
        found = PhaseRun.objects.select_for_update(of=("self",)).filter(pk=run.pk).first()
        if found is None:
            words = _("There is no phase run %(number)s. See manage.py rollback phases.")
            raise PhaseRefused(words % {"number": run.pk})
        if found.status not in states:
            words = _("Phase run %(number)s is over (%(status)s); nothing was changed.")
            facts = {"number": found.pk, "status": found.get_status_display()}
            raise PhaseRefused(words % facts)
        yield found


def _tell(run: PhaseRun, what: str, *, actor: Actor, **facts: Any) -> None:
    if run.incident_id is not None:
        incidents.record(
            incident=run.incident_id,
            kind=IncidentEvent.Kind.PHASE,
            actor=actor,
            run=run.pk,
            target=run.target,
            what=what,
            **facts,
        )
