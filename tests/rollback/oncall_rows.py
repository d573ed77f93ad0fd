"""A roster, an incident and channels for the tests of who is called."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from enrollment.models import User
from rollback import incidents
from rollback.audit import Actor
from rollback.models import Channel, Incident, Notification, OnCallShift, Page
from tests.conftest import make_user

OFFICE = Actor(name="office")
# A Wednesday: no test is due.
NOW = datetime(2030, 1, 9, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def somebody(name: str, **fields: Any) -> User:
    return make_user(f"{name}@school.example", "staff", is_staff=True, first_name=name, **fields)


def shift(user: User, *, level: int = 1, now: datetime = NOW, hours: int = 12) -> OnCallShift:
    """Half over by now. Its hand-over was told."""
    half = timedelta(hours=hours) / 2
    return OnCallShift.objects.create(
        user=user, level=level, starts_at=now - half, ends_at=now + half, handed_over_at=now
    )


def case(title: str = "Calendar: errors", severity: int = 2) -> Incident:
    found = incidents.open_case(
        title=title, severity=severity, flags=["ENABLE_CALENDAR_DISPLAY"], actor=OFFICE, cause="x"
    )
    assert found is not None
    return found


def channel(url: str, kind: str = "generic", **fields: Any) -> Channel:
    fields = {"name": kind, "secret": "a key for tests", **fields}
    return Channel.objects.create(kind=kind, url=url, **fields)


def called(page: Page) -> list[tuple[int, str]]:
    """Each call: as which number, and whom; "" where it was nobody's."""
    return [(one.level, one.user.first_name if one.user else "") for one in page.calls.all()]


def told() -> list[tuple[str, str]]:
    """Letter and address of everything in the outbox, in the order in which it was written."""
    rows = Notification.objects.order_by("pk").select_related("user", "channel", "sending")
    return [
        (row.sending.letter, row.user.email if row.user else f"→ {row.channel}") for row in rows
    ]


def due_now() -> None:
    """What waits for a later try is tried now."""
    Notification.objects.filter(state="waiting").update(next_at=Now() - HOUR, tries=F("tries"))
