"""What an import is compared with: the rows of its source, the rest, and what a person left out."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from django.db.models import Max, Prefetch, QuerySet

from holidays.domain.plan import Item, Known, plan
from holidays.domain.rows import Columns, Row
from holidays.models import Holiday, HolidayImport, HolidaySource, Region
from holidays.queries.holidays import holidays_between

PLACES = {None: {"scope": Holiday.Scope.SCHOOL.value, "region": None}}


def columns_of(holiday: Holiday) -> Columns:
    """As a source would say it, with whom it closes for."""
    return {
        "name": holiday.name,
        "names": holiday.names or {},
        "kind": holiday.kind,
        "first_on": holiday.first_on.isoformat(),
        "last_on": holiday.last_on.isoformat(),
        "starts": holiday.starts and holiday.starts.isoformat(),
        "ends": holiday.ends and holiday.ends.isoformat(),
        "as_weekday": holiday.as_weekday,
        "note": holiday.note,
        "scope": holiday.scope,
        "region": holiday.region_id,
    }


def place_of(region: Region | None) -> Columns:
    if region is None:
        return dict(PLACES[None])
    return {"scope": Holiday.Scope.REGION.value, "region": region.pk}


def planned(
    *, source: HolidaySource | None, region: Region | None, rows: Collection[Row], years: range
) -> list[Item]:
    """source: None has imported nothing yet."""
    return plan(
        rows=rows,
        known=[] if source is None else _known(source, years),
        others=_others(source, rows),
        left_out=frozenset() if source is None else left_out(source),
        place=place_of(region),
    )


def _known(source: HolidaySource, years: range) -> list[Known]:
    """Of these years, by the day on which it was imported: a person may have moved it into another."""
    found = [_as_known(one) for one in source.holidays.all()]
    return [one for one in found if int((one.base or one.now)["first_on"][:4]) in years]


def _others(source: HolidaySource | None, rows: Collection[Row]) -> list[Known]:
    if not rows:
        return []
    around = holidays_between(
        first=min(row.first_on for row in rows), last=max(row.last_on for row in rows)
    ).select_related("source")
    if source is not None:
        around = around.exclude(source=source)
    return [_as_known(one) for one in around]


def _as_known(holiday: Holiday) -> Known:
    return Known(
        pk=holiday.pk,
        key=holiday.source_key,
        now=columns_of(holiday),
        base=holiday.imported,
        source=str(holiday.source or ""),
    )


def left_out(source: HolidaySource) -> set[str]:
    """Keys that a person did not want, or deleted after the import. They stay away until they are
    asked for."""
    wanted: dict[str, bool] = {}
    for changes in (
        source.imports.filter(undone_at=None)
        .order_by("made_at", "pk")
        .values_list("changes", flat=True)
    ):
        for one in changes:
            _remember(wanted, one)
    there = set(source.holidays.values_list("source_key", flat=True))
    return {key for key in wanted if key not in there}


def _remember(wanted: dict[str, bool], one: Any) -> None:
    before, after = one.get("before"), one.get("after")
    if "key" in one:
        wanted[one["key"]] = True
    if before and (not after or after["source_key"] != before["source_key"]):
        # The import itself took it away, or knows it under another key.
        wanted.pop(before["source_key"], None)
    if after and after["source_key"]:
        wanted[after["source_key"]] = True


def years_of(source: HolidaySource, *, since: int) -> list[int]:
    """Which years were imported and not taken back, from one year on."""
    found = source.imports.filter(undone_at=None).values_list("first_year", "last_year")
    return sorted(
        {year for first, last in found for year in range(first, last + 1) if year >= since}
    )


def next_year(source: HolidaySource, *, today: date) -> int:
    """The first that is not there yet, and not over."""
    years = years_of(source, since=today.year)
    return next(
        year for year in range(today.year, today.year + len(years) + 1) if year not in years
    )


def library_sources() -> QuerySet[HolidaySource]:
    return HolidaySource.objects.filter(kind=HolidaySource.Kind.LIBRARY).select_related("region")


def same_library_source(
    *, country: str, subdivision: str, categories: Iterable[str], region: Region | None
) -> HolidaySource | None:
    found = library_sources().filter(country=country, subdivision=subdivision, region=region)
    wanted = Counter(categories)
    return next((one for one in found if Counter(one.categories) == wanted), None)


def sources() -> QuerySet[HolidaySource]:
    live = HolidayImport.objects.filter(undone_at=None)
    return HolidaySource.objects.annotate(newest=Max("imports__made_at")).prefetch_related(
        Prefetch("imports", queryset=live, to_attr="live")
    )
