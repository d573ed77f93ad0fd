"""The library of public holidays, as it is installed: our rows are its days, no more and no less."""

import subprocess
from datetime import date, time, timedelta
from typing import Any

import pytest

from holidays.domain.rows import PUBLIC, WORKING_DAY, Reading, Row
from holidays.queries import countries as library
from holidays.queries.countries import LibraryFailed, Wanted, public_holidays
from tests.holidays.dictionaries import own_dictionaries

YEARS = (2025, 2026, 2027, 2028)
# Twenty countries and more, with their parts.
CODES = """
    AT AT-9 AU-NSW AU-VIC BR BR-SP CA CA-QC CH-ZH CH-TI CN CZ DE DE-BE DE-BY DE-SN DK ES ES-CT ES-MD FR
    FR-57 GB-ENG GB-NIR GB-SCT HU IE IN IN-TN IT JP MX NL NO PL PT SE TR UA US US-CA US-TX ZA
"""
PLACES = CODES.split()


@pytest.fixture(scope="module")
def readings() -> dict[str, Reading]:
    """One start of the library for all."""
    wanted = [Wanted(country=place[:2], subdivision=place[3:], years=YEARS) for place in PLACES] + [
        Wanted(country="TR", categories=("public", "half_day"), years=YEARS)
    ]
    return dict(zip([*PLACES, "TR+half"], public_holidays(wanted), strict=True))


@pytest.fixture(scope="module")
def own() -> dict[str, dict[str, str]]:
    return own_dictionaries(PLACES, list(YEARS))


def days(rows: Any) -> set[date]:
    return {
        row.first_on + timedelta(number)
        for row in rows
        for number in range((row.last_on - row.first_on).days + 1)
    }


def closed(reading: Reading) -> list[Row]:
    return [row for row in reading.rows if row.kind != WORKING_DAY]


def test_every_day_of_twenty_countries_is_the_librarys_own(
    readings: dict[str, Reading], own: dict[str, dict[str, str]]
) -> None:
    assert len({place[:2] for place in PLACES}) >= 20
    wrong = {}
    for place in PLACES:
        rows, theirs = closed(readings[place]), own[place]
        expected = {date.fromisoformat(day) for day in theirs}
        total = sum((row.last_on - row.first_on).days + 1 for row in rows)
        if days(rows) != expected or total != len(expected):
            wrong[place] = days(rows) ^ expected
    assert not wrong
    # Nothing is compared with nothing: Ukraine alone has no days now.
    assert {place for place in PLACES if not own[place]} == {"UA"}


def test_names_are_the_librarys_own(
    readings: dict[str, Reading], own: dict[str, dict[str, str]]
) -> None:
    german = {
        (row.first_on + timedelta(number)).isoformat(): row.names["de"]
        for row in readings["DE-BY"].rows
        for number in range((row.last_on - row.first_on).days + 1)
    }
    assert german == own["DE-BY"]
    english = {row.name for row in readings["DE-BY"].rows}
    assert {"Epiphany", "Corpus Christi", "All Saints' Day"} <= english


@pytest.mark.parametrize(
    ("one", "other", "only_one", "only_other"),
    [
        ("GB-ENG", "GB-SCT", {date(2026, 4, 6), date(2026, 8, 31)}, {date(2026, 1, 2)}),
        ("DE-BY", "DE-BE", {date(2026, 1, 6), date(2026, 6, 4)}, {date(2026, 3, 8)}),
    ],
)
def test_parts_of_a_country_differ(
    readings: dict[str, Reading],
    one: str,
    other: str,
    only_one: set[date],
    only_other: set[date],
) -> None:
    ours, theirs = days(readings[one].rows), days(readings[other].rows)
    assert only_one <= ours - theirs
    assert only_other <= theirs - ours


def test_ukraine_has_none(readings: dict[str, Reading]) -> None:
    assert not readings["UA"].rows


def test_chinas_exchanged_days(readings: dict[str, Reading]) -> None:
    worked = {
        row.first_on: row.as_weekday for row in readings["CN"].rows if row.kind == WORKING_DAY
    }
    # As the State Council announced for 2026: Sunday 4 January is worked for Friday the 2nd,
    # Saturday 14 February for Friday the 20th, Saturday 28 February for Monday the 23rd, …
    expected = {
        date(2026, 1, 4): 4,
        date(2026, 2, 14): 4,
        date(2026, 2, 28): 0,
        date(2026, 5, 9): 1,
        date(2026, 9, 20): 1,
        date(2026, 10, 10): 2,
    }
    assert {day: like for day, like in worked.items() if day.year == 2026} == expected
    assert all(day.weekday() >= 5 for day in worked)


def test_half_days_begin_when_the_library_says(readings: dict[str, Reading]) -> None:
    half = [row for row in readings["TR+half"].rows if row.starts]
    assert {row.starts for row in half} == {time(13)}
    assert date(2026, 10, 28) in days(half)
    assert {row.kind for row in half} == {PUBLIC}
    assert not readings["TR+half"].notes


def test_a_half_day_of_which_nobody_knows_begins_at_noon_and_is_named() -> None:
    found = public_holidays([Wanted(country="GR", categories=("half_day",), years=(2026,))])[0]
    assert {row.starts for row in found.rows} == {time(12)}
    assert [note.code for note in found.notes] == ["half_day_guessed"]


def test_days_that_follow_each_other_are_one_row_and_end_with_the_year(
    readings: dict[str, Reading],
) -> None:
    golden_week = [row for row in readings["CN"].rows if row.first_on == date(2026, 10, 1)]
    assert [row.last_on for row in golden_week] == [date(2026, 10, 3)]
    for reading in readings.values():
        assert all(row.first_on.year == row.last_on.year for row in reading.rows)
        assert len({row.key for row in reading.rows}) == len(reading.rows)


@pytest.mark.django_db
class TestPlaces:
    def test_countries_with_their_parts_and_kinds_of_days(self) -> None:
        by_code = {one.code: one for one in library.places()}
        assert len(by_code) > 200
        assert by_code["DE"].called("BY") == "Germany, Bayern"
        assert by_code["GB"].name == "United Kingdom"
        assert {"public", "school"} <= set(by_code["DE"].categories)

    def test_they_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        library.places()
        monkeypatch.setattr(library, "_ask", lambda _question: pytest.fail("asked again"))
        assert library.places()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (subprocess.TimeoutExpired("x", 1), "slow"),
        (subprocess.CalledProcessError(1, "x", stderr="Traceback"), "failed"),
        (OSError("no memory"), "failed"),
    ],
)
def test_a_library_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def run(*_args: Any, **_more: Any) -> None:
        raise error

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(LibraryFailed) as failed:
        public_holidays([Wanted(country="DE", years=(2026,))])
    assert failed.value.reason == reason


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "version", lambda: "")
    with pytest.raises(LibraryFailed) as failed:
        public_holidays([Wanted(country="DE", years=(2026,))])
    assert failed.value.reason == "missing"
