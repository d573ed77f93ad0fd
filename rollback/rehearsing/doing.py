"""The steps, done in the child process on the copy; each finds facts, or raises StepFailed."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from rollback import baselines, verification
from rollback.models import Verification
from rollback.rehearsing import prints, ready, shares, surroundings, times, undoing
from rollback.rehearsing.helper import StepFailed
from rollback.rehearsing.journey import Journey, journey
from rollback.rehearsing.phasing import Phases
from rollback.schema.fingerprint import Fingerprint

Facts = dict[str, Any]


class Work:
    """What one step leaves for another is kept in here: they are all done by one process.

    :raises surroundings.NotTheCopy:
    """

    def __init__(self, *, say: Callable[[str], object]) -> None:
        self.say = say
        surroundings.watch()
        connection.ensure_connection()
        self.journey: Journey | None = None
        self.times: times.Times = {}
        self.print: Fingerprint | None = None
        self.phases: Phases | None = None

    def do(self, step: str) -> Facts:
        """:raises StepFailed:"""
        phase, _space, number = step.partition(" ")
        if phase == "verify":
            return self._verify()
        if phase == "phase":
            return self._phases().down(int(number))
        does: dict[str, Callable[[], Facts]] = {
            "ready": self._ready,
            "before": self._before,
            "migrations": lambda: undoing.each(self.print or prints.take()),
            "flags": lambda: shares.walk(shares.DOWN),
            "student": self._begin,
            "student goes on": self._go_on,
            "remember": self._remember,
            "times": self._times,
            "reapply": lambda: self._phases().back(),
            "compare": self._compare,
            "back": self._back,
        }
        return does[step]()

    def close(self) -> None:
        if self.journey is not None:
            self.journey.close()

    def _ready(self) -> Facts:
        return {"words": ready.make_ready()}

    def _before(self) -> Facts:
        self._journey().prepare()
        found = self.print = prints.take()
        rows = baselines.take()
        self.times = times.measured()
        words = _("%(tables)s tables with %(rows)s rows; the baselines were taken.")
        counts = {"tables": len(found.tables), "rows": found.rows}
        return {**counts, "words": words % counts, "times": self.times, "baselines": len(rows)}

    def _begin(self) -> Facts:
        """The features are on again: the phases take them away from there."""
        shares.all_on()
        return {"words": self._journey().begin()}

    def _go_on(self) -> Facts:
        return {"words": self._journey().go_on()}

    def _journey(self) -> Journey:
        if self.journey is None:
            self.journey = journey()
        return self.journey

    def _phases(self) -> Phases:
        if self.phases is None:
            self.phases = Phases(say=self.say)
        return self.phases

    def _verify(self) -> Facts:
        """By the phase itself, as its last step, or now."""
        known = self.phases.verified if self.phases else None
        if known is None:
            run = verification.verify(incident=None, by="rehearsal")
        else:
            run = Verification.objects.get(pk=known)
        if self.phases:
            self.phases.verified = None
        found = list(run.results.all())
        facts: Facts = {
            "probes": [
                {"probe": one.probe, "passed": one.passed, "milliseconds": one.milliseconds}
                for one in found
            ]
        }
        failed = [one for one in found if not one.passed]
        if [one.probe for one in failed] == ["latency"] and self._machine_is_slow():
            words = _(
                "Everything else passed. The pages were slow because the machine was: measured beside a "
                "fixed piece of work they are not slower than before."
            )
            return facts | {"words": words}
        if failed:
            said = " ".join(f"{verification.title(one.probe)}: {one.words}" for one in failed)
            raise StepFailed(said, **facts)
        words = _("All %(number)s probes passed.") % {"number": len(found)}
        return facts | {"words": words}

    def _machine_is_slow(self) -> bool:
        return bool(self.times) and not times.slower(self.times, times.measured())

    def _remember(self) -> Facts:
        self.print = prints.take()
        counts = {"tables": len(self.print.tables), "rows": self.print.rows}
        return {**counts, "words": _("%(tables)s tables, %(rows)s rows.") % counts}

    def _compare(self) -> Facts:
        if self.print is None:
            raise StepFailed(_("There is no fingerprint from before."))
        found = prints.differences(self.print, prints.take())
        if found:
            raise StepFailed(prints.in_words(found), differences=found)
        words = _(
            "Every row and every definition of %(tables)s tables is what it was before phase 1."
        )
        return {
            "tables": len(self.print.tables),
            "differences": [],
            "words": words % {"tables": len(self.print.tables)},
        }

    def _times(self) -> Facts:
        now = times.measured()
        if slow := times.slower(self.times, now):
            raise StepFailed(_("Too slow: %(pages)s.") % {"pages": ", ".join(slow)}, times=now)
        return {"times": now, "words": times.in_words(self.times, now)}

    def _back(self) -> Facts:
        self._phases().let_back()
        shares.none_on()
        return shares.walk(shares.UP)
