"""Whose run it is just now: a lease by the database's clock, renewed by a thread for as long as they live."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.db import Error, connection, connections, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from rollback import incidents
from rollback.audit import Actor
from rollback.domain.errors import without_rows
from rollback.domain.phases import Step, StepState, is_done, taken_up_again
from rollback.limits import limited
from rollback.models import IncidentEvent, PhaseRun

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=10)
BEAT = 3.0
Say = Callable[[str], object]
# A process that was frozen in the middle of a step loses its session, and with it its locks.
LONGEST_SILENCE = "SET LOCAL idle_in_transaction_session_timeout = '10s'"


class LeaseLost(Exception):
    """It is somebody else's now, or cancelled."""


@dataclass(frozen=True, kw_only=True)
class Hand:
    """Whoever carries a run out. owner: no two have the same, also within a process."""

    number: int
    by: str
    owner: str

    @property
    def actor(self) -> Actor:
        """Of what the machine finds by itself; people ask and approve."""
        return Actor(name=self.by[:150], automatic=True)

    @contextmanager
    def step(self) -> Iterator[PhaseRun]:
        """One transaction, in which it is ours. :raises LeaseLost:"""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(LONGEST_SILENCE)
            yield self.held()

    def held(self) -> PhaseRun:
        """Asked again under the lock, in the caller's transaction. :raises LeaseLost:"""
        ours = PhaseRun.objects.filter(
            pk=self.number,
            status=PhaseRun.Status.RUNNING,
            lease_owner=self.owner,
            lease_until__gt=Now(),
        )
        run = ours.select_for_update(of=("self",), no_key=True).first()
        if run is None:
            raise LeaseLost
        return run

    def begin(self, run: PhaseRun, step: Step) -> None:
        found = _of(run, step)
        if found["state"] != StepState.RUNNING:
            found |= {"state": StepState.RUNNING.value, "at": _clock().isoformat(), "words": ""}
            run.save(update_fields=["progress"])

    def wait(self, step: Step, words: str) -> None:
        """What it waits for; written once."""
        with self.step() as run:
            found = _of(run, step)
            if found["words"] != words:
                found["words"] = words
                run.save(update_fields=["progress"])

    def done(self, run: PhaseRun, step: Step, words: str = "", **facts: Any) -> None:
        """In the step's transaction. facts: for the timeline."""
        found, now = _of(run, step), _clock()
        seconds = (now - datetime.fromisoformat(found["at"])).total_seconds()
        found |= {"state": StepState.DONE.value, "seconds": round(seconds, 3), "words": words}
        run.save(update_fields=["progress", "proof", "error"])
        self.tell(run, step.value, seconds=round(seconds, 3), words=words, **facts)

    def tell(self, run: PhaseRun, what: str, **facts: Any) -> None:
        if run.incident_id is not None:
            incidents.record(
                incident=run.incident_id,
                kind=IncidentEvent.Kind.PHASE,
                actor=self.actor,
                run=run.pk,
                target=run.target,
                what=what,
                **facts,
            )

    def fail(self, step: Step, words: str) -> bool:
        """:returns: False where the step was done, and committed, before something went wrong: so it stays"""
        with self.step() as run:
            if is_done(run.progress, step):
                return False
            _of(run, step).update(state=StepState.FAILED.value, words=words)
            run.error = words
            self.tell(run, "failed", step=step.value, words=words)
            self.leave(run, PhaseRun.Status.FAILED)
        return True

    def wait_for_approval(self, run: PhaseRun, step: Step, words: str) -> None:
        """In the step's transaction. words: why also where it was approved before."""
        run.progress = taken_up_again(run.progress)
        _of(run, step).update(state=StepState.WAITING.value, words=words)
        self.tell(run, "waits for approval", **({"words": words} if words else {}))
        self.leave(run, PhaseRun.Status.ASKED)

    def leave(self, run: PhaseRun, status: str) -> None:
        """With this step's transaction it is nobody's."""
        run.status, run.lease_owner, run.lease_until = status, "", None
        if status in (PhaseRun.Status.DONE, PhaseRun.Status.FAILED):
            run.finished_at = Now()
        run.save(
            update_fields=[
                "status", "error", "progress", "lease_owner", "lease_until", "finished_at",
            ]
        )  # fmt: skip

    def let_go(self) -> None:
        """Ours no more, so that somebody else need not wait for the lease to end."""
        PhaseRun.objects.filter(pk=self.number, lease_owner=self.owner).update(
            lease_owner="", lease_until=None
        )


def claim(number: int, *, by: str) -> Hand | None:
    """:returns: None while it is somebody else's, or not to be carried out"""
    owner = f"{by[:40]} {uuid4().hex}"
    with limited(lock="2s"):
        free = Q(lease_until=None) | Q(lease_until__lte=Now())
        states = (PhaseRun.Status.READY, PhaseRun.Status.RUNNING)
        living = PhaseRun.objects.filter(free, pk=number, status__in=states)
        locked = living.select_for_update(skip_locked=True, of=("self",))
        found = locked.values_list("pk", flat=True).first()
        if found is None:
            return None
        PhaseRun.objects.filter(pk=found).update(
            status=PhaseRun.Status.RUNNING,
            lease_owner=owner,
            lease_until=Now() + LEASE,
            started_at=Coalesce("started_at", Now()),
        )
    return Hand(number=number, by=by, owner=owner)


@contextmanager
def renewed(hand: Hand) -> Iterator[None]:
    """A step may take longer than a lease."""
    ended = threading.Event()
    thread = threading.Thread(target=_renew, args=(hand, ended), name="phase lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _renew(hand: Hand, ended: threading.Event) -> None:
    try:
        while not ended.wait(BEAT):
            _renew_once(hand)
    finally:
        connections.close_all()


def _renew_once(hand: Hand) -> None:
    """While the tables move the row is locked, and nobody else can take it either."""
    ours = PhaseRun.objects.filter(pk=hand.number, lease_owner=hand.owner, lease_until__gt=Now())
    try:
        with limited(lock="1s", statement="3s"):
            ours.update(lease_until=Now() + LEASE)
    except Error as error:
        log.warning("phases.not_renewed", run=hand.number, error=without_rows(error))
        connection.close()


def _of(run: PhaseRun, step: Step) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in run.progress if one["name"] == step)
    return found


def _clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
