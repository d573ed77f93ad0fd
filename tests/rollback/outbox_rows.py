"""What tests of the outbox begin with: an incident with people, and a sending to them."""

from typing import Any

from django.utils import timezone

from enrollment.models import User
from rollback import outbox
from rollback.audit import Actor
from rollback.domain.letters import BY_KEY
from rollback.models import AffectedPerson, Incident, Notification, Sending
from rollback.outbox import Recipient
from tests.conftest import make_student

OFFICE = Actor(name="office")
STATE = Notification.State


def released(people: int = 1) -> Sending:
    """To so many students, whose rows stand in the order of their addresses."""
    incident = Incident.objects.create(
        title="Calendar: errors", opened_by_name="office", opened_at=timezone.now()
    )
    for number in range(people):
        user = make_student(f"affected-{number}@school.example").user
        AffectedPerson.objects.create(incident=incident, user=user, reasons=["exposed"])
    sending = outbox.prepare(incident=incident, letter="enrollment", actor=OFFICE)
    return outbox.release(sending=sending.pk, actor=OFFICE)


def page(*addresses: str) -> Sending:
    """A call to whoever is on call, as urgent as anything is."""
    values = {one.name: one.sample for one in BY_KEY["page"].variables}
    return outbox.tell(
        letter="page",
        recipients=[Recipient(email=one, language="en", values=values) for one in addresses],
        actor=OFFICE,
        urgency=Notification.Urgency.PAGE,
    )


def rows(sending: Sending) -> list[Notification]:
    return list(sending.notifications.order_by("pk"))


def now_due() -> None:
    """Time passes: whatever waits after a failure, or is leased, is due."""
    Notification.objects.filter(state=STATE.WAITING).update(next_at=timezone.now())


def people_of(sending: Sending) -> list[Any]:
    found = User.objects.filter(pk__in=sending.notifications.values("user"))
    return list(found.order_by("pk"))
