"""Whoever is logged in, together with what each page asks first: whether that is a student or a teacher,
and how new everything is that the page will read.
"""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.db import connection
from django.db.models import CharField, Func
from django.db.models.functions import Cast

from enrollment.models import User

OLDEST_RUNNING = "pg_snapshot_xmin(pg_current_snapshot())"


class KnownPeople(AuthenticationBackend):  # type: ignore[misc]
    """allauth's, with one query instead of three or four."""

    def get_user(self, user_id: Any) -> User | None:
        found = (
            User.objects.select_related("student", "teacher")
            .annotate(as_of=Cast(Func(template=OLDEST_RUNNING), CharField()))
            .filter(pk=user_id)
            .first()
        )
        return found if found is not None and self.user_can_authenticate(found) else None


def as_of(user: Any) -> str:
    """In transaction numbers. The oldest transaction that was running when this request knew its
    person: all older ones can be seen in whatever it has read since, or never."""
    known: str | None = getattr(user, "as_of", None)
    if known is not None:
        return known
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {OLDEST_RUNNING}::text")
        return str(cursor.fetchone()[0])
