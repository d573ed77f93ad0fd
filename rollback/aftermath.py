"""What follows a rollback by itself: off everywhere, then verified, each written into the timeline."""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import Error
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from rollback import affected, baselines, incidents, processes, sendings, verification
from rollback.audit import Actor
from rollback.domain.errors import without_rows
from rollback.domain.processes import RollCall
from rollback.limits import limited
from rollback.models import Draining, Flag, Incident, IncidentEvent, Latch

log = structlog.get_logger(__name__)

# While it fails it is asked again so often; everything else would only add to the trouble.
AGAIN = timedelta(minutes=2)
# Seconds. So often what is over is looked at again, while somebody may still have to be told.
OVER_AGAIN = 60.0
# Incident → when it was opened, how it stood when this process last looked whom to tell, and when that was.
_looked: dict[int, tuple[datetime, sendings.Mark, float]] = {}


def look(*, by: str) -> int:
    """Called after each tick, and not in its transaction. :returns: how many incidents waited."""
    with limited():
        waiting = _waiting()
    for incident in waiting:
        try:
            _look_at(incident, by=by)
        except verification.VerificationRuns as runs:
            log.info("aftermath.waits", incident=incident.pk, because=str(runs))
        except Exception:
            # The watch: one incident that breaks must not keep the others from being looked after.
            log.exception("aftermath.broken", incident=incident.pk)
    _count_people()
    _tell_that_it_is_over()
    return len(waiting)


def _waiting() -> list[Incident]:
    """Open, not verified yet, and something was taken away for it."""
    latched = Latch.objects.filter(incident=OuterRef("pk"))
    return list(
        Incident.objects.filter(Exists(latched), resolved_at=None, verified_at=None).order_by("pk")
    )


def _look_at(incident: Incident, *, by: str) -> None:
    remember_rows(incident)
    if incident.contained_at is None and not contain(incident, by=by):
        return
    incident.refresh_from_db()
    if _asked_lately(incident):
        return
    verification.verify(incident=incident, by=by)


def remember_rows(incident: Incident) -> None:
    try:
        baselines.remember_rows(incident=incident.pk)
    except Error as error:
        # Then the last quiet night's is all there is to compare with.
        log.warning("aftermath.rows_not_read", incident=incident.pk, error=without_rows(error))


def contain(incident: Incident, *, by: str) -> bool:
    """Every process that lives runs flags of which those of this incident are off.

    Silent ones do not count: without a reading they have switched everything off by themselves.
    """
    names = list(incident.latches.values_list("flag_name", flat=True))
    found = off_everywhere(names)
    if found is None:
        return False
    with limited():
        written = Incident.objects.filter(pk=incident.pk, contained_at=None).update(
            contained_at=Now()
        )
        if written:
            slowest = found.slowest
            incidents.record(
                incident=incident.pk,
                kind=IncidentEvent.Kind.CONTAINED,
                actor=Actor(name=by, automatic=True),
                version=found.version,
                processes=len(found.reached),
                silent=len(found.silent),
                slowest_ms=None if slowest is None else slowest / timedelta(milliseconds=1),
            )
    return True


def off_everywhere(flags: Collection[str]) -> RollCall | None:
    """The flags are read before the roll is called: whoever runs that version or a later one, runs
    them as they were read."""
    if not all(is_off(flag) for flag in Flag.objects.filter(name__in=flags)):
        return None
    found = processes.roll_call()
    return None if found is None or found.waiting else found


def is_off(flag: Flag) -> bool:
    """Killed, or stepped down to nobody; who is still being drained has it."""
    if flag.is_killed:
        return True
    return (
        not flag.percent
        and not Draining.objects.filter(flag_name=flag.name, until__gt=Now()).exists()
    )


def _count_people() -> None:
    """Of every open incident, cases too: whom it concerns is frozen once for what was taken away,
    what it cost is counted again."""
    with limited():
        concerned = sendings.marks(Incident.objects.filter(resolved_at=None))
    for incident, mark in concerned:
        try:
            affected.count(incident, with_them=partial(_prepare_letters, mark=mark))
        except Exception:
            # The watch: as above.
            log.exception("aftermath.not_counted", incident=incident.pk)


def _prepare_letters(incident: Incident, *, mark: sendings.Mark) -> None:
    """Right after it is known whom it concerns, and not in that transaction. Not again while nothing has
    happened since: for that everything that was written to its people is read."""
    if not _is_news(incident, mark):
        return
    try:
        sendings.prepare_alone(incident)
        _looked[incident.pk] = incident.opened_at, mark, time.monotonic()
    except Exception:
        # The watch: who is concerned has to be known although no letter can be prepared; the next look
        # prepares it.
        log.exception("aftermath.not_prepared", incident=incident.pk)


def _tell_that_it_is_over() -> None:
    """Of resolved ones: what became true since, and what their own transaction could not prepare."""
    with limited():
        concerned = sendings.marks(sendings.over())
    for incident, mark in concerned:
        _prepare_letters(incident, mark=mark)


def _is_news(incident: Incident, mark: sendings.Mark) -> bool:
    """Another process may have looked: it finds nothing to do. While it is open, its timeline says all that
    matters; after that how mails went and flags stand matters, which is looked at once a minute."""
    opened_at, before, at = _looked.get(incident.pk, (None, None, 0.0))
    if opened_at != incident.opened_at or before is None or before.newest != mark.newest:
        return True
    if incident.is_open or time.monotonic() < at + OVER_AGAIN:
        return False
    return mark != before or not mark.is_settled


def _asked_lately(incident: Incident) -> bool:
    """Since it is off everywhere: what was found before says nothing of now."""
    return incident.verifications.filter(
        passed=False, ended_at__gt=Now() - AGAIN, started_at__gte=incident.contained_at
    ).exists()
