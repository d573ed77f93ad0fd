"""What a rehearsal does, in order. Parent and child know each step by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

DONE, FAILED, LEFT_OUT = "done", "failed", "left out"
RESTORE, DROP = "restore", "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """limit, per_million: seconds, and how many more for each million rows. goes_on: what comes after it
    says something even when it fails.
    """

    name: str
    title: str | Promise
    limit: float
    per_million: float = 0.0
    goes_on: bool = False

    def seconds(self, *, rows: int, patience: float) -> float:
        return (self.limit + self.per_million * rows / 1_000_000) * patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """began: seconds since the rehearsal began. facts: JSON, by the step's own names."""

    name: str
    title: str
    state: str
    began: float = 0.0
    seconds: float = 0.0
    words: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state_word(self) -> str:
        return {DONE: _("done"), FAILED: _("failed"), LEFT_OUT: _("left out")}[self.state]


def _verified(name: str, title: str | Promise) -> Step:
    return Step(name=name, title=title, limit=120, per_million=10, goes_on=True)


# What the command does itself, around all others.
RESTORING = Step(
    name=RESTORE, title=gettext_lazy("Backup restored into a copy"), limit=300, per_million=120
)
DROPPING = Step(name=DROP, title=gettext_lazy("Copy dropped"), limit=120)
STEPS = (
    Step(
        name="ready",
        title=gettext_lazy("Copy made ready: all features on"),
        limit=120,
        per_million=30,
    ),
    Step(
        name="before",
        title=gettext_lazy("Measured before"),
        limit=120,
        per_million=20,
    ),
    Step(
        name="migrations",
        title=gettext_lazy("Each migration undone and applied again"),
        limit=120,
        per_million=60,
    ),
    Step(name="flags", title=gettext_lazy("Shares 100 → 50 → 25 → 0 %"), limit=60, per_million=30),
    Step(
        name="student",
        title=gettext_lazy("A student begins the new flow"),
        limit=120,
        goes_on=True,
    ),
    Step(name="phase 3", title=gettext_lazy("Phase 3: pages off"), limit=60, per_million=5),
    Step(
        name="student goes on",
        title=gettext_lazy("The student goes on in the original flow"),
        limit=60,
        goes_on=True,
    ),
    _verified("verify 3", gettext_lazy("Verification after phase 3")),
    Step(name="phase 2", title=gettext_lazy("Phase 2: API and tasks off"), limit=60, per_million=5),
    _verified("verify 2", gettext_lazy("Verification after phase 2")),
    Step(name="remember", title=gettext_lazy("Fingerprint"), limit=60, per_million=20),
    Step(name="phase 1", title=gettext_lazy("Phase 1: tables archived"), limit=90, per_million=20),
    _verified("verify 1", gettext_lazy("Verification after phase 1")),
    Step(
        name="times",
        title=gettext_lazy("Times of the original flow"),
        limit=60,
        goes_on=True,
    ),
    Step(name="reapply", title=gettext_lazy("Tables brought back"), limit=120, per_million=60),
    _verified("verify 0", gettext_lazy("Verification after the tables are back")),
    Step(
        name="compare",
        title=gettext_lazy("Fingerprints compared"),
        limit=60,
        per_million=20,
        goes_on=True,
    ),
    Step(name="back", title=gettext_lazy("Shares back to 100 %"), limit=60, per_million=30),
    _verified("verify all on", gettext_lazy("Verification at the end")),
)
