"""Readers of one cell: text → value. Each raises BadCell, saying what would be right."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, time
from difflib import get_close_matches
from functools import cache, lru_cache
from locale import locale_alias
from zoneinfo import available_timezones

from enrollment.domain.sheets import BadCell

# Plain addresses only: what Django's own check accepts too, so that the admin can save the row.
MAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9][a-z0-9-]*[a-z0-9]"
)
SLUG = re.compile(r"[-a-zA-Z0-9_]+")
# Unicode does not take these apart into a letter and an accent.
NO_ACCENT_BUT_ANOTHER_LETTER = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
YEARS = range(1900, 2201)


def mail(text: str) -> str:
    """In lower case: an address is one address however it is typed."""
    address = text.lower()
    if len(address) > 254 or not MAIL.fullmatch(address):
        raise BadCell("write a mail address like anna.novak@school.example.")
    return address


def mails(text: str) -> tuple[str, ...]:
    """Separated by blanks, commas, semicolons or bars; each once, in order."""
    return tuple(dict.fromkeys(mail(part) for part in re.split(r"[\s,;|]+", text) if part))


def line(longest: int) -> Callable[[str], str]:
    """One line of text, runs of blanks folded."""

    def read(text: str) -> str:
        return _short_enough(" ".join(text.split()), longest)

    return read


def lines(longest: int) -> Callable[[str], str]:
    """Text that may have several lines."""

    def read(text: str) -> str:
        return _short_enough("\n".join(text.splitlines()), longest)

    return read


def as_read(text: str) -> tuple[str, str]:
    """How `line` and `lines` would read it from a file. People type blanks and line breaks into
    pages that no file keeps; such a text is not another one."""
    return " ".join(text.split()), "\n".join(text.strip().splitlines())


def _short_enough(text: str, longest: int) -> str:
    if len(text) > longest:
        raise BadCell(f"has {len(text)} characters; at most {longest} fit.")
    return text


def slug(text: str) -> str:
    if len(text) > 80 or not SLUG.fullmatch(text):
        raise BadCell("use at most 80 letters a-z, digits, - and _, like piano-for-beginners.")
    return text


def slug_of(title: str) -> str:
    """A slug derived from a title; empty when it has no letter that could be carried over."""
    plain = unicodedata.normalize("NFKD", title.lower().translate(NO_ACCENT_BUT_ANOTHER_LETTER))
    ascii_only = plain.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:80].strip("-")


def day(text: str) -> date:
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text, re.ASCII)
    dotted = re.fullmatch(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", text, re.ASCII)
    parts = iso.groups() if iso else dotted.groups()[::-1] if dotted else None
    if parts is None or int(parts[0]) not in YEARS:
        raise BadCell("write the date like 2026-03-31 or 31.03.2026.")
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError as error:
        raise BadCell("there is no such day in the calendar.") from error


def clock(text: str) -> time:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text, re.ASCII)
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise BadCell("write the time between 00:00 and 23:59, like 16:30.")
    return time(hour, minute, second)


def clock_text(at: time) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def wall_clock(text: str) -> time:
    """`02:30 again` is the second of the two in the night when the clocks go back."""
    plain = text.lower().removesuffix("again").rstrip()
    return clock(plain).replace(fold=int(plain != text.lower()))


def wall_clock_text(at: time) -> str:
    return f"{clock_text(at)} again" if at.fold else clock_text(at)


@cache
def zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def zone(text: str) -> str:
    if text in zones():
        return text
    guess = _close_zone(text.lower().replace(" ", "_"))
    raise BadCell(f"no such time zone; write an IANA name like Europe/Berlin.{guess}")


@lru_cache(maxsize=1000)
def _close_zone(wanted: str) -> str:
    """Remembered, as `zone` remembers only what it returns: one slip may fill a whole column."""
    by_lower = {name.lower(): name for name in zones()}
    close = get_close_matches(wanted, by_lower, n=1, cutoff=0.7)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""


LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@cache
def _languages() -> frozenset[str]:
    """As this machine's Python knows them: de, es, zh. Names like "german" are among them, and too long."""
    return frozenset(name.partition("_")[0].lower() for name in locale_alias)


def language(text: str) -> str:
    """Any of the world: which of them the school writes in is its own affair, and may change."""
    tag = text.lower().replace("_", "-")
    if not LANGUAGE.fullmatch(tag) or tag.partition("-")[0] not in _languages():
        raise BadCell("no such language; write a code like en, de or pt-br.")
    return tag


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,10}", text, re.ASCII) or not least <= int(text) <= most:
            raise BadCell(f"write a whole number from {least} to {most}.")
        return int(text)

    return read


YES, NO = ("yes", "y", "true", "1", "ja", "j"), ("no", "n", "false", "0", "nein")


def yes_or_no(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise BadCell("write yes or no.")
    return text.lower() in YES


def yes_or_no_text(value: bool) -> str:
    return YES[0] if value else NO[0]


def one_of(choices: Iterable[str]) -> Callable[[str], str]:
    words = tuple(str(choice) for choice in choices)

    def read(text: str) -> str:
        if text.lower() not in words:
            raise BadCell(f"write one of {', '.join(words)}.")
        return text.lower()

    return read
