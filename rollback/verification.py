"""One run of all probes: whether the school works, after a rollback or whenever somebody asks.

Each probe runs in a thread and a transaction of its own that is undone, with time limits in the
database; whoever asked waits for the limit and no longer, so that a probe that hangs is a finding
and hangs nobody. Two never verify at once: a run is a row, taken under an advisory lock, and one
whose process died is closed by the next.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from django.db import Error, connection, connections, transaction
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg.errors import LockNotAvailable, QueryCanceled

from enrollment.models import User
from rollback import baselines, incidents
from rollback.audit import Actor
from rollback.domain.errors import without_rows
from rollback.domain.probing import probing
from rollback.domain.verification import Found, ProbeFailed, recovery_time
from rollback.limits import limited
from rollback.models import Incident, IncidentEvent, ProbeResult, Verification
from rollback.probes import database, everywhere, pages, rows

log = structlog.get_logger(__name__)

CLAIM = 0x73636837  # any number that no other advisory lock has
# A probe that answers a little late is told apart from one that hangs.
GRACE = timedelta(milliseconds=500)
LOCK_MS = 2_000
LIMITS = """
    SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
           set_config('idle_in_transaction_session_timeout', %s, true)
"""


class VerificationRuns(Exception):
    """Another run is going on: the message says since when and whose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """check: finds, or raises ProbeFailed. It is given the incident that is verified, if any."""

    name: str
    title: str | Promise
    limit_ms: int
    check: Callable[[Incident | None], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    passed: bool
    found: Found
    milliseconds: int


PROBES = (
    Probe(
        name="constraints",
        title=gettext_lazy("Constraints and indexes"),
        limit_ms=10_000,
        check=lambda _incident: database.constraints(),
    ),
    Probe(
        name="orphans",
        title=gettext_lazy("Rows without their other half"),
        limit_ms=30_000,
        check=lambda _incident: database.orphans(),
    ),
    Probe(
        name="rows",
        title=gettext_lazy("Nothing lost"),
        limit_ms=30_000,
        check=lambda incident: rows.still_there(baselines.of_rows(incident=incident)),
    ),
    Probe(
        name="flow",
        title=gettext_lazy("The original enrollment"),
        limit_ms=10_000,
        check=lambda _incident: pages.flow(),
    ),
    Probe(
        name="roles",
        title=gettext_lazy("Every role's pages"),
        limit_ms=30_000,
        check=lambda _incident: pages.roles(),
    ),
    Probe(
        name="latency",
        title=gettext_lazy("Times of the original flow"),
        limit_ms=20_000,
        check=lambda _incident: pages.latency(),
    ),
    Probe(
        name="switchboard",
        title=gettext_lazy("Every process"),
        limit_ms=5_000,
        check=lambda _incident: everywhere.switchboard(),
    ),
)


def title(name: str) -> str:
    return next((str(probe.title) for probe in PROBES if probe.name == name), name)


def state(result: ProbeResult) -> tuple[str, str]:
    """:returns: a key ("passed", "not compared", "failed") and its word."""
    if not result.passed:
        return "failed", _("Failed")
    if not result.facts.get("compared", True):
        return "not compared", _("Not compared")
    return "passed", _("Passed")


def verify(*, incident: Incident | None, by: str) -> Verification:
    """Of an incident, the result stands in its timeline, in the transaction that ends the run.

    :raises VerificationRuns:
    """
    run = _begin(incident=incident, by=by)
    for probe in PROBES:
        _save(run, probe, within_limit(probe, incident))
    return _end(run)


def _begin(*, incident: Incident | None, by: str) -> Verification:
    with transaction.atomic(durable=True), limited(lock="5s"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM])
        _close_abandoned()
        going_on = Verification.objects.filter(ended_at=None).first()
        if going_on is not None:
            words = _("A verification by %(name)s is going on since %(time)s.")
            at = f"{going_on.started_at:%H:%M:%S %Z}"
            raise VerificationRuns(words % {"name": going_on.by_name, "time": at})
        return Verification.objects.create(incident=incident, by_name=_without_address(by))


def _without_address(by: str) -> str:
    """Nobody's mail address is kept in a row that leads to nobody: it could not be erased with them."""
    user = User.objects.filter(email__iexact=by).first() if "@" in by else None
    return f"person {user.pk}" if user else by[:150]


def _close_abandoned() -> None:
    """Whose process died: longer than all limits together no run takes. By the database's clock."""
    longest = timedelta(milliseconds=sum(probe.limit_ms for probe in PROBES)) + len(PROBES) * GRACE
    Verification.objects.filter(ended_at=None, started_at__lt=Now() - longest).update(
        ended_at=Now(), passed=False
    )


def within_limit(probe: Probe, incident: Incident | None) -> Outcome:
    """What the probe found; or that it has not, by its limit."""
    box: SimpleQueue[Outcome] = SimpleQueue()
    thread = threading.Thread(
        target=_answer, args=(probe, incident, box), name=f"probe {probe.name}", daemon=True
    )
    thread.start()
    try:
        outcome = box.get(timeout=probe.limit_ms / 1000 + GRACE.total_seconds())
    except Empty:
        log.warning("probe.hangs", probe=probe.name)
        words = _("No answer within %(limit)s ms; it was left behind.")
        found = Found(words=words % {"limit": probe.limit_ms})
        late = probe.limit_ms + int(GRACE / timedelta(milliseconds=1))
        return Outcome(passed=False, found=found, milliseconds=late)
    # Its session is closed before the next begins: no probe finds the locks of another.
    thread.join(GRACE.total_seconds())
    return outcome


def _answer(probe: Probe, incident: Incident | None, box: "SimpleQueue[Outcome]") -> None:
    started = time.perf_counter()
    try:
        passed, found = True, _undone(probe, incident)
    except ProbeFailed as failed:
        passed, found = False, Found(words=str(failed), facts=failed.facts)
    except Exception as error:
        # A probe: whatever breaks in it is its finding, and no other probe's.
        log.exception("probe.broken", probe=probe.name)
        passed, found = False, Found(words=_how_it_broke(error, probe))
    finally:
        connections.close_all()
    took = int((time.perf_counter() - started) * 1000)
    if passed and took > probe.limit_ms:
        words = _("It took %(took)s ms, more than %(limit)s ms.")
        said = words % {"took": took, "limit": probe.limit_ms}
        passed, found = False, Found(words=f"{said} {found.words}", facts=found.facts)
    box.put(Outcome(passed=passed, found=found, milliseconds=took))


def _undone(probe: Probe, incident: Incident | None) -> Found:
    """A statement, a lock and a pause between two statements each end by themselves."""
    limit = str(probe.limit_ms)
    with probing(), transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(LIMITS, [limit, str(min(LOCK_MS, probe.limit_ms)), limit])
        try:
            return probe.check(incident)
        finally:
            transaction.set_rollback(True)


def _how_it_broke(error: Exception, probe: Probe) -> str:
    cause = error.__cause__ if isinstance(error, Error) else None
    if isinstance(cause, QueryCanceled):
        return _("The database did not answer within %(limit)s ms.") % {"limit": probe.limit_ms}
    if isinstance(cause, LockNotAvailable):
        return _("Somebody else's transaction holds what the probe needs.")
    return f"{type(error).__name__}: {without_rows(error)}"[:1000]


def _save(run: Verification, probe: Probe, outcome: Outcome) -> None:
    ProbeResult.objects.create(
        verification=run,
        probe=probe.name,
        passed=outcome.passed,
        # What a broken page says may hold anything; PostgreSQL takes no NUL.
        words=outcome.found.words.replace("\x00", ""),
        milliseconds=outcome.milliseconds,
        limit_milliseconds=probe.limit_ms,
        facts={**outcome.found.facts, "compared": outcome.found.is_compared},
    )


@limited(lock="5s")
def _end(run: Verification) -> Verification:
    results = list(run.results.all())
    passed = len(results) == len(PROBES) and all(result.passed for result in results)
    Verification.objects.filter(pk=run.pk).update(ended_at=Now(), passed=passed)
    run.refresh_from_db()
    if run.incident is not None:
        _tell_incident(run, results, run.incident)
    return run


def _tell_incident(run: Verification, results: list[ProbeResult], incident: Incident) -> None:
    """The timeline says each change of the outcome, and not every two minutes that it is the same."""
    incident = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
    # What was found before it was off everywhere (or more was taken away) says nothing of now.
    early = incident.contained_at is None or run.started_at < incident.contained_at
    is_first = bool(run.passed and not early and incident.verified_at is None)
    if is_first:
        Incident.objects.filter(pk=incident.pk).update(verified_at=run.ended_at)
        incident.verified_at = run.ended_at
    # Then a run that passes is a row and says nothing yet.
    if (run.passed and early) or (not is_first and _said_already(run, results)):
        return
    kind = IncidentEvent.Kind.VERIFIED if run.passed else IncidentEvent.Kind.NOT_VERIFIED
    took = recovery_time(
        first_bad_at=incident.first_bad_at,
        opened_at=incident.opened_at,
        verified_at=incident.verified_at,
    )
    incidents.record(
        incident=incident.pk,
        kind=kind,
        actor=Actor(name=run.by_name),
        verification=run.pk,
        probes=[_as_fact(result) for result in results],
        recovery_seconds=None if took is None else round(took.total_seconds(), 1),
    )


def _as_fact(result: ProbeResult) -> dict[str, Any]:
    return {
        "probe": result.probe,
        "passed": result.passed,
        "compared": result.facts.get("compared", True),
        "milliseconds": result.milliseconds,
        "words": result.words,
    }


def _said_already(run: Verification, results: list[ProbeResult]) -> bool:
    before = (
        Verification.objects.filter(incident=run.incident_id, ended_at__isnull=False, pk__lt=run.pk)
        .order_by("-pk")
        .first()
    )
    if before is None:
        return False
    failed = set(before.results.filter(passed=False).values_list("probe", flat=True))
    return before.passed == run.passed and failed == {
        result.probe for result in results if not result.passed
    }
