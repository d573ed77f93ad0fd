"""Whether it is quiet enough to give a feature to more people."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from rollback import verification
from rollback.domain.metrics import Verdict
from rollback.domain.triggers import WANT_OF_TRAFFIC
from rollback.domain.verdicts import facts_of
from rollback.models import Flag, Heartbeat, Judgment, Trigger, Verification

log = structlog.get_logger(__name__)

# The triggers are evaluated every ten seconds, or by a web process after thirty.
LONGEST_SILENCE = timedelta(seconds=90)
# How old the passed verification may be before a plan's first step; later, as its step was looked at, but
# not less than one takes.
BEFORE_THE_FIRST = timedelta(minutes=30)
LEAST = timedelta(minutes=1)
# While it fails it is asked again so often.
AGAIN = timedelta(minutes=2)


def why_not(*, flags: Collection[str], seconds: int | None, now: datetime) -> str:
    """In words, what has not been quiet for so long; empty if everything has. seconds: how long the last
    step is to be looked at; None: this is the first.

    Nobody who watches is not quiet. A trigger that cannot judge for want of traffic is no reason.
    """
    return _loud(flags, seconds or 0, now) or _not_verified(seconds, now)


def verify(*, flags: Collection[str], seconds: int | None, by: str, now: datetime) -> None:
    """The verification that the next step needs, when nothing else is in its way. In no transaction: it
    takes longer than anybody may hold a lock. What came of it, `why_not` says.
    """
    if connection.in_atomic_block or _loud(flags, seconds or 0, now):
        return
    if not _not_verified(seconds, now) or _failed_lately(now):
        return
    try:
        verification.verify(incident=None, by=by)
    except verification.VerificationRuns as runs:
        log.info("quiet.waits", because=str(runs))


def _loud(flags: Collection[str], seconds: int, now: datetime) -> str:
    verdicts = _verdicts(now)
    if verdicts is None:
        return _("Nobody is evaluating the triggers, so it is not known whether all is well.")
    rows = _triggers(flags)
    loud = sorted(name for name in rows if verdicts.get(name, {}).get("verdict") == Verdict.BREACH)
    loud = loud or _were_loud(rows, now - timedelta(seconds=seconds), now)
    if loud:
        return _("Not quiet for %(seconds)s s yet: %(triggers)s.") % {
            "seconds": seconds,
            "triggers": ", ".join(loud),
        }
    for name, row in sorted(rows.items()):
        if name in verdicts and _is_doubtful(row, verdicts[name]):
            words = _("It is not certain that all is well. %(trigger)s: %(words)s")
            said = verdicts[name].get("words") or verdicts[name].get("verdict") or "?"
            return words % {"trigger": name, "words": said}
    return ""


def _is_doubtful(row: Trigger, facts: Mapping[str, Any]) -> bool:
    """A trigger that could not be judged, or has begun to be in breach and is not yet certain of it."""
    if facts.get("verdict") == Verdict.OK:
        return False
    rate = facts.get("rate")
    is_beyond = rate is not None and rate > row.threshold
    return is_beyond or facts.get("template") not in WANT_OF_TRAFFIC


def _verdicts(now: datetime) -> Mapping[str, Mapping[str, Any]] | None:
    """Trigger → what it came to in the newest evaluation; None when there was none lately."""
    beat = Heartbeat.objects.order_by("-beat_at").first()
    if beat is None or beat.beat_at < now - LONGEST_SILENCE:
        return None
    return facts_of(beat.verdicts)


def _triggers(flags: Collection[str]) -> dict[str, Trigger]:
    """What looks at one of these flags, or at a master of theirs; what only runs in shadow does not count."""
    masters = Flag.objects.filter(name__in=flags).values_list("requires__name", flat=True)
    names = [*flags, *(name for name in masters if name)]
    looking = Trigger.objects.filter(is_enabled=True, is_shadow=False)
    looking = looking.filter(Q(feature__in=names) | Q(flags__overlap=names))
    return {row.name: row for row in looking}


def _were_loud(names: Collection[str], since: datetime, now: datetime) -> list[str]:
    """Those that were in breach at `since`, or have been since: judgments are where it changed."""
    judged = Judgment.objects.filter(trigger_name__in=names, judged_at__lte=now)
    before = judged.filter(judged_at__lte=since).order_by("trigger_name", "-judged_at", "-pk")
    then = before.distinct("trigger_name").values_list("trigger_name", "verdict")
    found = {name for name, verdict in then if verdict == Verdict.BREACH}
    meanwhile = judged.filter(judged_at__gt=since, verdict=Verdict.BREACH)
    found.update(meanwhile.values_list("trigger_name", flat=True))
    return sorted(found)


def _not_verified(seconds: int | None, now: datetime) -> str:
    last = _last_verification()
    if last is not None and not last.passed:
        return _("The last verification (%(number)s) failed.") % {"number": last.pk}
    age = BEFORE_THE_FIRST if seconds is None else max(timedelta(seconds=seconds), LEAST)
    if last is not None and last.started_at > now - age:
        return ""
    if Verification.objects.filter(ended_at=None).exists():
        return _("A verification is going on; it has to pass first.")
    words = _(
        "No verification has passed in the last %(seconds)s s, so it is not known whether the school works "
        "(manage.py rollback verify)."
    )
    return words % {"seconds": round(age.total_seconds())}


def _failed_lately(now: datetime) -> bool:
    last = _last_verification()
    if last is None or last.passed or last.ended_at is None:
        return False
    return last.ended_at > now - AGAIN


def _last_verification() -> Verification | None:
    """Of those that are over."""
    return Verification.objects.exclude(passed=None).order_by("-started_at", "-pk").first()
