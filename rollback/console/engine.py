"""Whom a change of a share would concern, in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from time import monotonic

import structlog
from django.db import Error, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback.domain.errors import without_rows

log = structlog.get_logger(__name__)

# Neither for a table nor for a slow answer.
BEGIN = (
    "SELECT set_config('lock_timeout', '200ms', true), set_config('statement_timeout', %s, true)"
)
PATIENCE = "2s"
# Each open console asks every few seconds, and counting goes through all users.
KEPT = 5.0  # seconds
Asked = tuple[tuple[str, ...], Decimal, bool]
_kept: dict[Asked, tuple[float, dict[str, int]]] = {}


def blast_words(*, flags: Iterable[str], percent: Decimal, now: datetime, up: bool = False) -> str:
    """Said to be unknown where it cannot be read at once: nobody waits for that."""
    try:
        return words(_counted((tuple(flags), percent, up), now))
    except Error as error:
        return _unknown(error)


def kept_blast_words(
    *, flags: Iterable[str], percent: Decimal, now: datetime, up: bool = False
) -> str:
    """The same for what asks again and again: by this process no more often than every KEPT seconds."""
    asked: Asked = (tuple(flags), percent, up)
    at, numbers = _kept.get(asked, (0.0, None))
    if numbers is None or monotonic() - at > KEPT:
        try:
            numbers = _counted(asked, now)
        except Error as error:
            return _unknown(error)
        for old in [one for one, (then, _old) in list(_kept.items()) if monotonic() - then > KEPT]:
            _kept.pop(old, None)  # another thread may have been faster
        _kept[asked] = (monotonic(), numbers)
    return words(numbers)


def _counted(asked: Asked, now: datetime) -> dict[str, int]:
    from rollback import blast

    flags, percent, up = asked
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BEGIN, [PATIENCE])
        return blast.blast(flags=flags, percent=percent, now=now, up=up).numbers()


def _unknown(error: Error) -> str:
    log.warning("console.blast_not_read", error=without_rows(error))
    return _("Whom it concerns cannot be read now.")


def words(found: Mapping[str, int]) -> str:
    counts = (
        ngettext("%(count)s user", "%(count)s users", found["users"]) % {"count": found["users"]},
        _("%(count)s with a draft") % {"count": found["drafts"]},
        ngettext("%(count)s teacher", "%(count)s teachers", found["teachers"])
        % {"count": found["teachers"]},
        ngettext("%(count)s held time", "%(count)s held times", found["holds"])
        % {"count": found["holds"]},
        ngettext("%(count)s mail", "%(count)s mails", found["mails"]) % {"count": found["mails"]},
    )
    return _("Concerns %(counts)s.") % {"counts": ", ".join(counts)}
