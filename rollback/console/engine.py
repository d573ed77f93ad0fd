"""Whom a change of a share would concern, in words."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import Error, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

log = structlog.get_logger(__name__)

LOCK = "SET LOCAL lock_timeout = '200ms'"


def blast_words(*, flags: Iterable[str], percent: Decimal, now: datetime, up: bool = False) -> str:
    """Said to be unknown where it cannot be read at once: nobody waits for that."""
    from rollback import blast

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK)
            return words(blast.blast(flags=list(flags), percent=percent, now=now, up=up))
    except Error as error:
        log.warning("console.blast_not_read", error=str(error))
        return _("Whom it concerns cannot be read now.")


def words(found: Any) -> str:
    counts = (
        ngettext("%(count)s user", "%(count)s users", found.users) % {"count": found.users},
        _("%(count)s with a draft") % {"count": found.drafts},
        ngettext("%(count)s teacher", "%(count)s teachers", found.teachers)
        % {"count": found.teachers},
        ngettext("%(count)s held time", "%(count)s held times", found.holds)
        % {"count": found.holds},
        ngettext("%(count)s mail", "%(count)s mails", found.mails) % {"count": found.mails},
    )
    return _("Concerns %(counts)s.") % {"counts": ", ".join(counts)}
