"""Whether every row of the ground floor that was there before is still there, and is the same one.

Kept from before are the ids themselves, as ranges: a table without gaps is one range, whatever its
size, and what is gone is known by id and not only by a smaller count, which new rows would hide.
Beside them, for columns that never change, one number for each hundred ids. What an admin changed
or deleted stands in the admin's own log and is no loss.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import (
    Aggregate,
    BigIntegerField,
    BooleanField,
    Count,
    F,
    Func,
    QuerySet,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Cast
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback.domain.verification import Found, ProbeFailed
from rollback.models import Baseline
from rollback.probes.database import listed
from rollback.probes.plan import Kept, plan

BASELINE = "counts"
BLOCK = 100
# So many may go where people delete themselves, however few there are.
MAY_ALWAYS_GO = 3
GONE = """
    SELECT generate_series(lower(gap), upper(gap) - 1)
      FROM unnest(%s::text::int8multirange - %s::text::int8multirange) AS gap
"""


class IdRanges(Aggregate):
    template = "range_agg(int8range(%(expressions)s, %(expressions)s, '[]'))::text"
    output_field = TextField()


class Among(Func):
    """Whether an id is in those ranges."""

    template = "(%(expressions)s)"
    arg_joiner = "::int8multirange @> "
    output_field = BooleanField()


class Fingerprint(Func):
    template = "hashtextextended(concat_ws('|', %(expressions)s), 0)"
    output_field = BigIntegerField()


def measured() -> dict[str, Any]:
    """By table: {"rows", "ids", "filled": {column: ids}, "blocks": {block: number}}."""
    return {_name(kept): _roll(kept) for kept in plan().kept}


def _name(kept: Kept) -> str:
    return str(kept.rows().model._meta.db_table)


def _roll(kept: Kept) -> dict[str, Any]:
    rows = kept.rows()
    counted = rows.aggregate(rows=Count("pk"), ids=IdRanges("pk"))
    return {
        "rows": counted["rows"],
        "ids": counted["ids"] or "{}",
        "filled": {column: _ids(rows.exclude(**{column: ""})) for column in kept.filled},
        "blocks": _blocks(rows, kept.fixed) if kept.fixed else {},
    }


def _ids(rows: QuerySet[Any]) -> str:
    return str(rows.aggregate(ids=IdRanges("pk"))["ids"] or "{}")


def _blocks(rows: QuerySet[Any], columns: tuple[str, ...]) -> dict[str, str]:
    texts = [Cast(column, TextField()) for column in columns]
    found = (
        rows.order_by()
        .values(block=F("pk") / Value(BLOCK))
        .annotate(number=Sum(Fingerprint(Cast("pk", TextField()), *texts)))
    )
    return {str(row["block"]): str(row["number"]) for row in found}


def still_there(before: Callable[[], list[Baseline]]) -> Found:
    """Nothing that `before` knows is gone. :raises ProbeFailed:"""
    baselines = before()
    if not baselines:
        words = _(
            "There is no baseline yet, so nothing was compared: take one with manage.py rollback "
            "baseline while all is well."
        )
        return Found(words=words, is_compared=False)
    findings: list[str] = []
    facts: dict[str, Any] = {}
    for one in plan().kept:
        for baseline in baselines:
            was = baseline.facts.get(_name(one))
            if was is not None:
                said, found = _compare(one, was, since=baseline.measured_at)
                findings += said
                facts[f"{baseline.name}: {_name(one)}"] = found
    if findings:
        raise ProbeFailed(" ".join(dict.fromkeys(findings)), **facts)
    return Found(words=_still_there(baselines), facts=facts)


def _still_there(baselines: list[Baseline]) -> str:
    first = min(baseline.measured_at for baseline in baselines)
    rows = max(sum(was["rows"] for was in baseline.facts.values()) for baseline in baselines)
    return _(
        "All of %(rows)s rows of %(time)s are still there, with what never changes in them."
    ) % {
        "rows": rows,
        "time": date_format(localtime(first), "SHORT_DATETIME_FORMAT"),
    }


def _compare(
    one: Kept, was: Mapping[str, Any], *, since: datetime
) -> tuple[list[str], dict[str, Any]]:
    """:returns: sentences about what is wrong, and the facts of this table."""
    model = one.rows().model
    # As people know it; the facts have the table's own name.
    table = str(model._meta.verbose_name_plural)
    there = model._base_manager.all()
    deleted, touched = _logged(model, since=since)
    gone = [row for row in _gone(was["ids"], _ids(there)) if row not in deleted]
    said = []
    if len(gone) > _allowed(one, was["rows"]):
        said.append(_("%(table)s: %(number)s gone, with the ids %(ids)s.") % _numbered(table, gone))
    for column, ids in was["filled"].items():
        now = _ids(there.exclude(**{column: ""}))
        emptied = [row for row in _gone(ids, now) if row not in touched and row not in gone]
        if emptied:
            words = _("%(table)s: %(column)s is gone from %(number)s, with the ids %(ids)s.")
            said.append(words % {**_numbered(table, emptied), "column": column})
    changed = _changed_blocks(one, was, there, excused={*gone, *touched})
    if changed:
        words = _("%(table)s: what never changes has changed, among the ids %(ids)s.")
        said.append(words % {"table": table, "ids": listed(changed)})
    facts = {"before": was["rows"], "gone": gone[:100], "deleted": len(deleted), "changed": changed}
    return said, facts


def _numbered(table: str, ids: list[int]) -> dict[str, Any]:
    return {"table": table, "number": len(ids), "ids": listed([str(one) for one in ids])}


def _allowed(one: Kept, rows: int) -> int:
    return max(MAY_ALWAYS_GO, int(rows * one.may_go)) if one.may_go else 0


def _gone(before: str, now: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(GONE, [before, now])
        return [row[0] for row in cursor.fetchall()]


def _changed_blocks(
    one: Kept, was: Mapping[str, Any], there: QuerySet[Any], *, excused: set[int]
) -> list[str]:
    if not one.fixed:
        return []
    # Without those that have come since: a late COMMIT may have put one into the middle.
    now = _blocks(there.filter(Among(Value(was["ids"]), F("pk"))), one.fixed)
    excused_blocks = {str(row // BLOCK) for row in excused}
    return [
        f"{int(block) * BLOCK}–{int(block) * BLOCK + BLOCK - 1}"
        for block, number in was["blocks"].items()
        if now.get(block) != number and block not in excused_blocks
    ]


def _logged(model: Any, *, since: datetime) -> tuple[set[int], set[int]]:
    """Ids that the admin's log says were deleted since, and those that it names at all."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), action_time__gte=since
    ).values_list("object_id", "action_flag")
    known = [(int(row), flag) for row, flag in entries if row and row.isdecimal()]
    return {row for row, flag in known if flag == DELETION}, {row for row, _flag in known}
