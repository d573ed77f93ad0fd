"""A sending is released, paused, resumed, stopped: by a person, and written into the timeline."""

from collections.abc import Collection, Mapping

from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback.audit import Actor, ChangeRefused
from rollback.models import Notification, Sending
from rollback.outbox.preparing import say
from rollback.outbox.waking import wake
from rollback.words import versions_now

State = Notification.State
OPEN = (State.WAITING, State.HELD)
# What was given up is not tried again by a sending that was stopped.
UNTOLD = (*OPEN, State.DEAD)
# From → to, as a person may have it; what comes to its end does that by itself.
SENDING_STEPS: Mapping[str, frozenset[str]] = {
    Sending.State.HELD: frozenset({Sending.State.GOING, Sending.State.STOPPED}),
    Sending.State.GOING: frozenset({Sending.State.PAUSED, Sending.State.STOPPED}),
    Sending.State.PAUSED: frozenset({Sending.State.GOING, Sending.State.STOPPED}),
    Sending.State.STOPPED: frozenset(),
    Sending.State.DONE: frozenset(),
}


@transaction.atomic
def release(
    *,
    sending: int,
    actor: Actor,
    people: int | None = None,
    versions: Mapping[str, int] | None = None,
) -> Sending:
    """From now on it goes out, in the words that the letter has now, whatever is saved later. people,
    versions: how many, and which words by language, were shown to whoever releases it.

    :raises ChangeRefused: also where it is not as many people any more, or not these words
    """
    found = _locked(sending, Sending.State.GOING, before=(Sending.State.HELD,))
    held = found.notifications.filter(state=State.HELD).count()
    if people is not None and people != held:
        words = _("It is %(now)s people now, and you were shown %(shown)s. Look again.")
        raise ChangeRefused(words % {"now": held, "shown": people})
    if not held:
        raise ChangeRefused(_("There is nobody to be told."))
    now = versions_now(found.letter)
    if versions is not None and dict(versions) != now:
        raise ChangeRefused(_("The letter was changed meanwhile. Read it again, then release it."))
    Sending.objects.filter(pk=sending).update(
        released_at=Now(),
        released_by=actor.user,
        released_by_name=actor.name[:150],
        versions=now,
    )
    return _move(found, actor, "released", (State.HELD,), State.WAITING)


@transaction.atomic
def pause(*, sending: int, actor: Actor) -> Sending:
    """What a worker has in its hands at this moment still goes out. :raises ChangeRefused:"""
    found = _locked(sending, Sending.State.PAUSED)
    return _move(found, actor, "paused", (State.WAITING,), State.HELD)


@transaction.atomic
def resume(*, sending: int, actor: Actor) -> Sending:
    """:raises ChangeRefused:"""
    found = _locked(sending, Sending.State.GOING, before=(Sending.State.PAUSED,))
    return _move(found, actor, "resumed", (State.HELD,), State.WAITING)


@transaction.atomic
def stop(*, sending: int, actor: Actor) -> Sending:
    """Whoever has not been told is not told any more. For good. :raises ChangeRefused:"""
    found = _locked(sending, Sending.State.STOPPED)
    Sending.objects.filter(pk=sending).update(ended_at=Now())
    return _move(found, actor, "stopped", UNTOLD, State.STOPPED)


def _locked(sending: int, state: str, *, before: Collection[str] = ()) -> Sending:
    """before: from which states this way leads. :raises ChangeRefused:"""
    found = Sending.objects.select_for_update(no_key=True).filter(pk=sending).first()
    if found is None:
        raise ChangeRefused(_("There is no sending %s.") % sending)
    if state not in SENDING_STEPS[found.state] or (before and found.state not in before):
        words = _("This sending is “%(state)s”: that cannot be done now.")
        raise ChangeRefused(words % {"state": found.get_state_display()})
    Sending.objects.filter(pk=sending).update(state=state)
    return found


def _move(
    sending: Sending, actor: Actor, what: str, before: Collection[str], after: str
) -> Sending:
    rows = sending.notifications.filter(state__in=before)
    say(sending, actor=actor, what=what, people=rows.update(state=after))
    if after == State.WAITING:
        wake()
    sending.refresh_from_db()
    return sending


def finish(*, actor: Actor) -> None:
    """Sendings of which nothing waits any more have come to their end."""
    left = Notification.objects.filter(sending=OuterRef("pk"), state__in=OPEN)
    over = Sending.objects.filter(~Exists(left), state=Sending.State.GOING)
    for sending in list(over.values_list("pk", flat=True)):
        _end(sending, actor)


@transaction.atomic
def _end(sending: int, actor: Actor) -> None:
    going = Sending.objects.select_for_update(no_key=True).filter(state=Sending.State.GOING)
    found = going.filter(pk=sending).first()
    if found is None or found.notifications.filter(state__in=OPEN).exists():
        return
    Sending.objects.filter(pk=sending).update(state=Sending.State.DONE, ended_at=Now())
    say(found, actor=actor, what="done", counts=progress(found))


def progress(sending: Sending) -> dict[str, int]:
    """State → how many, those that came back as "bounced", and "all"."""
    counted = sending.notifications.order_by().values_list("state").annotate(Count("pk"))
    found = {str(state): number for state, number in counted}
    bounced = sending.notifications.filter(bounced_at__isnull=False).count()
    return {"all": sum(found.values()), "bounced": bounced, **found}
