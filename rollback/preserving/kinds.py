"""How a value is written in a cell: the same text from every school, and the value again."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time

from enrollment.domain import cells
from enrollment.domain.sheets import BadCell


@dataclass(frozen=True, kw_only=True)
class Kind:
    """words: for the documentation. read: a cell → the text that the school itself would write, raising
    BadCell. text: SQL that makes a cell of a value. value: SQL that makes a value of a cell.
    """

    words: str
    read: Callable[[str], str]
    text: str = "{}::text"
    value: str = "{}"


def _as_it_is(longest: int) -> Callable[[str], str]:
    """Blanks and line breaks too: what people wrote is not ours to tidy."""

    def read(text: str) -> str:
        if len(text) > longest:
            raise BadCell(f"has {len(text)} characters; at most {longest} fit.")
        return text

    return read


def _mail(text: str) -> str:
    """Whatever the school has let in; it need not be an address that we would give."""
    if "@" not in text or len(text) > 254 or text != text.strip():
        raise BadCell("write a mail address like anna.novak@school.example.")
    return text.lower()


def _instant(text: str) -> str:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError(text)
        return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z".zfill(27)
    except (ValueError, OverflowError) as error:
        raise BadCell("write an instant with its zone, like 2026-03-31T16:30:00+02:00.") from error


def _day(text: str) -> str:
    return cells.day(text).isoformat()


def _clock(text: str) -> str:
    try:
        found = time.fromisoformat(text)
        if found.tzinfo is not None:
            raise ValueError(text)
    except ValueError as error:
        raise BadCell("write the time between 00:00 and 23:59, like 16:30.") from error
    # As PostgreSQL writes it.
    return found.isoformat().rstrip("0") if found.microsecond else found.isoformat()


def _json(text: str) -> str:
    """What PostgreSQL holds and Python cannot read is the database's to judge."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise BadCell("is no JSON; take the value from the export again.") from error
    except (ValueError, RecursionError):
        return text
    return text


def _yes_or_no(text: str) -> str:
    return cells.yes_or_no_text(cells.yes_or_no(text))


def text(longest: int = 100_000_000) -> Kind:
    return Kind(words="text", read=_as_it_is(longest), text="{}")


def whole(least: int = 0, most: int = 2**31 - 1) -> Kind:
    read = cells.whole(least, most)
    return Kind(
        words="whole number", read=lambda cell: str(read(cell)), value="nullif({}, '')::integer"
    )


def one_of(choices: Iterable[str]) -> Kind:
    words = tuple(str(choice) for choice in choices)
    return Kind(words="one of " + ", ".join(words), read=cells.one_of(words), text="{}")


MAIL = Kind(words="mail address", read=_mail, text="lower({})")
SLUG = Kind(words="the course's name in addresses", read=cells.slug, text="{}")
ZONE = Kind(words="IANA time zone", read=cells.zone, text="{}")
LANGUAGE = Kind(words="language code", read=cells.language, text="{}")
KEY = Kind(words="key", read=_as_it_is(1000), text="{}")
INSTANT = Kind(
    words="instant, ISO 8601 in UTC",
    read=_instant,
    text="""to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
    value="nullif({}, '')::timestamptz",
)
DAY = Kind(words="date, ISO 8601", read=_day, value="nullif({}, '')::date")
CLOCK = Kind(words="wall-clock time", read=_clock, value="nullif({}, '')::time")
YES_NO = Kind(
    words="yes or no",
    read=_yes_or_no,
    text="CASE {} WHEN true THEN 'yes' WHEN false THEN 'no' END",
    value="({} = 'yes')",
)
JSON = Kind(words="JSON, as text", read=_json, value="{}::jsonb")
