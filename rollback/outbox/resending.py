"""What was given up is tried again; but for what nobody needs any more, or nobody wanted to go out."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from rollback.audit import Actor
from rollback.domain.sendings import TO_PEOPLE
from rollback.models import Notification, Sending
from rollback.outbox.message import answered
from rollback.outbox.preparing import say
from rollback.outbox.waking import wake

State = Notification.State


@dataclass(frozen=True, kw_only=True)
class Resent:
    """How many rows. held: they go out when their sending goes on. Left out are those of sendings that were
    stopped; those that called somebody for what has been answered by now (over); and letters to the affected
    people where whoever asks may not send any (not_allowed).
    """

    waiting: int = 0
    held: int = 0
    stopped: int = 0
    over: int = 0
    not_allowed: int = 0

    @property
    def all(self) -> int:
        return self.waiting + self.held + self.stopped + self.over + self.not_allowed


@transaction.atomic
def resend(*, notifications: list[int], to_people: bool, actor: Actor) -> Resent:
    """From the beginning, with a line in the timeline for each sending.

    to_people: whether whoever asks may send letters to the affected people.
    """
    dead = Notification.objects.filter(pk__in=notifications, state=State.DEAD)
    # Whoever pauses or stops one locks it first as well.
    rows = Sending.objects.select_for_update(no_key=True).filter(pk__in=dead.values("sending"))
    sendings = dict(rows.order_by("pk").values_list("pk", "state"))
    dead = dead.filter(sending__in=list(sendings))  # and none that was given up since
    not_allowed = 0 if to_people else dead.filter(sending__letter__in=TO_PEOPLE).count()
    if not to_people:
        dead = dead.exclude(sending__letter__in=TO_PEOPLE)
    stopped = [pk for pk, state in sendings.items() if state == Sending.State.STOPPED]
    held = [
        pk for pk, state in sendings.items() if state in (Sending.State.HELD, Sending.State.PAUSED)
    ]
    over = list(answered(sendings).values_list("sending", flat=True))
    wanted = dead.exclude(sending__in=[*stopped, *over])
    going = wanted.exclude(sending__in=held)
    done = Sending.objects.filter(pk__in=going.values("sending"), state=Sending.State.DONE)
    done.update(state=Sending.State.GOING, ended_at=None)
    _tell(wanted, actor)
    found = Resent(
        stopped=dead.filter(sending__in=stopped).count(),
        over=dead.filter(sending__in=over).exclude(sending__in=stopped).count(),
        not_allowed=not_allowed,
        held=_again(wanted.filter(sending__in=held), State.HELD),
        waiting=_again(going, State.WAITING),
    )
    if found.waiting:
        wake()
    return found


def _tell(rows: QuerySet[Notification], actor: Actor) -> None:
    counts = dict(rows.order_by("sending").values_list("sending").annotate(Count("pk")))
    for sending in Sending.objects.filter(pk__in=counts).order_by("pk"):
        say(sending, actor=actor, what="again", people=counts[sending.pk])


def _again(rows: QuerySet[Notification], state: str) -> int:
    return rows.update(state=state, tries=0, next_at=Now(), error="")
