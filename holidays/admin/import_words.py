"""An import in words: notes, categories, what becomes of each row."""

from collections.abc import Iterable
from datetime import date, time
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from holidays.domain.plan import Action, State
from holidays.domain.rows import Columns, Note
from holidays.models import Holiday, HolidaySource, Region

NOTES = {
    "none_in_year": gettext_lazy("The library knows no holidays of %(year)s."),
    "works_like_unknown": gettext_lazy(
        "%(day)s is a working day instead, but the library does not say whose weekday it takes. Enter it "
        "by hand."
    ),
    "half_day_guessed": gettext_lazy(
        "The library does not say from when on these are free; noon is assumed: %(names)s. Correct it "
        "afterwards where it is wrong."
    ),
    "other_years": gettext_lazy("%(count)s lines of the file are of other years, and left out."),
    "no_day": gettext_lazy("“%(name)s” is left out: its day cannot be read."),
    "no_length": gettext_lazy(
        "“%(name)s” is left out: it ends when it begins, and closes nothing."
    ),
    "too_long": gettext_lazy(
        "“%(name)s” is left out: it lasts longer than a year. Enter it by hand if it is meant so."
    ),
    "from_here_on": gettext_lazy(
        "“%(name)s” is changed “from here on” in the middle of a series; this change is left out. Enter "
        "it by hand."
    ),
    "too_often": gettext_lazy(
        "“%(name)s” is left out: it repeats more often than a closure does, or over too many years."
    ),
    "bad_rule": gettext_lazy("“%(name)s” is left out: its rule of repetition cannot be read."),
}
# Of a file as a whole.
REFUSALS = {
    "no_calendar": gettext_lazy(
        "This is no calendar file: it does not begin with BEGIN:VCALENDAR. Export the calendar as .ics, "
        "or the table as “CSV UTF-8”."
    ),
    "cut_off": gettext_lazy("The end of this calendar is missing. Export it once more."),
    "broken": gettext_lazy("This calendar cannot be read (%(reason)s). Export it once more."),
    "too_many_events": gettext_lazy(
        "This calendar has more than %(most)s events. Export one that holds the closures alone."
    ),
    "too_many": gettext_lazy(
        "In these years it has more than %(most)s closures; nobody could look at them all. Choose fewer "
        "years, or export a calendar that holds the closures alone."
    ),
}
FAILED = {
    "missing": gettext_lazy(
        "The library of public holidays is not installed on this server. Calendar files and tables can "
        "be imported without it."
    ),
    "slow": gettext_lazy("The library of public holidays did not answer in time. Try once more."),
    "failed": gettext_lazy(
        "The library of public holidays failed on this server; its log says why. Calendar files and "
        "tables can be imported without it."
    ),
}
CATEGORIES = {
    "public": gettext_lazy("Public holidays"),
    "bank": gettext_lazy("Holidays of banks"),
    "government": gettext_lazy("Holidays of the authorities"),
    "school": gettext_lazy("Days without school"),
    "half_day": gettext_lazy("Half days"),
    "optional": gettext_lazy("Days that people may take off"),
    "unofficial": gettext_lazy("Days that people celebrate and work on"),
    "workday": gettext_lazy("Days of remembrance that people work on"),
    "de_facto": gettext_lazy("Days that are free by custom"),
    "armed_forces": gettext_lazy("Days of the armed forces"),
    "catholic": gettext_lazy("Catholic holidays"),
    "protestant": gettext_lazy("Protestant holidays"),
    "orthodox": gettext_lazy("Orthodox holidays"),
    "christian": gettext_lazy("Christian holidays"),
    "islamic": gettext_lazy("Islamic holidays"),
    "hebrew": gettext_lazy("Jewish holidays"),
    "hindu": gettext_lazy("Hindu holidays"),
}
STATES = {
    State.NEW: (gettext_lazy("New"), ""),
    State.CHANGED: (gettext_lazy("Changed by the source"), ""),
    State.GONE: (
        gettext_lazy("No longer in the source"),
        gettext_lazy("What is kept stays as your own, and no later import asks about it."),
    ),
    State.EDITED: (
        gettext_lazy("Changed by a person"),
        gettext_lazy("They stay as they are, unless you tick them."),
    ),
    State.LEFT_OUT: (
        gettext_lazy("Deleted or left out before"),
        gettext_lazy("They stay away, unless you tick them."),
    ),
    State.TWICE: (
        gettext_lazy("These days are closed already"),
        gettext_lazy(
            "Linked, a holiday keeps its words and times, and later imports know that it is the same one."
        ),
    ),
    State.SAME: (gettext_lazy("Unchanged"), ""),
}
# Beside a box to tick; what is not ticked is left as it is.
ACTIONS = {
    Action.ADD: gettext_lazy("Add"),
    Action.TAKE: gettext_lazy("Take what the source says"),
    Action.DELETE: gettext_lazy("Delete"),
    Action.LINK: gettext_lazy("Link the two"),
    Action.LEAVE: gettext_lazy("Leave it as it is"),
}
BESIDE = gettext_lazy("Add it beside the other")
COLUMNS = {
    "name": gettext_lazy("Name"),
    "names": gettext_lazy("In other languages"),
    "kind": gettext_lazy("Kind"),
    "days": gettext_lazy("Days"),
    "times": gettext_lazy("Time"),
    "as_weekday": gettext_lazy("Works like"),
    "place": gettext_lazy("Closes for"),
    "note": gettext_lazy("Note for students"),
}


def note_in_words(note: Note) -> str:
    return str(NOTES[note.code]) % note.values


def refusal_in_words(note: Note) -> str:
    return str(REFUSALS[note.code]) % note.values


def category_in_words(category: str) -> str:
    return str(CATEGORIES.get(category, category.replace("_", " ").capitalize()))


def days_in_words(columns: Columns) -> str:
    first, last = (date.fromisoformat(columns[name]) for name in ("first_on", "last_on"))
    words = date_format(first, "D j M Y") if first == last else ""
    return words or f"{date_format(first, 'D j M')} – {date_format(last, 'D j M Y')}"


def times_in_words(columns: Columns) -> str:
    starts, ends = (
        columns[name] and time.fromisoformat(columns[name]) for name in ("starts", "ends")
    )
    if starts and ends:
        return f"{time_format(starts, 'H:i')} – {time_format(ends, 'H:i')}"
    if starts:
        return _("from %(time)s") % {"time": time_format(starts, "H:i")}
    return _("until %(time)s") % {"time": time_format(ends, "H:i")} if ends else _("the whole day")


def in_words(columns: Columns) -> dict[str, str]:
    """One row for people, by what is shown of it."""
    weekday = columns["as_weekday"]
    names = columns["names"]
    return {
        "name": columns["name"],
        "names": ", ".join(f"{code}: {names[code]}" for code in sorted(names)),
        "kind": str(Holiday.Kind(columns["kind"]).label),
        "days": days_in_words(columns),
        "times": times_in_words(columns),
        "as_weekday": "" if weekday is None else str(WEEKDAYS[weekday]),
        "place": _place(columns),
        "note": columns.get("note") or "",
    }


def _place(columns: Columns) -> str:
    if columns.get("scope") == Holiday.Scope.REGION:
        region = Region.objects.filter(pk=columns["region"]).first()
        return _("teachers in %(region)s") % {"region": region} if region else ""
    return str(Holiday.Scope(columns.get("scope") or "school").label)


def differences(now: Columns, theirs: Columns) -> list[dict[str, Any]]:
    """What is not the same, with both values."""
    ours, other = in_words(now), in_words({**now, **theirs})
    return [
        {"column": COLUMNS[name], "before": ours[name], "after": other[name]}
        for name in COLUMNS
        if ours[name] != other[name]
    ]


def joined(parts: Iterable[Any]) -> str:
    return ", ".join(str(part) for part in parts if part)


def difference_in_words(source: HolidaySource) -> str:
    """Empty: the source says what was imported."""
    found = source.difference
    if found is None:
        return ""
    counts = joined(
        f"{STATES[State(state)][0]}: {count}" for state, count in found["counts"].items()
    )
    names, more = joined(found["names"]), sum(found["counts"].values()) - len(found["names"])
    words = _("%(counts)s (%(names)s)") % {"counts": counts, "names": names}
    return f"{words} " + _("and %(count)d more") % {"count": more} if more > 0 else words
