"""The states that the schema can be in, and the commands that are the way out of them."""

from dataclasses import dataclass, field

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy


class State(TextChoices):
    """From the worst to the best: where there are several, the first is the diagnosis."""

    EMPTY = "empty", gettext_lazy("nothing there yet")
    UNKNOWN = "unknown", gettext_lazy("made by another version")
    UNDER_WAY = "under_way", gettext_lazy("being changed right now")
    STOPPED = "stopped", gettext_lazy("stopped in the middle")
    FAKED = "faked", gettext_lazy("recorded otherwise than it is")
    LOST = "lost", gettext_lazy("tables missing")
    STRAY = "stray", gettext_lazy("archive and ledger disagree")
    HALF = "half", gettext_lazy("half of it away")
    DRIFT = "drift", gettext_lazy("tables changed by hand")
    WAITING = "waiting", gettext_lazy("migrations not applied")
    UNCHECKED = "unchecked", gettext_lazy("foreign keys not checked")
    UNSEALED = "unsealed", gettext_lazy("archive not counted")
    CHANGED = "changed", gettext_lazy("archived rows changed")
    ARCHIVED = "archived", gettext_lazy("archived")
    IN_PLACE = "in_place", gettext_lazy("in place")


SOUND = (State.IN_PLACE, State.ARCHIVED)
# After these nothing else can be told.
LAST_WORD = (State.EMPTY, State.UNKNOWN)

MANAGE = "python manage.py "
AGAIN = MANAGE + "rollback doctor"
BACKUP = MANAGE + "backup"
BACKUPS = MANAGE + "backup list"
FINISH = MANAGE + "rollback finish"
REAPPLY = MANAGE + 'rollback reapply --reason "they are needed again"'
RESUME = MANAGE + "rollback resume"
KILL = MANAGE + 'rollback kill --reason "tables are missing"'


@dataclass(frozen=True, kw_only=True)
class Finding:
    """next: a command; empty where there is nothing to do."""

    state: State
    words: str
    next: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Finding):
    """also: what else was seen, to be looked at when the first is mended."""

    also: tuple[str, ...] = field(default=())

    @property
    def sound(self) -> bool:
        return self.state in SOUND
