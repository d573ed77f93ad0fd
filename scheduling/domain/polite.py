"""What may be said about a slot that is not free, and to whom. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scheduling.domain.reasons import DayReasons, Missing, Why

# What a teacher's other students, breaks and limits are is nobody's business: it is taken.
POLITE: Mapping[Why, Why] = {
    Why.BUFFER: Why.LESSON,
    Why.DAY_LIMIT: Why.LESSON,
    Why.WEEK_LIMIT: Why.LESSON,
}
NAMES: Mapping[Why, str] = {Why.LESSON: "taken", Why.TIME_OFF: "away"}
CODES = tuple(sorted({*(str(why) for why in Why), *NAMES.values()}))


def told(why: Why, *, fully: bool) -> Why:
    return why if fully else POLITE.get(why, why)


def code(why: Why, *, fully: bool) -> str:
    """For programs."""
    return str(why) if fully else NAMES.get(why, str(why))


def day_told(day: DayReasons, *, fully: bool) -> tuple[Why | None, str]:
    """Why nothing is free on a day, and its note; politely, what most of its slots lack.

    Counted anew: of lessons, breaks and limits, which are all taken, there may be most together.
    """
    if day.why is None or not day.missing or day.why is Why.CLOSED:
        return day.why, day.note
    if fully:
        noted = (one.note for one in day.missing if one.why is day.why)
        return day.why, day.note or next(noted, "")
    whys = [told(one.why, fully=False) for one in day.missing]
    return max(dict.fromkeys(whys), key=whys.count), ""


def with_reasons(
    missing: Sequence[Missing], time_off: Sequence[tuple[int, int, str]]
) -> list[Missing]:
    """Each slot in time off with the reason of that, as its teacher wrote it."""
    return [
        replace(one, note=_reason(one, time_off)) if one.why is Why.TIME_OFF else one
        for one in missing
    ]


def _reason(one: Missing, time_off: Sequence[tuple[int, int, str]]) -> str:
    start, end = one.period
    return next((text for since, until, text in time_off if since < end and start < until), "")
