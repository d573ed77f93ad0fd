"""Since when what a trigger sees says anything of how things are now."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Max, Q

from rollback.models import FlagChange, Incident, Trigger

TAKES_AWAY = frozenset({Trigger.Action.KILL, Trigger.Action.PLAN})


def last(row: Trigger) -> datetime | None:
    """When what it had found was last said to be repaired: its incident was resolved, or a person raised
    one of its flags after an automatic change. None: never, or it takes nothing away.

    What was bad before that has been acted on. A window of a day would else take away again what has
    just been mended.
    """
    if row.action not in TAKES_AWAY:
        return None
    return max([*_resolved(row), *_raised(row.flags)], default=None)


def _resolved(row: Trigger) -> Iterator[datetime]:
    theirs = Q(trigger_name=row.name) | Q(judgments__trigger_name=row.name)
    found = Incident.objects.filter(theirs).aggregate(at=Max("resolved_at"))["at"]
    if found is not None:
        yield found


def _raised(names: Iterable[str]) -> Iterator[datetime]:
    """Only the first time after each automatic change: the steps of a way up are no repairs."""
    automatic = FlagChange.objects.filter(
        flag_name__in=list(names), actor_kind=FlagChange.Kind.AUTOMATIC
    )
    newest = automatic.order_by().values_list("flag_name").annotate(newest=Max("pk"))
    for name, number in newest:
        later = FlagChange.objects.filter(flag_name=name, pk__gt=number).order_by("pk")
        raised = (one.changed_at for one in later.iterator() if _is_up(one))
        yield from _first(raised)


def _first(moments: Iterator[datetime]) -> Iterator[datetime]:
    for moment in moments:
        yield moment
        return


def _is_up(change: FlagChange) -> bool:
    return _reach(change.after) > _reach(change.before)


def _reach(facts: dict[str, object]) -> float:
    """The share that it has in effect. No facts: there was no such flag."""
    if not facts or facts["killed"]:
        return 0.0
    return float(str(facts["share"]))
