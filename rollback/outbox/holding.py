"""After a backup was restored: what waited then may have gone out since, and waits for a person."""

from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from rollback import incidents
from rollback.audit import Actor, ChangeRefused
from rollback.models import Notification, Page, PageCall, Sending
from rollback.outbox.preparing import say

log = structlog.get_logger(__name__)

State = Notification.State
# As the channels are told it (`oncall.telling`): nothing more is to be said to them.
RESOLVE = "resolve"


@dataclass(frozen=True, kw_only=True)
class Held:
    """pages: closed. calls: mails of them, not needed any more. sendings, rows: paused, and held back."""

    pages: int
    calls: int
    sendings: int
    rows: int


@transaction.atomic
def hold(*, actor: Actor, reason: str) -> Held:
    """Nothing that waits goes out any more, and nobody is called for what is open now. What is told from
    now on goes out. :raises ChangeRefused: without a reason
    """
    if not reason.strip():
        raise ChangeRefused(_("A reason is needed: one sentence for whoever reads it later."))
    calls = _forget_calls()
    sendings, rows = _pause(actor)
    pages = _close_pages()
    concerned = [*(one.incident_id for one in sendings), *(one.incident_id for one in pages)]
    for incident in sorted({number for number in concerned if number is not None}):
        words = (
            f"Nothing that waited goes out, and nobody is called (outbox hold): {reason.strip()}"
        )
        incidents.note(incident=incident, actor=actor, text=words)
    held = Held(pages=len(pages), calls=calls, sendings=len(sendings), rows=rows)
    log.warning("outbox.held", by=actor.name, reason=reason.strip(), **vars(held))
    return held


def _forget_calls() -> int:
    calls = PageCall.objects.filter(page__in=_unanswered().values("pk"))
    waiting = Notification.objects.filter(sending__in=calls.values("sending"), state=State.WAITING)
    return waiting.update(state=State.NOT_NEEDED, error="Held back after a restore.")


def _unanswered() -> QuerySet[Page]:
    return Page.objects.filter(acknowledged_at=None, closed_at=None)


def _pause(actor: Actor) -> tuple[list[Sending], int]:
    waiting = Notification.objects.filter(state=State.WAITING)
    rows = Sending.objects.select_for_update(no_key=True).order_by("pk")
    found, number = list(rows.filter(pk__in=waiting.values("sending"))), 0
    for sending in found:
        people = waiting.filter(sending=sending).update(state=State.HELD)
        going = Sending.objects.filter(pk=sending.pk).exclude(state=Sending.State.STOPPED)
        going.update(state=Sending.State.PAUSED, ended_at=None)
        say(sending, actor=actor, what="paused", people=people)
        number += people
    return found, number


def _close_pages() -> list[Page]:
    """An incident's is never opened again."""
    found = list(_unanswered().order_by("pk"))
    for page in found:
        Page.objects.filter(pk=page.pk).update(
            closed_at=Now(), escalates_at=None, channels_told=RESOLVE
        )
        log.warning("outbox.page_closed", page=page.pk, incident=page.incident_id)
    return found
