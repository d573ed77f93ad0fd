"""Making and revoking the tokens by which programs log in."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from enrollment.models import ApiToken, User
from enrollment.operations.lessons import lock_user

log = structlog.get_logger(__name__)

MOST_TOKENS = 10
# Written down no more often than this: a program may ask every second.
USE_NOTED_EVERY = timedelta(hours=1)


class TooManyTokens(Exception):
    """The person has MOST_TOKENS live ones."""


def live_tokens(*, user: User, now: datetime) -> QuerySet[ApiToken]:
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(user=user, revoked_at__isnull=True)
    return tokens.filter(Q(expiry__isnull=True) | Q(expiry__gt=now))


@transaction.atomic
def make_token(
    *, user: User, name: str, lifetime: timedelta, now: datetime
) -> tuple[ApiToken, str]:
    """:returns: the row, and the token itself, which nobody can be shown again.

    :raises TooManyTokens:
    :raises PersonDeleted:
    """
    lock_user(user=user)
    if live_tokens(user=user, now=now).count() >= MOST_TOKENS:
        raise TooManyTokens
    made: tuple[ApiToken, str] = ApiToken.objects.create(user=user, name=name, expiry=lifetime)
    log.info("token.made", user=user.pk, token=made[0].token_key)
    return made


def revoke_token(*, key: str, now: datetime, by: Any, user: User | None = None) -> bool:
    """With `user`, only one of theirs. :returns: False where there is no such live token."""
    tokens = ApiToken.objects.filter(token_key=key, revoked_at__isnull=True)
    if user is not None:
        tokens = tokens.filter(user=user)
    revoked: bool = tokens.update(revoked_at=now) > 0
    if revoked:
        log.info("token.revoked", token=key, by=by.pk)
    return revoked


def note_use(*, token: ApiToken, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
