"""A run is asked for: what would be refused later is refused now, and of many at once one is written."""

from django.conf import settings
from django.db import IntegrityError, connection
from django.utils.translation import gettext as _

from rollback import audit, incidents, plan_rules, runner
from rollback.audit import Actor
from rollback.domain.phases import Phase, Step, StepState, planned
from rollback.models import Flag, Incident, IncidentEvent, PhaseRun, Plan, Switchboard
from rollback.phases import looking
from rollback.phases.refusing import PhaseRefused, PhaseRuns
from rollback.schema import ledger, reverse

CHANGE, RAISE = "rollback.change_flag", "rollback.raise_flag"


def ask(
    *,
    target: int,
    mode: str = PhaseRun.Mode.KILL,
    actor: Actor,
    reason: str,
    incident: Incident | None = None,
    whole: bool = False,
    accept_changes: bool = False,
    accept_copy: bool = False,
) -> PhaseRun:
    """Written down, and carried out by whoever is first (`carry_out`, or `manage.py rollback run`).

    incident: without one, the open one that holds the features, or a new one. whole: phase 1 with the
    phases before it. accept_changes: bring back also what was changed in the archive. accept_copy: also
    what has to be copied, while everybody waits for very many rows.

    :raises PhaseRuns: one lives already; of many at once all but one hear that
    :raises ChangeRefused:
    """
    _refuse_second()
    _check_right(target, actor)
    _check(target, mode=mode, actor=actor, whole=whole)
    known = looking.before(target=target) | {
        "whole": whole,
        "accept_changes": accept_changes,
        "accept_copy": accept_copy,
    }

    def write() -> PhaseRun:
        with audit.told(actor=actor, reason=reason, action="phase"):
            Switchboard.objects.select_for_update().get(pk=1)
            _refuse_second()
            found = _incident(target, incident, actor=actor, reason=reason)
            return _write(
                PhaseRun(
                    target=target,
                    mode=mode,
                    status=_first_status(target, whole=whole),
                    incident=found,
                    reason=reason.strip()[:500],
                    operator=actor.user,
                    operator_name=actor.name[:254],
                    automatic=actor.automatic,
                    progress=_steps(target, whole=whole),
                    before=known,
                ),
                actor=actor,
            )

    try:
        return runner.insist(write)
    except IntegrityError:
        _refuse_second()  # somebody who does not ask for the switchboard's row was quicker
        raise


def _refuse_second() -> None:
    if (run := looking.live()) is not None:
        raise PhaseRuns(run)


def _check_right(target: int, actor: Actor) -> None:
    """As in the office. At the terminal nobody has to be anybody, but for phase 1."""
    user = actor.user
    if user is None:
        return
    right = RAISE if target == Phase.BACK else CHANGE
    if not (user.is_active and user.is_staff and user.has_perm(right)):
        words = _("%(name)s may not ask for it: it needs somebody of the office who may %(what)s.")
        may = _("bring features back") if target == Phase.BACK else _("change flags")
        raise PhaseRefused(words % {"name": actor.name, "what": may})


def _check(target: int, *, mode: str, actor: Actor, whole: bool) -> None:
    if target in (Phase.TABLES, Phase.BACK) and actor.automatic:
        raise PhaseRefused(
            _("Tables are moved by people. Automatically, phases 3 and 2 may be asked for.")
        )
    if target == Phase.TABLES:
        _check_tables(actor, whole=whole)
    elif target == Phase.BACK:
        with connection.cursor() as cursor:
            if not any(ledger.away(cursor, app=app) for app in looking.apps()):
                raise PhaseRefused(
                    _("Nothing is in the archive: the tables are where they belong.")
                )
    elif target not in (Phase.LOGIC, Phase.PAGES):
        raise PhaseRefused(_("There are the phases 3, 2 and 1."))
    if mode == PhaseRun.Mode.DRAIN and target != Phase.BACK and (whole or target >= Phase.LOGIC):
        plan_rules.refuse_second(Plan.Direction.DOWN)


def _check_tables(actor: Actor, *, whole: bool) -> None:
    """Two different people: an operator whom nobody knows could be the same one as the approver."""
    if actor.user is None:
        words = _(
            "Phase 1 needs two people who are known: log in as the operator, or ask for it in the admin."
        )
        raise PhaseRefused(words)
    if not reverse.present(looking.apps()):
        raise PhaseRefused(
            _("The tables are in the archive already. Bring them back: manage.py rollback reapply")
        )
    for phase in () if whole else (Phase.PAGES, Phase.LOGIC):
        if why := looking.why_not_held(phase):
            words = _("%(why)s First: manage.py rollback phase %(phase)s")
            raise PhaseRefused(words % {"why": why, "phase": int(phase)})


def _first_status(target: int, *, whole: bool) -> str:
    """The phases before the first do not wait for the approval."""
    waits = target == Phase.TABLES and not whole
    return PhaseRun.Status.ASKED if waits else PhaseRun.Status.READY


def _steps(target: int, *, whole: bool) -> list[dict[str, str]]:
    guarded = bool(getattr(settings, "SCHEMA_GUARD", False))
    return [_waiting(step) for step in planned(target, whole=whole, guarded=guarded)]


def _waiting(step: Step) -> dict[str, str]:
    return {"name": step.value, "state": StepState.WAITING.value, "words": ""}


def _incident(target: int, given: Incident | None, *, actor: Actor, reason: str) -> Incident | None:
    """In the transaction that writes the run; from its end on nobody raises what will be taken away."""
    if target == Phase.BACK:
        return given or _of_the_last()
    known = set(Flag.objects.values_list("name", flat=True))
    flags = [flag for flag in looking.flags_until(target) if flag in known]
    if given is None and (holding := incidents.holding(flags)) is not None:
        given = Incident.objects.get(pk=holding[0])
    if given is not None:
        return incidents.latch(incident=given.pk, flags=flags)
    title = _("Phase %(phase)s: %(reason)s") % {"phase": target, "reason": reason.strip()}
    return incidents.open_with_latches(title=title, flags=flags, actor=actor, cause=reason.strip())


def _of_the_last() -> Incident | None:
    """Whatever took the tables away: its timeline says that they came back, also when it is resolved."""
    done = PhaseRun.objects.filter(target=Phase.TABLES, status=PhaseRun.Status.DONE)
    last = done.exclude(incident=None).order_by("-pk").first()
    return last.incident if last else None


def _write(run: PhaseRun, *, actor: Actor) -> PhaseRun:
    run.save(force_insert=True)
    if run.incident_id is not None:
        incidents.record(
            incident=run.incident_id,
            kind=IncidentEvent.Kind.PHASE,
            actor=actor,
            run=run.pk,
            target=run.target,
            what="asked",
            mode=run.mode,
            reason=run.reason,
            expected=run.before,
        )
    run.refresh_from_db()
    return run
