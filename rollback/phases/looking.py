"""What a phase would do, and whether one holds. Nothing is changed here."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import sql

from rollback import aftermath, blast, processes, registry
from rollback.domain import phases
from rollback.domain.phases import Phase, Step
from rollback.limits import limited
from rollback.models import Flag, PhaseRun, Rehearsal
from rollback.schema import catalog, ledger, locking, reverse
from rollback.schema.graph import migration_graph_hash

# Whoever approved saw how it was then.
APPROVAL_HOLDS = timedelta(hours=1)
# Without a word for so long a process is taken for dead, as in the roll call.
ALIVE = "SELECT busy FROM rollback_process WHERE seen_at > clock_timestamp() - interval '5 s'"


def apps() -> tuple[str, ...]:
    """Those that the features' tables belong to."""
    return tuple(registry.by_admin_app())


def flags_of(*numbers: int) -> list[str]:
    """The flags that these phases take away, as the site plan says it."""
    return [one.flag for one in registry.features() if set(numbers) & set(one.phases)]


def flags_until(target: int) -> list[str]:
    return flags_of(*(number for number in (3, 2) if number >= target)) if target else []


def before(*, target: int) -> dict[str, Any]:
    """Whom it concerns, which rows, how long it takes and who would be in its way now. Nobody's name.

    forecast: seconds, and the rehearsal that says so, and whether that was of other migrations than these;
    None where none does.
    """
    rows = rows_archived() if target == Phase.BACK else rows_present()
    known = [number for number in rows.values() if number is not None]
    return {
        "blast": _blast(target),
        "rows": rows,
        "total": sum(known),
        "forecast": _forecast(target, rows=sum(known)),
        "holders": [
            {
                "pid": one.pid,
                "user": one.user,
                "application": one.application,
                "seconds": round(one.seconds, 1),
                "tables": sorted(one.tables),
            }
            for one in locking.who_holds(reverse.present(apps()))
        ],
    }


def _blast(target: int) -> dict[str, int]:
    flags = [name for name in flags_until(target) if Flag.objects.filter(name=name).exists()]
    if not flags:
        return {}
    now = timezone.now()
    return blast.blast(flags=flags, percent=Decimal(0), now=now).numbers()


def rows_present() -> dict[str, int | None]:
    """By table. None: somebody has it for themselves, or it takes too long to count."""
    return {table: _count(catalog.PUBLIC, table) for table in sorted(reverse.present(apps()))}


def _count(schema: str, table: str) -> int | None:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    try:
        with limited(lock="1s", statement="20s"), connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchone()[0])
    except OperationalError:
        if not connection.is_usable():
            raise
        return None


def rows_archived() -> dict[str, int | None]:
    with connection.cursor() as cursor:
        entries = [one for app in apps() for one in ledger.away(cursor, app=app)]
    return {
        str(one): one.digest.rows if one.digest else _count(one.schema, one.name)
        for one in entries
        if not one.purged
    }


def _forecast(target: int, *, rows: int) -> dict[str, Any] | None:
    last = Rehearsal.objects.filter(passed=True).order_by("-pk").first()
    if last is None:
        return None
    wanted = [number for number in (3, 2, 1) if number >= target] if target else [0]
    found = {number: phases.forecast(last.figures, number, rows=rows) for number in wanted}
    if found[target] is None:
        return None
    return {
        "seconds": round(sum(one for one in found.values() if one is not None), 1),
        "by_phase": {str(number): one for number, one in found.items()},
        "rehearsal": last.pk,
        "rehearsed_at": last.started_at.isoformat(),
        "migrations": last.graph,
        "of_others": last.graph != migration_graph_hash(),
    }


def why_not_held(phase: int) -> str:
    """In words, why phase 3 or 2 does not hold; "" when it does."""
    flags = flags_of(phase)
    on = [
        flag.name
        for flag in Flag.objects.filter(name__in=flags)
        if not (flag.is_killed if phase == Phase.LOGIC else aftermath.is_off(flag))
    ]
    if on:
        words = _("Phase %(phase)s does not hold: %(flags)s can still be on for somebody.")
        return words % {"phase": phase, "flags": ", ".join(sorted(on))}
    if (found := processes.roll_call()) is None or found.waiting:
        said = processes.sentences(found, word=_("Off"))
        return _("Phase %(phase)s does not hold yet: %(words)s") % {
            "phase": phase,
            "words": " ".join(said),
        }
    return ""


def under_way() -> str:
    """Who is in the middle of something of the features, in words; "" when nobody is."""
    waiting = []
    busy = _busy()
    if busy:
        waiting.append(
            _("Processes in the middle of %(flags)s: %(number)s.")
            % {
                "flags": ", ".join(sorted({flag for one in busy for flag in one})),
                "number": len(busy),
            }
        )
    if holders := using(reverse.present(apps())):
        waiting.append(_("Transactions: %(holders)s.") % {"holders": locking.in_words(holders)})
    return " ".join(waiting)


def _busy() -> list[list[str]]:
    """Of each process that lives, the features it is in the middle of."""
    with connection.cursor() as cursor:
        cursor.execute(f"{ALIVE} AND busy && %s::varchar[]", [flags_of(3, 2)])
        return [busy for (busy,) in cursor.fetchall()]


def using(tables: Sequence[str]) -> list[locking.Holder]:
    """The vacuum steps aside by itself."""
    return [one for one in locking.who_holds(tables) if not one.user.startswith("autovacuum")]


def step_word(name: str) -> str:
    words = {
        Step.PAGES: _("Pages off"),
        Step.GONE: _("Off in every process, and whoever was in the middle has finished"),
        Step.LOGIC: _("API and tasks off"),
        Step.QUIET: _("Nothing of the features under way"),
        Step.BACKUP: _("A proved backup"),
        Step.DIGESTS: _("Rows counted and digested"),
        Step.TABLES: _("Tables into the archive"),
        Step.PROOF: _("Proof"),
        Step.HOME: _("Tables back from the archive"),
        Step.KEYS: _("Foreign keys checked"),
        Step.VERIFICATION: _("Verification"),
    }
    return words.get(Step(name), name)


def live() -> PhaseRun | None:
    return PhaseRun.objects.filter(status__in=PhaseRun.LIVE).first()


def is_approved(run: PhaseRun) -> bool:
    """By somebody, and not long ago by the database's clock."""
    lately = PhaseRun.objects.filter(approved_at__gt=Now() - APPROVAL_HOLDS, pk=run.pk)
    return lately.exclude(approver=None).exists()


def approve_again(run: PhaseRun) -> str:
    """In words; "" where nobody has approved it yet."""
    if run.approver_id is None:
        return ""
    words = _(
        "%(name)s approved it more than an hour ago: approve it again, or cancel it and ask again."
    )
    return words % {"name": run.approver_name}
