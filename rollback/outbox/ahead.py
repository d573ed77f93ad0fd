"""What concerns those who are next, looked up for many of them at once, and never long before it is said."""

import time

from django.db.models import Q
from django.db.models.functions import Now

from rollback.models import Notification
from rollback.outbox.message import with_facts
from rollback.outbox.remembering import remember
from rollback.outbox.values import newest_drafts

MANY = 50
# Seconds. So old may be what a mail says; who is next is looked up again after that.
FRESH = 2.0


class Ahead:
    """Takes nothing: another worker may be quicker. What was claimed and is not among them is looked up."""

    def __init__(self, *, urgency: int) -> None:
        self._urgency = urgency
        self._rows: dict[int, Notification] = {}
        self._until = 0.0

    def row(self, claimed: int, tries: int) -> Notification | None:
        """:returns: None where it is gone by now"""
        if claimed not in self._rows or time.monotonic() > self._until:
            self._look(claimed)
        row = self._rows.pop(claimed, None)
        if row is not None:
            row.tries = tries
        return row

    def _look(self, claimed: int) -> None:
        self._until = time.monotonic() + FRESH
        due = Notification.objects.filter(
            state=Notification.State.WAITING, next_at__lte=Now(), urgency__lte=self._urgency
        )
        soon = due.order_by("urgency", "tries", "next_at").values("pk")[:MANY]
        found = with_facts().filter(Q(pk=claimed) | Q(pk__in=soon))
        self._rows = {row.pk: row for row in found}
        users = [row.user for row in self._rows.values() if row.user]
        students = [user.student.pk for user in users if hasattr(user, "student")]
        drafts = newest_drafts(students)
        for student in students:
            remember(("draft", student), drafts.get(student), seconds=FRESH)
