"""What tests ask of every calendar the school writes: that it is valid, and which zones it means."""

from datetime import UTC, datetime
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Calendar

REQUIRED = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE", "STATUS", "TRANSP")


def read(text: bytes) -> Calendar:
    """Parsed back, after everything the standards ask for (RFC 5545, 5546)."""
    assert text.endswith(b"END:VCALENDAR\r\n")
    assert b"\n" not in text.replace(b"\r\n", b"")
    lines = text.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()  # no letter is cut in two
    calendar = Calendar.from_ical(text)
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    assert not calendar.errors
    uids = [str(event["UID"]) for event in calendar.events]
    assert len(uids) == len(set(uids))
    for event in calendar.events:
        assert not event.errors
        assert not [name for name in REQUIRED if name not in event], event
        assert event.decoded("DTSTART") < event.decoded("DTEND")
        assert type(event.decoded("DTSTART")) is type(event.decoded("DTEND"))
        # Who publishes or cancels must say who they are; nobody does in what is only read.
        assert ("ORGANIZER" in event) == ("METHOD" in calendar)
    used = {
        str(event[name].params["TZID"])
        for event in calendar.events
        for name in ("DTSTART", "DTEND")
        if "TZID" in event[name].params
    }
    assert sorted(str(zone["TZID"]) for zone in calendar.timezones) == sorted(used)
    return calendar


def offset_at(timezone: Any, at: datetime) -> Any:
    """As RFC 5545 has it read: the latest beginning counts, each on the clock that ended there."""
    latest: tuple[datetime, Any] | None = None
    for part in timezone.subcomponents:
        before, after = part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td
        local = (at.astimezone(UTC) + before).replace(tzinfo=None)
        for onset in _onsets(part):
            if onset <= local and (latest is None or onset - before > latest[0]):
                latest = (onset - before, after)
    assert latest is not None, "nothing counts yet"
    return latest[1]


def _onsets(part: Any) -> list[datetime]:
    start = part.decoded("DTSTART")
    onsets = [start]
    if "RDATE" in part:
        onsets += [one.dt for one in part["RDATE"].dts]
    if "RRULE" in part:
        rule = rrulestr(part["RRULE"].to_ical().decode(), dtstart=start)
        onsets += list(rule.between(start, datetime(2045, 1, 1)))  # noqa: DTZ001
    return onsets
