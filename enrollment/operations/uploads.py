"""A file between its preview and the click that imports it.

It waits in the database's cache table, where every web process finds it and nobody else: one file for
each person and table, for an hour. A newer one takes its place.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Upload:
    file_name: str
    data: bytes


def keep(*, owner: str, file_name: str, data: bytes) -> str:
    """owner: the person and the table.

    :returns: the token that must be shown to import it: a page of yesterday has another.
    """
    token = secrets.token_urlsafe()
    cache.set(_key(owner), (token, file_name, data), LIFETIME.total_seconds())
    return token


def find(*, owner: str, token: str) -> Upload | None:
    kept, file_name, data = cache.get(_key(owner), ("", "", b""))
    # As bytes: of texts it compares ASCII only, and anything may be posted.
    if not kept or not secrets.compare_digest(kept.encode(), token.encode()):
        return None
    return Upload(file_name=file_name, data=data)


def forget(*, owner: str) -> None:
    cache.delete(_key(owner))


def delete_expired(*, now: datetime) -> int:
    """The cache itself deletes only what is asked for again. Its other entries are none the worse.

    :returns: how many.
    """
    table = connection.ops.quote_name(str(settings.CACHES["default"]["LOCATION"]))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [now])  # noqa: S608 - a setting
        return int(cursor.rowcount)


def _key(owner: str) -> str:
    return f"upload:{owner}"
