"""Events as calendar programs read them (RFC 5545), and as links to the two big ones. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from icalendar import Calendar, vCalAddress, vDuration, vText
from icalendar import Event as Component

from enrollment.domain.vtimezones import as_timezone

PRODUCT = "-//School//Lessons//EN"
MEDIA_TYPE = "text/calendar"
# How often a program that subscribes should look; most follow their own mind.
LOOK_AGAIN = timedelta(hours=1)
# What no text may hold (3.1); a line break is written as two letters, by the library.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

PUBLISH, CANCEL = "PUBLISH", "CANCEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """starts, ends: half-open; both are aware, on the reader's clock, or both are dates.

    sequence: rises whenever place in time or people change. busy: whether it takes the reader's time.
    """

    uid: str
    summary: str
    starts: date
    ends: date
    description: str = ""
    url: str = ""
    sequence: int = 0
    changed_at: datetime | None = None
    cancelled: bool = False
    busy: bool = True


def as_feed(events: Iterable[Event], *, name: str, zone: str, now: datetime) -> bytes:
    """To subscribe to. An event is stamped with its last change, as is right without a METHOD (3.8.7.2)."""
    calendar = _calendar()
    calendar.add("x-wr-calname", _clean(name))
    calendar.add("x-wr-timezone", zone)
    often = vDuration(LOOK_AGAIN, params={"VALUE": "DURATION"})
    calendar.add("refresh-interval", often)
    calendar.add("x-published-ttl", vDuration(LOOK_AGAIN))
    return _written(calendar, [_component(one, stamp=one.changed_at or now) for one in events])


def as_file(events: Iterable[Event], *, method: str, organizer: str, now: datetime) -> bytes:
    """To add, or with CANCEL to take away. organizer: an address, as a mail has it; RFC 5546 wants one."""
    calendar = _calendar()
    calendar.add("method", method)
    parts = [_component(event, stamp=now) for event in events]
    for part in parts:
        part.add("organizer", _address(organizer))
    return _written(calendar, parts)


def google_url(event: Event) -> str:
    return "https://calendar.google.com/calendar/render?" + urlencode(
        {
            "action": "TEMPLATE",
            "text": _clean(event.summary),
            "dates": f"{_utc(event.starts):%Y%m%dT%H%M%SZ}/{_utc(event.ends):%Y%m%dT%H%M%SZ}",
            "details": event.description,
        }
    )


def outlook_url(event: Event) -> str:
    return "https://outlook.live.com/calendar/0/deeplink/compose?" + urlencode(
        {
            "path": "/calendar/action/compose",
            "rru": "addevent",
            "subject": _clean(event.summary),
            "startdt": f"{_utc(event.starts):%Y-%m-%dT%H:%M:%SZ}",
            "enddt": f"{_utc(event.ends):%Y-%m-%dT%H:%M:%SZ}",
            "body": event.description,
        }
    )


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _component(event: Event, *, stamp: datetime) -> Component:
    part = Component()
    part.add("uid", event.uid)
    part.add("dtstamp", stamp.astimezone(UTC))
    part.add("dtstart", _moment(event.starts))
    part.add("dtend", _moment(event.ends))
    part.add("summary", _clean(event.summary))
    if event.description:
        part.add("description", _clean(event.description))
    if event.url:
        part.add("url", event.url)
    part.add("sequence", event.sequence)
    if event.changed_at:
        part.add("last-modified", event.changed_at.astimezone(UTC))
    part.add("status", "CANCELLED" if event.cancelled else "CONFIRMED")
    part.add("transp", "OPAQUE" if event.busy and not event.cancelled else "TRANSPARENT")
    return part


def _moment(at: date) -> date:
    """The second of two equal hours in autumn can only be said in UTC: a wall clock means the first."""
    return at.astimezone(UTC) if isinstance(at, datetime) and at.fold else at


def _utc(at: date) -> datetime:
    assert isinstance(at, datetime), "only what has a time is offered as a link"
    return at.astimezone(UTC)


def _clean(text: str) -> str:
    return CONTROLS.sub(" ", text)


def _address(mailbox: str) -> vCalAddress:
    name, address = parseaddr(mailbox)
    organizer = vCalAddress(f"mailto:{address}")
    if name:
        organizer.params["cn"] = vText(name)
    return organizer


def _written(calendar: Calendar, parts: Sequence[Component]) -> bytes:
    for part in parts:
        calendar.add_component(part)
    year = min((part.decoded("dtstart").year for part in parts), default=0)
    zones: Any = sorted(calendar.get_missing_tzids())
    for number, zone in enumerate(zones):
        # Before the events that name them.
        calendar.subcomponents.insert(number, as_timezone(zone, year))
    written: bytes = calendar.to_ical()
    return written
