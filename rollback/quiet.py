"""Whether it is quiet enough to give a feature to more people."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from rollback.domain.metrics import Verdict
from rollback.domain.verdicts import facts_of
from rollback.models import Flag, Heartbeat, Judgment, Trigger, Verification

# The triggers are evaluated every ten seconds, or by a web process after thirty.
LONGEST_SILENCE = timedelta(seconds=90)


def why_not(*, flags: Collection[str], seconds: int, now: datetime) -> str:
    """In words, what has not been quiet for so long; empty if everything has.

    Nobody who watches is not quiet. A trigger that cannot judge for want of traffic is no reason.
    """
    verdicts = _verdicts(now)
    if verdicts is None:
        return _("Nobody is evaluating the triggers, so it is not known whether all is well.")
    names = _triggers(flags)
    loud = sorted(name for name in names if verdicts.get(name) == Verdict.BREACH)
    loud = loud or _were_loud(names, now - timedelta(seconds=seconds), now)
    if loud:
        return _("Not quiet for %(seconds)s s yet: %(triggers)s.") % {
            "seconds": seconds,
            "triggers": ", ".join(loud),
        }
    return _failed_verification()


def _verdicts(now: datetime) -> dict[str, str] | None:
    """Trigger → verdict, of the newest evaluation; None when there was none lately."""
    beat = Heartbeat.objects.order_by("-beat_at").first()
    if beat is None or beat.beat_at < now - LONGEST_SILENCE:
        return None
    return {name: facts["verdict"] for name, facts in facts_of(beat.verdicts).items()}


def _triggers(flags: Collection[str]) -> set[str]:
    """What looks at one of these flags, or at a master of theirs; what only runs in shadow does not count."""
    masters = Flag.objects.filter(name__in=flags).values_list("requires__name", flat=True)
    names = [*flags, *(name for name in masters if name)]
    looking = Trigger.objects.filter(is_enabled=True, is_shadow=False)
    looking = looking.filter(Q(feature__in=names) | Q(flags__overlap=names))
    return set(looking.values_list("name", flat=True))


def _were_loud(names: set[str], since: datetime, now: datetime) -> list[str]:
    """Those that were in breach at `since`, or have been since: judgments are where it changed."""
    judged = Judgment.objects.filter(trigger_name__in=names, judged_at__lte=now)
    before = judged.filter(judged_at__lte=since).order_by("trigger_name", "-judged_at", "-pk")
    then = before.distinct("trigger_name").values_list("trigger_name", "verdict")
    found = {name for name, verdict in then if verdict == Verdict.BREACH}
    meanwhile = judged.filter(judged_at__gt=since, verdict=Verdict.BREACH)
    found.update(meanwhile.values_list("trigger_name", flat=True))
    return sorted(found)


def _failed_verification() -> str:
    last = Verification.objects.exclude(passed=None).order_by("-started_at", "-pk").first()
    if last is None or last.passed:
        return ""
    return _("The last verification (%(number)s) failed.") % {"number": last.pk}
