"""Making and revoking the addresses from which calendar programs read."""

import secrets
from datetime import datetime

import structlog
from django.db import transaction

from enrollment.models import User
from enrollment.operations.lessons import lock_user
from scheduling.models import CalendarFeed
from scheduling.queries.feeds import digest_of, live_feeds

log = structlog.get_logger(__name__)

MOST_FEEDS = 10
TOKEN_BYTES = 32


class TooManyFeeds(Exception):
    """The person has MOST_FEEDS live ones."""


@transaction.atomic
def make_feed(*, user: User, name: str, language: str, now: datetime) -> tuple[CalendarFeed, str]:
    """:returns: the row, and the token in its address, which nobody can be shown again.

    :raises TooManyFeeds:
    :raises PersonDeleted:
    """
    lock_user(user=user)
    if live_feeds().filter(user=user).count() >= MOST_FEEDS:
        raise TooManyFeeds
    token = secrets.token_urlsafe(TOKEN_BYTES)
    made = CalendarFeed.objects.create(
        user=user, digest=digest_of(token), name=name, language=language, created_at=now
    )
    log.info("feed.made", user=user.pk, feed=made.pk)
    return made, token


def revoke_feed(*, pk: int, now: datetime, by: User, user: User | None = None) -> bool:
    """With `user`, only one of theirs. :returns: False where there is no such live one."""
    feeds = CalendarFeed.objects.filter(pk=pk, revoked_at__isnull=True)
    if user is not None:
        feeds = feeds.filter(user=user)
    revoked = feeds.update(revoked_at=now) > 0
    if revoked:
        log.info("feed.revoked", feed=pk, by=by.pk)
    return revoked


def note_reading(*, feed: CalendarFeed, now: datetime) -> None:
    """Once a day."""
    if feed.last_read_on != now.date():
        CalendarFeed.objects.filter(pk=feed.pk).update(last_read_on=now.date())
