"""Files that real programs export: which days and times they close."""

from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from time import perf_counter

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from icalendar import vRecur

from holidays.domain import ics, table
from holidays.domain.recurring import expanded, rule_of
from holidays.domain.rows import OTHER, PUBLIC, SCHOOL_BREAK, WORKING_DAY, Reading

FILES = Path(__file__).parent / "files"
TWO_YEARS = range(2026, 2028)
Shown = tuple[str, str, str, str, str]


def read(data: str | bytes, *, years: range = TWO_YEARS, notes: bool = False) -> Reading:
    raw = data if isinstance(data, bytes) else data.replace("\n", "\r\n").encode()
    return ics.read(raw, ics.Wishes(years=years, zone="Europe/Berlin", notes=notes))


def file(name: str) -> Reading:
    return read((FILES / name).read_bytes())


def shown(reading: Reading) -> list[Shown]:
    return [
        (
            row.name,
            row.first_on.isoformat(),
            row.last_on.isoformat(),
            f"{row.starts:%H:%M}" if row.starts else "",
            f"{row.ends:%H:%M}" if row.ends else "",
        )
        for row in reading.rows
    ]


def event(*lines: str, head: str = "") -> str:
    body = "\n".join(("UID:1", "SUMMARY:Closed", *lines))
    return f"BEGIN:VCALENDAR\n{head}BEGIN:VEVENT\n{body}\nEND:VEVENT\nEND:VCALENDAR\n"


class TestExports:
    def test_google(self) -> None:
        found = file("google.ics")
        long = "Summary"
        assert [one for one in shown(found) if not one[0].startswith(long)] == [
            ("Staff meeting", "2026-03-04", "2026-03-04", "16:00", "17:30"),
            ("Staff meeting (moved)", "2026-03-12", "2026-03-12", "09:00", "10:00"),
            ("Osterferien", "2026-03-30", "2026-04-10", "", ""),
            ("Staff meeting", "2026-04-01", "2026-04-01", "16:00", "17:30"),
            (
                "Summer party; rehearsal in the big hall, everybody is asked to bring an instrument",
                "2026-07-06",
                "2026-07-06",
                # In UTC in the file, on the wall of the calendar's zone here.
                "14:00",
                "17:00",
            ),
        ]
        assert {row.name: row.kind for row in found.rows}["Osterferien"] == SCHOOL_BREAK
        assert not found.notes

    def test_outlook(self) -> None:
        found = file("outlook.ics")
        assert shown(found) == [
            ("Christi Himmelfahrt", "2026-05-14", "2026-05-14", "", ""),
            ("Roof repair", "2026-06-05", "2026-06-05", "14:00", ""),
            ("Roof repair", "2026-06-06", "2026-06-07", "", ""),
            ("Roof repair", "2026-06-08", "2026-06-08", "", "08:00"),
            ("Fire drill", "2026-06-10", "2026-06-10", "13:00", "15:00"),
            ("Tuning of the pianos", "2026-11-02", "2026-11-02", "", ""),
            ("Tuning of the pianos", "2027-01-04", "2027-01-04", "", ""),
        ]
        assert found.rows[0].kind == PUBLIC
        assert len({row.key for row in found.rows}) == len(found.rows)

    def test_apple(self) -> None:
        found = file("apple.ics")
        assert shown(found) == [
            ("Guest lecture", "2026-03-02", "2026-03-02", "08:30", "12:00"),
            ("Guest lecture", "2026-03-09", "2026-03-09", "08:30", "12:00"),
            ("Guest lecture", "2026-03-16", "2026-03-16", "08:30", "12:00"),
            ("First day of school", "2026-08-17", "2026-08-17", "", ""),
            ("Sports day", "2026-09-18", "2026-09-18", "08:30", "12:00"),
            ("Christmas Eve", "2026-12-24", "2026-12-24", "", ""),
            ("Christmas Eve", "2027-12-24", "2027-12-24", "", ""),
        ]
        assert [(note.code, note.values["name"]) for note in found.notes] == [
            ("no_length", "A reminder")
        ]


class TestQuirks:
    def test_descriptions_are_for_students_only_if_somebody_says_so(self) -> None:
        text = event("DTSTART;VALUE=DATE:20260501", "DESCRIPTION:Bring cake")
        assert read(text).rows[0].note is None
        assert read(text, notes=True).rows[0].note == "Bring cake"

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            # A whole day that ends on the day it begins.
            (["DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260501"], ("2026-05-01", "", "")),
            # No day more because it ends at midnight.
            (["DTSTART:20260501T200000", "DTEND:20260502T000000"], ("2026-05-01", "20:00", "")),
            (["DTSTART:20260501T000000", "DTEND:20260501T120000"], ("2026-05-01", "", "12:00")),
            (["DTSTART:20260501T000000", "DTEND:20260502T000000"], ("2026-05-01", "", "")),
            # In UTC without a zone of the calendar: the school's.
            (
                ["DTSTART:20260501T060000Z", "DTEND:20260501T070000Z"],
                ("2026-05-01", "08:00", "09:00"),
            ),
            # Ends on another clock than it begins on.
            (
                [
                    "DTSTART;TZID=Europe/Berlin:20260501T100000",
                    "DTEND;TZID=Europe/Lisbon:20260501T110000",
                ],
                ("2026-05-01", "10:00", "12:00"),
            ),
            # In the hour that spring leaves out the wall is what was written.
            (
                ["DTSTART;TZID=Europe/Berlin:20260329T023000", "DURATION:PT1H"],
                ("2026-03-29", "02:30", "03:30"),
            ),
        ],
    )
    def test_one_event(self, lines: list[str], expected: tuple[str, str, str]) -> None:
        [(_name, first, last, starts, ends)] = shown(read(event(*lines)))
        assert (first, starts, ends) == expected
        assert last == first

    def test_the_zone_of_the_calendar_may_be_a_windows_one(self) -> None:
        text = event(
            "DTSTART:20260501T060000Z",
            "DTEND:20260501T070000Z",
            head="X-WR-TIMEZONE:Tokyo Standard Time\n",
        )
        assert shown(read(text))[0][3] == "15:00"

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (["RRULE:FREQ=DAILY;UNTIL=20260503T050000Z"], ["01 14:00", "02 14:00", "03 14:00"]),
            (
                ["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260502T050000Z"],
                ["01 14:00", "03 14:00"],
            ),
            (["RDATE:20260504T060000Z"], ["01 14:00", "04 15:00"]),
            # One stands in for the second, though it is written on yet another clock.
            (
                [
                    "RRULE:FREQ=DAILY;COUNT=3",
                    "DTEND;TZID=Asia/Tokyo:20260501T150000",
                    "END:VEVENT",
                    "BEGIN:VEVENT",
                    "UID:1",
                    "SUMMARY:Moved",
                    "RECURRENCE-ID:20260502T050000Z",
                    "DTSTART;TZID=Europe/Lisbon:20260502T090000",
                ],
                ["01 14:00", "02 09:00", "03 14:00"],
            ),
        ],
    )
    def test_utc_in_a_series_is_meant_on_the_clock_of_the_series(
        self, lines: list[str], expected: list[str]
    ) -> None:
        text = event(
            "DTSTART;TZID=Asia/Tokyo:20260501T140000",
            *lines,
            "DURATION:PT1H",
            head="X-WR-TIMEZONE:Europe/Berlin\n",
        )
        assert [f"{row.first_on:%d} {row.starts:%H:%M}" for row in read(text).rows] == expected

    def test_a_rule_until_a_day_counts_that_day(self) -> None:
        text = event("DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=DAILY;UNTIL=20260503")
        assert len(read(text).rows) == 3

    def test_a_rule_from_long_ago_keeps_its_step(self) -> None:
        text = event("DTSTART;VALUE=DATE:19990104", "RRULE:FREQ=WEEKLY;INTERVAL=2")
        days = [row.first_on for row in read(text, years=range(2026, 2027)).rows]
        assert len(days) == 26
        assert all((day - date(1999, 1, 4)).days % 14 == 0 for day in days)

    def test_other_years_are_not_asked_for(self) -> None:
        text = event("DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=YEARLY")
        assert [row.first_on.year for row in read(text, years=range(2028, 2030)).rows] == [
            2028,
            2029,
        ]

    @pytest.mark.parametrize("rule", [(), ("RRULE:FREQ=YEARLY;COUNT=1",)])
    def test_each_piece_belongs_to_the_year_it_begins_in(self, rule: tuple[str, ...]) -> None:
        text = event("DTSTART:20261223T120000", "DTEND:20270107T120000", *rule)
        both, old, new, newer = (
            read(text, years=range(*years)).rows
            for years in ((2026, 2028), (2026, 2027), (2027, 2028), (2028, 2029))
        )
        assert [(row.first_on, row.last_on) for row in old] == [
            (date(2026, 12, 23), date(2026, 12, 23)),
            (date(2026, 12, 24), date(2027, 1, 6)),
        ]
        assert [(row.first_on, row.ends) for row in new] == [(date(2027, 1, 7), time(12))]
        assert (*old, *new) == both
        assert not newer

    def test_a_series_without_a_title_or_a_name_of_its_own(self) -> None:
        text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260501\nEND:VEVENT\nEND:VCALENDAR\n"
        row = read(text).rows[0]
        assert (row.name, row.kind) == ("–", OTHER)
        assert row.key

    def test_two_calendars_in_one_file_and_lf_alone(self) -> None:
        text = event("DTSTART;VALUE=DATE:20260501") + event("DTSTART;VALUE=DATE:20260502")
        assert len(read(text.encode()).rows) == 2

    def test_utf_16_with_a_mark(self) -> None:
        assert read(event("DTSTART;VALUE=DATE:20260501").encode("utf-16")).rows

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            (["DTSTART:tomorrow"], "no_day"),
            ([], "no_day"),
            (["DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:99990101"], "too_long"),
            (["DTSTART;VALUE=DATE:20260501", "DURATION:-P1D"], ""),
            (["DTSTART:20260501T100000", "DTEND:20260501T090000"], "no_length"),
            (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=SECONDLY"], "too_often"),
            (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=HOURLY;COUNT=99999999"], "too_often"),
            (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=NEVER"], "bad_rule"),
            (["DTSTART;VALUE=DATE:20260501", "RRULE:FREQ=DAILY;INTERVAL=0"], "bad_rule"),
            (["DTSTART;VALUE=DATE:00010101", "RRULE:FREQ=DAILY"], "too_often"),
            (["DTSTART;VALUE=DATE:20260501", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260501"], "from_here_on"),
        ],
    )  # fmt: skip
    def test_what_is_left_out_is_said(self, lines: list[str], code: str) -> None:
        found = read(event(*lines))
        assert [note.code for note in found.notes] == ([code] if code else [])
        assert [note.values["name"] for note in found.notes] == (["Closed"] if code else [])
        assert bool(found.rows) is not bool(code)


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "no_calendar"),
            ("name;first_on", "no_calendar"),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\n", "cut_off"),
            ("BEGIN:VCALENDAR\nhello\nEND:VCALENDAR\n", "broken"),
            ("BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\nEND:VEVENT\n" * 5001, "too_many_events"),
            (event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY"), "too_many"),
        ],
    )
    def test_a_file_that_is_none_of_ours(self, text: str, code: str) -> None:
        with pytest.raises(ics.NotCalendar) as refused:
            read(text)
        assert refused.value.note.code == code

    def test_zones_that_never_end_take_no_time(self) -> None:
        zones = "BEGIN:VTIMEZONE\n" * 60_000
        began = perf_counter()
        with pytest.raises(ics.NotCalendar) as refused:
            read(event("DTSTART;VALUE=DATE:20260501", head=zones))
        assert refused.value.note.code == "broken"
        ended = event("DTSTART;VALUE=DATE:20260501", head=f"{zones}end:vtimezone\n")
        assert len(read(ended).rows) == 1
        assert perf_counter() - began < 5, "it grew with the square of the lines"

    def test_rules_that_never_match_end_with_their_budget(self) -> None:
        never = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
        assert not read(event("DTSTART;VALUE=DATE:19500101", never)).notes
        found = read(event("DTSTART;VALUE=DATE:19500101", f"{never};COUNT=5") * 6)
        assert [note.code for note in found.notes] == ["too_often"]


RULES = st.builds(
    lambda freq, interval, end, more: ";".join((f"FREQ={freq};INTERVAL={interval}{end}", *more)),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 5),
    st.sampled_from(["", "", ";COUNT=7", ";UNTIL=20270315T120000"]),
    st.lists(
        st.sampled_from(
            [
                "BYDAY=MO,TH",
                "BYDAY=2TU,-1FR",
                "BYMONTH=3,10",
                "BYMONTHDAY=1,15,-1",
                "BYYEARDAY=1,100,-1",
                "BYSETPOS=1,-1",
                "WKST=SU",
            ]
        ),
        max_size=3,
        unique_by=lambda one: one.split("=")[0],
    ),
)


@given(RULES, st.datetimes(datetime(2019, 1, 1), datetime(2026, 12, 31)))  # noqa: DTZ001
@settings(max_examples=60, deadline=None)
def test_rules_mean_what_dateutil_thinks_they_mean(text: str, starts: datetime) -> None:
    starts = starts.replace(microsecond=0)
    freq = text.split(";")[0]
    nth = "2TU" in text and freq in ("FREQ=DAILY", "FREQ=WEEKLY")
    # RFC 5545 forbids these; the two need not agree on nonsense.
    assume(not nth and not ("BYSETPOS" in text and "BYDAY" not in text))
    assume(not ("BYYEARDAY" in text and (freq != "FREQ=YEARLY" or "BYMONTH" in text)))
    window = datetime(2026, 1, 1), datetime(2028, 1, 1)  # noqa: DTZ001
    until = None if "COUNT" in text else text.partition(";UNTIL=")[2][:15] or "20280101T000000"
    bounded = text if until is None or "UNTIL" in text else f"{text};UNTIL={until}"
    expected = [
        one
        for one in islice(rrulestr(bounded, dtstart=starts), 9000)
        if window[0] <= one < window[1]
    ]
    rule = rule_of(vRecur.from_ical(text), starts, lambda at: at)  # type: ignore[arg-type, return-value]
    found = [one for one in expanded(rule, starts, window, [10**9]) if one >= window[0]]
    assert found == expected


class TestTables:
    def test_as_excel_saves_it(self) -> None:
        found, problems = table.read((FILES / "excel.csv").read_bytes(), years=TWO_YEARS)
        assert not problems
        assert [
            (row.name, row.first_on, row.last_on, row.kind, row.starts, row.as_weekday, row.note)
            for row in found.rows
        ] == [
            ("Winterferien", date(2026, 2, 2), date(2026, 2, 6), SCHOOL_BREAK, None, None, "Bis Montag!"),
            ("Frühjahrsputz", date(2026, 3, 7), date(2026, 3, 8), OTHER, None, None, ""),
            ("Samstag statt Freitag", date(2026, 5, 16), date(2026, 5, 16), WORKING_DAY, None, 4, ""),
            ("Konzert", date(2026, 5, 22), date(2026, 5, 22), OTHER, time(14), None, ""),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("line", "column"),
        [
            (",2026-01-01,,,,,,,", "name"),
            ("x,,,,,,,,", "first_on"),
            ("x,1/2/2026,,,,,,,", "first_on"),
            ("x,2026-01-02,2026-01-01,,,,,,", "last_on"),
            ("x,2026-01-02,2028-01-01,,,,,,", "last_on"),
            ("x,2026-01-02,2026-01-03,2,,,,,", "days"),
            ("x,2026-01-02,,0,,,,,", "days"),
            ("x,2026-01-02,,,holliday,,,,", "kind"),
            ("x,2026-01-02,,,,14,,,", "from"),
            ("x,2026-01-02,,,,14:00,14:00,,", "until"),
            ("x,2026-01-02,,,working day,,,,", "works_like"),
            ("x,2026-01-02,,,working day,08:00,,Monday,", "from"),
            ("x,2026-01-02,,,working day,,,M,", "works_like"),
            ("x,2026-01-02,,,public,,,Monday,", "works_like"),
            (f"x,2026-01-02,,,,,,,{'n' * 1001}", "note"),
        ],
    )
    def test_what_is_wrong_is_said_by_line_and_column(self, line: str, column: str) -> None:
        head = "name,first_on,last_on,days,kind,from,until,works_like,note\n"
        good = "Snow,2026-01-05,,,,,,,\n"
        found, problems = table.read((head + good + line).encode(), years=TWO_YEARS)
        assert not found.rows
        assert [(one.line, one.column) for one in problems] == [(3, column)]
        assert problems[0].hint

    def test_lines_of_other_years_are_left_out_in_words(self) -> None:
        text = "name,first_on\nOld,2019-01-01\nSnow,2026-01-05\n"
        found, _problems = table.read(text.encode(), years=TWO_YEARS)
        assert [row.name for row in found.rows] == ["Snow"]
        assert [(note.code, note.values["count"]) for note in found.notes] == [("other_years", "1")]
        # Without a column for it a table has nothing to say about notes.
        assert found.rows[0].note is None
