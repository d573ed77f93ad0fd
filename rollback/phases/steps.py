"""Each step of a run. Done again after a crash it comes to the same; what it did and that it is done
are one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback import aftermath, audit, draining, incidents, plans, runner, verification
from rollback.audit import Actor
from rollback.domain.phases import Phase, Step, ended_at
from rollback.domain.plans import LIVE, PlanState
from rollback.models import Flag, Incident, LedgerEntry, PhaseRun, Plan, Switchboard
from rollback.phases import looking, parents, proving
from rollback.phases.holding import Hand
from rollback.phases.refusing import ApprovalOver
from rollback.schema import ledger, locking, reverse

# How long whoever is in the middle of enrolling keeps it, when pages are drained.
DRAIN_SECONDS = 600
# A backup that is older than this says too little about what is moved now.
BACKUP_HOLDS = timedelta(minutes=30)


def pages(hand: Hand) -> bool:
    with hand.step() as run:
        if run.mode == PhaseRun.Mode.DRAIN:
            _drain(run)
        else:
            _kill(run, looking.flags_of(Phase.PAGES))
        hand.done(run, Step.PAGES, flags=looking.flags_of(Phase.PAGES))
    return True


def _kill(run: PhaseRun, flags: list[str]) -> None:
    known = set(Flag.objects.values_list("name", flat=True))
    runner.take_away(
        incident=_incident(run),
        flags=[flag for flag in flags if flag in known],
        actor=_who_asked(run),
        reason=run.reason,
    )


def _drain(run: PhaseRun) -> None:
    flags = looking.flags_of(Phase.PAGES)
    on = [flag for flag in Flag.objects.filter(name__in=flags) if not aftermath.is_off(flag)]
    actor = _who_asked(run)
    if not on:
        with audit.told(actor=actor, reason=run.reason, action="phase"):
            Switchboard.objects.select_for_update().get(pk=1)
            incidents.latch(incident=_incident(run), flags=flags)
        return
    plans.start(
        direction=Plan.Direction.DOWN,
        mode=Plan.Mode.DRAIN,
        flags=[flag.name for flag in on],
        steps=((Decimal(0), 0),),
        incident=run.incident,
        actor=actor,
        reason=run.reason,
        drain_seconds=DRAIN_SECONDS,
    )


def _who_asked(run: PhaseRun) -> Actor:
    return Actor(name=run.operator_name, user=run.operator, automatic=run.automatic)


def _incident(run: PhaseRun) -> int:
    assert run.incident_id is not None  # given by `ask` to every way down
    return run.incident_id


def gone(hand: Hand) -> bool:
    """Every process that lives knows, and whoever was in the middle has finished."""
    _go_on_draining(hand)
    if why := _why_not_gone():
        hand.wait(Step.GONE, why)
        return False
    with hand.step() as run:
        hand.done(run, Step.GONE)
    return True


def _go_on_draining(hand: Hand) -> None:
    living = Plan.objects.filter(direction=Plan.Direction.DOWN, state__in=LIVE)
    if living.filter(state=PlanState.RUNNING).exists():
        plans.advance_due(by=hand.by)


def _why_not_gone() -> str:
    flags = looking.flags_of(Phase.PAGES)
    if people := len(draining.still(flags=flags, now=timezone.now())):
        return ngettext(
            "%(number)s person is in the middle of something and finishes first.",
            "%(number)s people are in the middle of something and finish first.",
            people,
        ) % {"number": people}
    return looking.why_not_held(Phase.PAGES)


def logic(hand: Hand) -> bool:
    with hand.step() as run:
        _kill(run, looking.flags_of(Phase.LOGIC))
        hand.done(run, Step.LOGIC, flags=looking.flags_of(Phase.LOGIC))
    return True


def quiet(hand: Hand) -> bool:
    """Off everywhere, so that nothing begins; and what began before is over."""
    why = looking.why_not_held(Phase.LOGIC) or looking.under_way()
    if why:
        hand.wait(Step.QUIET, why)
        return False
    with hand.step() as run:
        hand.done(run, Step.QUIET)
    return True


def backup(hand: Hand) -> bool:
    """None moves before it is proved that it can be brought back from elsewhere, too."""
    backups: Any = import_module("rollback.backups")
    try:
        receipt = backups.newest_verified(within=BACKUP_HOLDS)
        if receipt is None or not _fits(hand, receipt):
            receipt = backups.make(say=lambda words: hand.wait(Step.BACKUP, str(words)))
    except backups.BackupRuns as runs:
        hand.wait(Step.BACKUP, str(runs))
        return False
    except (backups.BackupFailed, backups.ReceiptRefused) as failed:
        words = _("No table is moved without a proved backup. %(reason)s")
        raise audit.ChangeRefused(words % {"reason": failed}) from failed
    name = receipt.path.name
    with hand.step() as run:
        run.proof["backup"] = name
        hand.done(run, Step.BACKUP, name, backup=name)
    return True


def _fits(hand: Hand, receipt: Any) -> bool:
    """Not of a moment at which the features were still on for somebody, nor of another schema than now."""
    quiet_since = ended_at(PhaseRun.objects.get(pk=hand.number).progress, Step.QUIET)
    if quiet_since is not None and receipt.as_of < quiet_since:
        return False
    return set(receipt.migrations) == set(MigrationRecorder(connection).applied_migrations())


def digests(hand: Hand) -> bool:
    """Nobody writes to them any more but whoever is deleted on the ground floor."""
    out = [one.id for one in _away()]
    above = parents.counted(looking.apps())
    found = proving.digests(looking.apps())
    with hand.step() as run:
        if run.target == Phase.TABLES and not found:
            raise audit.ChangeRefused(_("Somebody else has archived the tables already."))
        run.proof |= {"before": found, "parents": above, "out": out}
        rows = sum(rows for rows, _total in found.values())
        words = _("%(rows)s rows in %(tables)s tables") % {"rows": rows, "tables": len(found)}
        hand.done(run, Step.DIGESTS, words, digests=found)
    return True


def tables(hand: Hand) -> bool:
    """One transaction; in it, it is asked again whether phases 3 and 2 hold, and written that it is done."""
    held: list[PhaseRun] = []

    def first() -> None:
        held[:] = [_first(hand)]
        if not looking.is_approved(held[0]):
            raise ApprovalOver
        for phase in (Phase.PAGES, Phase.LOGIC):
            if why := looking.why_not_held(phase):
                raise audit.ChangeRefused(why)

    def last(moved: reverse.Moved) -> None:
        _moved(hand, held[0], Step.TABLES, moved)

    try:
        moved = reverse.take_away(
            apps=looking.apps(),
            along=reverse.Along(first=first, last=last, waits=_waits(hand, Step.TABLES)),
        )
    except reverse.NothingToDo:
        return _was_away(hand)
    _measured(hand, moved)
    return True


def home(hand: Hand) -> bool:
    held: list[PhaseRun] = []
    run = PhaseRun.objects.get(pk=hand.number)
    before = proving.archived(looking.apps())

    def first() -> None:
        held[:] = [_first(hand)]
        held[0].proof |= {"before": before, "ledger": _coming_home(held[0])}

    def last(moved: reverse.Moved) -> None:
        _moved(hand, held[0], Step.HOME, moved)

    try:
        moved = reverse.bring_back(
            apps=looking.apps(),
            accept_changes=bool(run.before.get("accept_changes")),
            accept_copy=bool(run.before.get("accept_copy")),
            along=reverse.Along(first=first, last=last, waits=_waits(hand, Step.HOME)),
        )
    except reverse.NothingToDo:
        return _was_home(hand)
    _measured(hand, moved)
    return True


def _first(hand: Hand) -> PhaseRun:
    """Rows that others may hold while they wait for a table: ours before any table is."""
    run = hand.held()
    if run.incident_id is not None:
        Incident.objects.select_for_update(no_key=True).get(pk=run.incident_id)
    return run


def _away() -> list[ledger.Entry]:
    with connection.cursor() as cursor:
        return [one for app in looking.apps() for one in ledger.away(cursor, app=app)]


def _gone_since(run: PhaseRun) -> list[int]:
    """Since its tables were counted, also by others' hands."""
    return [one.id for one in _away() if one.id not in run.proof.get("out", ())]


def _coming_home(run: PhaseRun) -> list[int]:
    """What is away, and what somebody else has brought back since this was asked for."""
    back = LedgerEntry.objects.filter(app__in=looking.apps(), back_at__gte=run.asked_at)
    return sorted({*back.values_list("pk", flat=True), *(one.id for one in _away())})


def _moved(hand: Hand, run: PhaseRun, step: Step, moved: reverse.Moved) -> None:
    """Before COMMIT. What is not known before it is measured again after it (`_measured`)."""
    if step == Step.TABLES:
        run.proof["ledger"] = _gone_since(run)
    run.proof |= {
        "migrations": moved.migrations,
        "seconds": round(moved.seconds, 3),
        "blocked": round(moved.blocked, 3),
        "tries": moved.tries,
    }
    words = _("%(number)s migrations, try %(tries)s") % {
        "number": len(moved.migrations),
        "tries": moved.tries,
    }
    hand.done(run, step, words, ledger=run.proof["ledger"], tries=moved.tries)


def _measured(hand: Hand, moved: reverse.Moved) -> None:
    with hand.step() as run:
        run.proof |= {"seconds": round(moved.seconds, 3), "blocked": round(moved.blocked, 3)}
        run.save(update_fields=["proof"])


def _waits(hand: Hand, step: Step) -> Callable[[Sequence[locking.Holder]], None]:
    def waits(holders: Sequence[locking.Holder]) -> None:
        words = _("In use by %(holders)s; tried again.") % {"holders": locking.in_words(holders)}
        hand.wait(step, words)

    return waits


def _was_away(hand: Hand) -> bool:
    """Somebody else has migrated; what they moved is what is proved."""
    with hand.step() as run:
        run.proof["ledger"] = _gone_since(run)
        if not run.proof["ledger"]:
            raise audit.ChangeRefused(_nothing_known())
        hand.done(run, Step.TABLES, _("It was so already."), ledger=run.proof["ledger"])
    return True


def _was_home(hand: Hand) -> bool:
    """Nobody has counted it here before it moved; the ledger has, when it was archived."""
    with hand.step() as run:
        if _away():
            raise audit.ChangeRefused(_nothing_known())
        run.proof |= {"before": {}, "ledger": _coming_home(run)}
        if not run.proof["ledger"]:
            raise audit.ChangeRefused(_nothing_known())
        hand.done(run, Step.HOME, _("It was so already."), ledger=run.proof["ledger"])
    return True


def _nothing_known() -> str:
    return _(
        "No migration is left to do, and the ledger of the archive says otherwise. "
        "See manage.py rollback doctor."
    )


def keys(hand: Hand) -> bool:
    reverse.finish(looking.apps())
    with hand.step() as run:
        hand.done(run, Step.KEYS)
    return True


def proof(hand: Hand) -> bool:
    run = PhaseRun.objects.get(pk=hand.number)
    found = proving.prove(run)
    with hand.step() as run:
        run.proof |= found
        words = proving.in_words(run)
        if not run.proof["equal"]:
            run.error = words
        hand.done(run, Step.PROOF, words, proof=run.proof)
    return True


def verify(hand: Hand) -> bool:
    """The school as a whole, after the tables moved."""
    run = PhaseRun.objects.select_related("incident").get(pk=hand.number)
    if run.incident is not None and run.incident.is_open and run.target != Phase.BACK:
        aftermath.contain(run.incident, by=hand.by)
        run.incident.refresh_from_db()
    try:
        found = verification.verify(incident=run.incident, by=hand.by)
    except verification.VerificationRuns as runs:
        hand.wait(Step.VERIFICATION, str(runs))
        return False
    with hand.step() as run:
        run.proof |= {"verification": found.pk, "verified": bool(found.passed)}
        words = _("Passed") if found.passed else _failed(found)
        if not found.passed:
            run.error = f"{run.error} {words}".strip()
        hand.done(run, Step.VERIFICATION, words, verification=found.pk, passed=bool(found.passed))
    return True


def _failed(found: Any) -> str:
    failed = found.results.filter(passed=False)
    said = "; ".join(f"{verification.title(one.probe)}: {one.words}" for one in failed)
    return _("Verification %(number)s failed: %(words)s") % {"number": found.pk, "words": said}


STEPS: Mapping[Step, Callable[[Hand], bool]] = {
    Step.PAGES: pages,
    Step.GONE: gone,
    Step.LOGIC: logic,
    Step.QUIET: quiet,
    Step.BACKUP: backup,
    Step.DIGESTS: digests,
    Step.TABLES: tables,
    Step.HOME: home,
    Step.KEYS: keys,
    Step.PROOF: proof,
    Step.VERIFICATION: verify,
}
