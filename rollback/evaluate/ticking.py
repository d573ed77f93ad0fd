"""One evaluation of all triggers, and then whatever goes on by itself: plans and open incidents."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import Error, connection
from django.db.models import Case, IntegerField, Value, When
from django.db.models.functions import Now

from rollback import aftermath, briefing, incidents, oncall, plans, triggers
from rollback.domain.errors import without_rows
from rollback.domain.metrics import Verdict
from rollback.domain.processes import kind_of
from rollback.domain.triggers import as_json
from rollback.domain.verdicts import Facts, facts_of
from rollback.evaluate.acting import Deed, act, actor_of
from rollback.evaluate.alone import Lease, LeaseLost, alone
from rollback.evaluate.judging import Judged, judged
from rollback.limits import limited
from rollback.models import Heartbeat, IncidentEvent, Judgment, Trigger
from rollback.oncall import pinging
from rollback.public import first
from rollback.public.status import kept

log = structlog.get_logger(__name__)

STALE = timedelta(seconds=30)
# At little traffic OK and UNKNOWN take turns; the heartbeat says so at once, the judgments now and then.
RESTLESS = timedelta(minutes=10)
# Longer than the longest pause after an action.
KEPT = timedelta(days=60)
# What takes something away comes first: nothing after it makes it late.
URGENCY = (Trigger.Action.KILL, Trigger.Action.PLAN, Trigger.Action.CASE, Trigger.Action.ALERT)

# One of a process follows up at a time: what follows may take minutes, and no thread waits for it. The
# public's first word has its time, so it waits for nothing of that.
_following = threading.Lock()
_speaking = threading.Lock()


def tick(*, by: str) -> bool:
    """by: who evaluates. :returns: False where somebody else is at it"""
    has_evaluated = _tick(by=by, only_if_stale=False)
    if has_evaluated:
        pinging.soon()
        say_first(by=by)
        _follow_up(by=by)
    return has_evaluated


def take_over() -> None:
    """For a process that has something else to do: evaluates when nobody has for half a minute.

    Called by the thread that writes the samples, which what follows must not keep from writing.
    """
    try:
        by = _this_process()
        if _is_stale() and _tick(by=by, only_if_stale=True):
            pinging.soon()
            _elsewhere(_speaking, _first_word, by=by, name="first word")
            _elsewhere(_following, _all_that_follows, by=by, name="follow-up")
    except Error as error:  # the database is away: so is everything there is to judge
        log.warning("evaluate.no_database", error=without_rows(error))
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _this_process() -> str:
    return f"{kind_of(sys.argv)}, {socket.gethostname()}, {os.getpid()}"


def _is_stale() -> bool:
    newer = Heartbeat.objects.filter(name=triggers.HEARTBEAT, beat_at__gt=Now() - STALE)
    with limited():
        return not newer.exists()


def _tick(*, by: str, only_if_stale: bool) -> bool:
    with alone() as lease:
        # Of several that found nobody at it, the first has done it for all.
        if lease is None or (only_if_stale and not _is_stale()):
            return False
        began = time.monotonic()
        try:
            verdicts = _evaluate(lease, now=_database_clock())
            took = round((time.monotonic() - began) * 1000)
            _beat(lease, by=by, verdicts=verdicts, milliseconds=took)
        except LeaseLost:
            log.warning("evaluate.overtaken", by=by)
            return False
    return True


def say_first(*, by: str) -> None:
    """The worker's own task does it as well: whoever evaluates may be in the middle of what follows."""
    _here(_speaking, _first_word, by=by)


def _follow_up(*, by: str) -> None:
    """Not under the lease: a verification takes longer than a tick, and the next one does not wait."""
    _here(_following, _all_that_follows, by=by)


def _here(ours: threading.Lock, what: Callable[..., None], *, by: str) -> None:
    if ours.acquire(blocking=False):
        try:
            what(by=by)
        finally:
            ours.release()


def _elsewhere(ours: threading.Lock, what: Callable[..., None], *, by: str, name: str) -> None:
    if not ours.acquire(blocking=False):
        return

    def run() -> None:
        try:
            what(by=by)
        finally:
            connection.close()  # this thread's own
            ours.release()

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:  # the interpreter is ending; another process does it
        ours.release()
        log.info("evaluate.not_followed_up")


def _first_word(*, by: str) -> None:
    _on_its_own(first.look, by=by)


def _all_that_follows(*, by: str) -> None:
    _on_its_own(plans.advance_due, by=by)
    # Before what may take minutes: who is called has its time; while that takes them, the worker's own task
    # calls people.
    _on_its_own(oncall.look, by=by)
    _on_its_own(aftermath.look, by=by)
    # After the counting: the page says whom it concerns.
    _on_its_own(briefing.look, by=by)
    _on_its_own(kept.look, by=by)


def _after_fork() -> None:
    """A child has none of its parent's threads, so nobody there would release it."""
    global _following, _speaking
    _following, _speaking = threading.Lock(), threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _on_its_own(what: Callable[..., Any], *, by: str) -> None:
    try:
        what(by=by)
    except Exception:  # one that breaks keeps nobody from judging, stepping down or verifying
        log.exception("evaluate.broken", what=what.__module__)


def _database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _evaluate(lease: Lease, *, now: datetime) -> dict[str, Facts]:
    order = Case(
        *(When(action=action, then=Value(place)) for place, action in enumerate(URGENCY)),
        default=Value(len(URGENCY)),
        output_field=IntegerField(),
    )
    with limited():
        rows = list(Trigger.objects.filter(is_enabled=True).order_by(order, "severity", "name"))
        before = triggers.last_judgments(row.name for row in rows)
        beat = Heartbeat.objects.filter(name=triggers.HEARTBEAT).first()
    said_before = facts_of(beat.verdicts if beat else {})
    found: dict[str, Facts] = {}
    for row in rows:
        lease.keep()
        outcome = judged(row, now=now)
        # Judged, but neither acted on nor written down, is still seen on the console.
        found[row.name] = _facts(outcome, Deed(), said_before.get(row.name), now)
        try:
            deed = _acted_and_recorded(lease, outcome, before.get(row.name), now)
        except LeaseLost:
            raise
        except Exception:  # as above: this trigger alone
            log.exception("trigger.not_recorded", trigger=row.name)
        else:
            found[row.name] = _facts(outcome, deed, said_before.get(row.name), now)
    return found


def _acted_and_recorded(
    lease: Lease, judged: Judged, before: Judgment | None, now: datetime
) -> Deed:
    """What is done, and why, are one transaction, of whoever still holds the lease.

    :raises LeaseLost:
    """
    is_breach = judged.finding.verdict is Verdict.BREACH
    if not is_breach and not _is_news(judged, Deed(), before, now):
        return Deed()
    with limited(statement="10s"):
        lease.hold()
        deed = act(judged, now=now)
        if _is_news(judged, deed, before, now):
            _record(judged, deed)
    return deed


def _is_news(judged: Judged, deed: Deed, before: Judgment | None, now: datetime) -> bool:
    if before is None or deed.action:
        return True
    verdict = judged.finding.verdict
    if verdict != before.verdict and Verdict.BREACH in (verdict, before.verdict):
        return True
    is_same = verdict == before.verdict and before.version == judged.rule.version
    # A breach that goes on after something was done about it is the same one.
    is_same = is_same and (bool(before.action) or before.why_not == deed.why_not[:200])
    return not is_same and before.judged_at < now - RESTLESS


def _record(judged: Judged, deed: Deed) -> None:
    finding, row = judged.finding, judged.row
    judgment = Judgment.objects.create(
        trigger_name=row.name,
        version=row.version,
        verdict=finding.verdict,
        words=finding.words,
        evidence=as_json(judged.rule, judged.evidence),
        first_bad_at=finding.first_bad_at,
        action=deed.action,
        why_not=deed.why_not[:200],
        is_shadow=row.is_shadow,
        incident=deed.incident,
    )
    if deed.incident is not None:
        incidents.record(
            incident=deed.incident.pk,
            kind=IncidentEvent.Kind.JUDGED,
            actor=actor_of(row),
            judgment=judgment.pk,
            trigger=row.name,
            version=row.version,
            words=finding.words,
            is_not_the_feature=finding.is_not_the_feature,
        )


def _facts(judged: Judged, deed: Deed, before: Facts | None, now: datetime) -> Facts:
    finding = judged.finding
    is_same = before is not None and before.get("verdict") == finding.verdict
    return {
        "verdict": finding.verdict.value,
        "since": (before["since"] if before and is_same else "") or now.isoformat(),
        "words": finding.words,
        "template": finding.said.template,
        "values": dict(finding.said.values),
        "rate": finding.rate,
        "bound": finding.bound,
        "total": finding.total,
        "bad": finding.bad,
        "why_not": deed.why_not,
        "is_not_the_feature": finding.is_not_the_feature,
    }


def _beat(lease: Lease, *, by: str, verdicts: dict[str, Facts], milliseconds: int) -> None:
    with limited():
        lease.hold()
        Heartbeat.objects.filter(name=triggers.HEARTBEAT).update(
            beat_at=Now(), by=by[:150], milliseconds=milliseconds, verdicts=verdicts
        )


def delete_old(*, now: datetime) -> int:
    """Judgments that led to nothing; what an incident rests on stays. :returns: how many"""
    old = Judgment.objects.filter(judged_at__lt=now - KEPT, incident=None)
    return old.delete()[0]
