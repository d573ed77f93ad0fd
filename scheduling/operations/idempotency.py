"""A request that is sent twice is done once; the second gets the first one's answer."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from enrollment.models import User
from scheduling.models import IdempotencyKey
from scheduling.models.idempotency import KEPT

# Longer than the request that is waited for can itself wait for a teacher.
WAIT = "10s"
INSERT = """
INSERT INTO scheduling_idempotencykey (user_id, key, fingerprint, created_at)
VALUES (%s, %s, %s, %s)
ON CONFLICT (user_id, key) DO NOTHING
RETURNING id
"""


class KeyUsedOtherwise(Exception):
    """The key came before, with another request."""


class StillBusy(Exception):
    """The same request, sent before, is not done yet."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """replayed: nothing was done now; this is what was answered before."""

    status: int
    body: Any
    replayed: bool = False


def fingerprint(*, method: str, path: str, body: Any) -> str:
    """The same for the same JSON, however it was spelled."""
    text = json.dumps([method, path, body], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def once(
    *, user: User, key: str, fingerprint: str, now: datetime, act: Callable[[], Answer]
) -> Answer:
    """act: does it, and says what is answered. What it raises undoes everything and is not kept.

    :raises KeyUsedOtherwise:
    :raises StillBusy:
    """
    with transaction.atomic():
        if not _first(user=user, key=key, fingerprint=fingerprint, now=now):
            return _before(user=user, key=key, fingerprint=fingerprint)
        answer = act()
        IdempotencyKey.objects.filter(user=user, key=key).update(
            status=answer.status, answer=answer.body
        )
        return answer


def _first(*, user: User, key: str, fingerprint: str, now: datetime) -> bool:
    """Whoever came first with this key has it; who comes meanwhile waits here until that is done."""
    IdempotencyKey.objects.filter(user=user, key=key, created_at__lte=now - KEPT).delete()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)",
                [WAIT],
            )
            before = cursor.fetchone()[0]
            cursor.execute(INSERT, [user.pk, key, fingerprint, now])
            made = cursor.fetchone() is not None
            # What is done next has its own patience.
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
            return made
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise StillBusy from error
        raise


def _before(*, user: User, key: str, fingerprint: str) -> Answer:
    row = IdempotencyKey.objects.filter(user=user, key=key).first()
    if row is None or row.status is None:
        # Deleted by its age just now.
        raise StillBusy
    if row.fingerprint != fingerprint:
        raise KeyUsedOtherwise
    return Answer(status=row.status, body=row.answer, replayed=True)


def delete_old(*, now: datetime) -> int:
    deleted, _by_model = IdempotencyKey.objects.filter(created_at__lte=now - KEPT).delete()
    return deleted
