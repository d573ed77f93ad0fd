"""Imports of holidays: done as they were looked at, and taken back as far as nobody went on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from enrollment.models import User
from enrollment.operations import look_again
from enrollment.operations.impact import Hit, impact, planned_ahead
from holidays.domain.days import days_between, runs
from holidays.domain.plan import Action, Item, State, digest
from holidays.domain.rows import Columns, Row
from holidays.models import Holiday, HolidayImport, HolidaySource, Region
from holidays.queries.displaced import AHEAD, ZONES, around
from holidays.queries.imports import columns_of, place_of, planned, same_library_source

Choices = Mapping[str, Action]

# What changes in these is a closure nobody knew before.
SAYS_WHEN = (
    "first_on",
    "last_on",
    "starts",
    "ends",
    "kind",
    "as_weekday",
    "scope",
    "region",
)


class PlanChanged(Exception):
    """Since it was looked at somebody has changed holidays that it touches, or imported the same."""


class Collides(Exception):
    """One would then stand there twice, word for word."""


class AlreadyUndone(Exception):
    """Somebody has taken it back before."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a person chose to import, before it is done.

    source: that was imported from before. region: teachers of which country and part it closes for;
    None: for the whole school.
    """

    kind: str
    title: str
    years: tuple[int, int]
    rows: Sequence[Row]
    version: str = ""
    source: int | None = None
    country: str = ""
    subdivision: str = ""
    categories: tuple[str, ...] = ()
    region: tuple[str, str] | None = None

    @property
    def span(self) -> range:
        return range(self.years[0], self.years[1] + 1)


@dataclass(frozen=True, kw_only=True)
class Undone:
    """left: names of holidays that somebody has changed since, and that stay as they are."""

    count: int
    left: tuple[str, ...]


def planned_now(draft: Draft) -> list[Item]:
    region = _region(draft)
    source = _known_source(draft, region)
    # A region that is not there yet closes for nobody: nothing can be the same as what it brings.
    place = region or (Region(pk=0) if draft.region else None)
    return planned(source=source, region=place, rows=draft.rows, years=draft.span)


def hits(draft: Draft, *, choices: Choices, now: datetime, by: User) -> list[Hit]:
    """Planned lessons that would then stand on closed days. Everything is made, looked at, taken back."""
    items = planned_now(draft)
    days = {
        day
        for item in items
        if item.state is not State.SAME and action_of(item, choices) is not Action.LEAVE
        for columns in (item.theirs, item.known and item.known.now)
        if columns
        for day in days_between(
            max(date.fromisoformat(columns["first_on"]), now.date() - ZONES),
            min(date.fromisoformat(columns["last_on"]), now.date() + AHEAD),
        )
    }
    if not days:
        return []
    near = around(*next(spans := runs(days)))
    for first, last in spans:
        near |= around(first, last)
    lessons = planned_ahead(now=now).filter(near).values_list("pk", flat=True)

    def change() -> None:
        import_holidays(draft, choices=choices, looked_at=digest(items), by=by)

    return impact(lessons=lessons, change=change, now=now)


def import_holidays(draft: Draft, *, choices: Choices, looked_at: str, by: User) -> HolidayImport:
    """choices: by the item's id; of whatever is not in it, the plan's own.

    :raises PlanChanged:
    :raises Collides:
    """
    try:
        with transaction.atomic():
            return _import(draft, choices=choices, looked_at=looked_at, by=by)
    except IntegrityError as error:
        if "holiday_once" in str(error):
            raise Collides from error
        raise PlanChanged from error


def _import(draft: Draft, *, choices: Choices, looked_at: str, by: User) -> HolidayImport:
    region = _region(draft) or _made_region(draft)
    source = _known_source(draft, region, lock=True) or _made_source(draft, region)
    items = planned(source=source, region=region, rows=draft.rows, years=draft.span)
    # Before they are compared: nobody writes to them until this is done.
    touched = [item.known.pk for item in items if item.known]
    locked = {
        one.pk: columns_of(one)
        for one in Holiday.objects.select_for_update().filter(pk__in=touched).order_by("pk")
    }
    stale = any(locked.get(item.known.pk) != item.known.now for item in items if item.known)
    if stale or digest(items) != looked_at:
        raise PlanChanged
    done = HolidayImport.objects.create(
        source=source,
        first_year=draft.years[0],
        last_year=draft.years[1],
        version=draft.version[:40],
        made_by=by,
        changes=_Writer(source, place_of(region)).write(items, choices),
    )
    source.difference = None
    source.save(update_fields=["difference"])
    look_again.after_commit()
    return done


def action_of(item: Item, choices: Choices) -> Action:
    chosen = choices.get(item.id)
    if chosen in item.actions:
        return chosen
    return item.actions[0] if item.actions else Action.LEAVE


class _Writer:
    """Writes one plan, and notes each row before and after."""

    def __init__(self, source: HolidaySource, place: Columns) -> None:
        self.source, self.place = source, place
        self.changes: list[dict[str, Any]] = []

    def write(self, items: Sequence[Item], choices: Choices) -> list[dict[str, Any]]:
        chosen = [(item, action_of(item, choices)) for item in items]
        rows = {
            one.pk: one
            for one in Holiday.objects.filter(
                pk__in=[item.known.pk for item in items if item.known]
            )
        }
        # Keys change places: the first holiday of a name becomes the second.
        moved = [item.known.pk for item in items if item.known and item.known.key != item.key]
        # Of most of them nothing is said, and nothing written.
        asked = {item.known.pk for item in items if item.known and not is_as_imported(item)}
        before = {pk: snapshot(row) for pk, row in rows.items() if pk in asked}
        Holiday.objects.filter(pk__in=moved, source=self.source).update(source_key="")
        for item, action in sorted(chosen, key=lambda pair: pair[1] is not Action.DELETE):
            row = rows[item.known.pk] if item.known else None
            if row is None:
                self._without_row(item, action)
            elif row.pk in before:
                self._with_row(item, action, row, before[row.pk])
        return self.changes

    def _without_row(self, item: Item, action: Action) -> None:
        if action is Action.ADD:
            self._add(item)
        elif item.state is State.NEW:
            self.changes.append({"id": None, "key": item.key})

    def _with_row(self, item: Item, action: Action, row: Holiday, before: Columns) -> None:
        if action is Action.DELETE:
            pk = row.pk
            row.delete()
            self.changes.append({"id": pk, "before": before, "after": None})
            return
        if item.state is State.TWICE and action is Action.ADD:
            self._add(item)
            return
        if item.state is State.TWICE and action is Action.LEAVE:
            return
        if action is Action.TAKE:
            fill(row, item.theirs or {})
            if _says_when(columns_of(row)) != _says_when(before):
                row.known_at = timezone.now()
        if item.state is State.GONE:
            # Kept: from now on it is the school's own.
            row.source, row.source_key, row.imported = None, "", None
        else:
            # Linked, taken, or seen and declined: this is what was known of it.
            row.source, row.source_key, row.imported = self.source, item.key, item.theirs
        row.save()
        if (after := snapshot(row)) != before:
            self.changes.append({"id": row.pk, "before": before, "after": after})

    def _add(self, item: Item) -> None:
        row = Holiday(source=self.source, source_key=item.key, imported=item.theirs)
        fill(row, item.theirs or {})
        row.save(force_insert=True)
        row.refresh_from_db(fields=["known_at"])
        self.changes.append({"id": row.pk, "before": None, "after": snapshot(row, is_new=True)})


def _says_when(columns: Columns) -> Columns:
    return {name: columns[name] for name in SAYS_WHEN}


def is_as_imported(item: Item) -> bool:
    known = item.known
    return (
        item.state is State.SAME
        and known is not None
        and known.key == item.key
        and known.base == item.theirs
    )


def fill(row: Holiday, columns: Columns) -> None:
    for name, value in columns.items():
        if name in ("first_on", "last_on"):
            setattr(row, name, date.fromisoformat(value))
        elif name in ("starts", "ends"):
            setattr(row, name, value and time.fromisoformat(value))
        else:
            setattr(row, "region_id" if name == "region" else name, value)


def snapshot(row: Holiday, *, is_new: bool = False) -> Columns:
    """Everything about it, so that it can be brought back."""
    return {
        **columns_of(row),
        "source": row.source_id,
        "source_key": row.source_key,
        "imported": row.imported,
        "known_at": row.known_at.isoformat(),
        "teachers": [] if is_new else sorted(row.teachers.values_list("pk", flat=True)),
        "courses": [] if is_new else sorted(row.courses.values_list("pk", flat=True)),
    }


# ------------------------------------------------------------------ taking it back
def undo(*, pk: int, now: datetime) -> Undone:
    """Rows are as they were before the import, where nobody has changed them since.

    :raises AlreadyUndone:
    """
    with transaction.atomic():
        done = HolidayImport.objects.select_for_update().get(pk=pk)
        if done.undone_at:
            raise AlreadyUndone
        count = 0
        left: list[str] = []
        # Backwards: what was added goes before what was deleted comes back.
        for change in reversed([one for one in done.changes if one["id"]]):
            if _undo(change, now):
                count += 1
            else:
                left.append((change["after"] or change["before"])["name"])
        done.undone_at = now
        done.save(update_fields=["undone_at"])
        look_again.after_commit()
    return Undone(count=count, left=tuple(reversed(left)))


def would_leave(*, pk: int, now: datetime) -> tuple[str, ...]:
    """What `undo` would leave as it is; it is made and taken back.

    :raises AlreadyUndone:
    """
    with transaction.atomic():
        left = undo(pk=pk, now=now).left
        transaction.set_rollback(True)
    return left


def _undo(change: Mapping[str, Any], now: datetime) -> bool:
    before, after = change["before"], change["after"]
    row = Holiday.objects.select_for_update().filter(pk=change["id"]).first()
    if (_entered(snapshot(row)) if row else None) != (after and _entered(after)):
        return False
    if before is None:
        assert row
        row.delete()
        return True
    try:
        with transaction.atomic():
            _restore(row or Holiday(pk=change["id"]), before, after, now)
            # Foreign keys would else be looked at when everything is committed.
            connection.check_constraints()
    except IntegrityError:
        # The same has been entered anew, or what it belonged to is gone.
        return False
    return True


def _entered(columns: Columns) -> Columns:
    """Without since when: that moves whenever an import is undone, and nobody enters it."""
    return {name: value for name, value in columns.items() if name != "known_at"}


def _restore(row: Holiday, before: Columns, after: Columns | None, now: datetime) -> None:
    """after: what has been known until now; None: that there is no such holiday."""
    own = ("source", "source_key", "imported", "known_at", "teachers", "courses")
    fill(row, {name: value for name, value in before.items() if name not in own})
    row.source_id = before["source"]
    row.source_key, row.imported = before["source_key"], before["imported"]
    known_all_along = after is not None and _says_when(after) == _says_when(before)
    row.known_at = datetime.fromisoformat(before["known_at"]) if known_all_along else now
    row.save()
    row.teachers.set(before["teachers"])
    row.courses.set(before["courses"])


# ------------------------------------------------------------------ of what it comes
def _region(draft: Draft) -> Region | None:
    if draft.region is None:
        return None
    country, subdivision = draft.region
    return Region.objects.filter(country=country, subdivision=subdivision).first()


def _made_region(draft: Draft) -> Region | None:
    if draft.region is None:
        return None
    return Region.objects.create(country=draft.region[0], subdivision=draft.region[1])


def _known_source(
    draft: Draft, region: Region | None, *, lock: bool = False
) -> HolidaySource | None:
    """:raises PlanChanged: it was deleted meanwhile."""
    found = draft.source
    if found is None and draft.kind == HolidaySource.Kind.LIBRARY and (region or not draft.region):
        same_one = same_library_source(
            country=draft.country,
            subdivision=draft.subdivision,
            categories=draft.categories,
            region=region,
        )
        found = same_one.pk if same_one else None
    if found is None:
        return None
    rows = HolidaySource.objects.select_for_update() if lock else HolidaySource.objects.all()
    source = rows.filter(pk=found).first()
    if source is None:
        raise PlanChanged
    return source


def _made_source(draft: Draft, region: Region | None) -> HolidaySource:
    return HolidaySource.objects.create(
        kind=draft.kind,
        title=draft.title,
        country=draft.country,
        subdivision=draft.subdivision,
        categories=list(draft.categories),
        region=region,
    )
