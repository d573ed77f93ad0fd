"""Weekly hours from availability.csv, along with the school's import. A row is known again by its
teacher, weekday, start and first day of validity."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from django.db.models import QuerySet

from enrollment.domain import cells
from enrollment.domain.sheets import BadCell, Column, Record, Sheet
from enrollment.importing.desk import Counts, Desk, Touched
from enrollment.importing.registry import Export, Table
from enrollment.models import Teacher
from enrollment.operations.import_school.merge import counted
from scheduling.domain.hours import first_overlap
from scheduling.models import AvailabilityRule
from scheduling.models.rules import MIDNIGHT, MOST_WEEKS

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TAGE = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")

# Columns that a file may do without; a known row then keeps what it has.
OPTIONAL = ("ends_next_day", "every_weeks", "valid_until")

Key = tuple[int, int, time, date | None]


@dataclass(frozen=True, kw_only=True)
class HoursRow:
    record: Record
    teacher: str
    weekday: int
    starts: time
    ends: time
    ends_next_day: bool
    every_weeks: int
    valid_from: date | None
    valid_until: date | None

    @property
    def key(self) -> tuple[str, int, time, date | None]:
        return self.teacher, self.weekday, self.starts, self.valid_from


def weekday(text: str) -> int:
    """Monday, mon and Montag are 0."""
    word = text.lower().rstrip(".")
    for names in (DAYS, TAGE):
        for index, name in enumerate(names):
            if word == name or (2 <= len(word) <= 3 and name.startswith(word)):
                return index
    raise BadCell("write a weekday like Monday or Mon.")


def weekday_name(day: int) -> str:
    return DAYS[day].capitalize()


def minute(text: str) -> time:
    at = cells.clock(text)
    if at.second:
        raise BadCell("give hours and minutes only, like 14:30.")
    return at


def save_hours_file(rows: Sequence[HoursRow], desk: Desk) -> Counts:
    named = [(row, teacher.pk) for row in rows if (teacher := desk.teacher(row.record))]
    known = _known({teacher for _row, teacher in named})
    wanted = [(row, _as_rule(row, teacher, known)) for row, teacher in named]
    rules = [(row, rule) for row, rule in wanted if _is_sound(row, rule, desk)]
    _report_overlaps(rules, known.values(), desk)
    if desk.problems:
        return Counts()
    return _write(rules, known)


def _known(teachers: Iterable[int]) -> dict[Key, AvailabilityRule]:
    """Nobody else saves hours of these teachers before the import's transaction ends: overlaps of
    hours that hold in some weeks only are seen by this check alone, not by the database."""
    rows = Teacher.objects.select_for_update(no_key=True).filter(pk__in=teachers)
    list(rows.order_by("pk").values_list("pk"))
    rules = AvailabilityRule.objects.filter(teacher__in=teachers).order_by("pk")
    return {_key(rule): rule for rule in rules}


def _key(rule: AvailabilityRule) -> Key:
    return rule.teacher_id, rule.weekday, rule.starts, rule.valid_from


def _as_rule(row: HoursRow, teacher: int, known: dict[Key, AvailabilityRule]) -> AvailabilityRule:
    """As the file wants it, with the known row's id; a column it does not have changes nothing."""
    old = known.get((teacher, row.weekday, row.starts, row.valid_from))
    rule = AvailabilityRule(
        pk=old.pk if old else None,
        teacher_id=teacher,
        weekday=row.weekday,
        starts=row.starts,
        ends=row.ends,
        valid_from=row.valid_from,
    )
    for name in OPTIONAL:
        keeps = old is not None and not row.record.has(name)
        setattr(rule, name, getattr(old if keeps else row, name))
    return rule


def _is_sound(row: HoursRow, rule: AvailabilityRule, desk: Desk) -> bool:
    column, hint = _what_is_wrong(rule)
    if hint:
        desk.refuse(row.record, column, hint)
    return not hint


def _what_is_wrong(rule: AvailabilityRule) -> tuple[str, str]:
    """The column, and what would be right; the model's own rules, in the file's words."""
    if rule.ends_next_day and rule.ends > rule.starts:
        return "ends", "hours last 24 hours at most; end them earlier, or say ends_next_day no."
    if not (rule.ends_next_day or rule.ends > rule.starts or rule.ends == MIDNIGHT):
        return "ends", (
            "must be later than starts; 00:00 is the end of the day, and hours that go on past "
            "midnight need ends_next_day yes."
        )
    if rule.valid_from and rule.valid_until and rule.valid_until < rule.valid_from:
        return "valid_until", "must not be before valid_from."
    if rule.every_weeks > 1 and rule.valid_from is None:
        return "valid_from", "say from which day on; the weeks are counted from it."
    return "", ""


def _report_overlaps(
    rules: Sequence[tuple[HoursRow, AvailabilityRule]],
    known: Iterable[AvailabilityRule],
    desk: Desk,
) -> None:
    """Each row against what stays in the school, and against the lines above it.

    All weekdays: hours that go on past midnight reach into the next one.
    """
    written = {_key(rule) for _row, rule in rules}
    beside: dict[int, list[tuple[str, AvailabilityRule]]] = defaultdict(list)
    for rule in known:
        if _key(rule) not in written:
            beside[rule.teacher_id].append(("already in the school", rule))
    for row, rule in rules:
        others = beside[rule.teacher_id]
        found = first_overlap(
            rule.as_rule(), ((index, other.as_rule()) for index, (_, other) in enumerate(others))
        )
        if found is not None:
            where, other = others[found]
            desk.refuse(row.record, "starts", f"overlaps {other.in_words()} ({where}).")
        others.append((f"line {row.record.line}", rule))


def _write(
    rules: Sequence[tuple[HoursRow, AvailabilityRule]], known: dict[Key, AvailabilityRule]
) -> Counts:
    new = [rule for _row, rule in rules if _key(rule) not in known]
    changed = [
        rule for _row, rule in rules if (old := known.get(_key(rule))) and _says(old) != _says(rule)
    ]
    # Taken away and put back under their ids: updated one by one, two that trade their times would
    # overlap for a moment, and the database looks after each row.
    AvailabilityRule.objects.filter(pk__in=[rule.pk for rule in changed]).delete()
    AvailabilityRule.objects.bulk_create([*changed, *new], batch_size=1000)
    is_new = {id(rule): True for rule in new} | {id(rule): False for rule in changed}
    touched = [
        Touched(line=row.record.line, pk=rule.pk, is_new=is_new[id(rule)])
        for row, rule in rules
        if id(rule) in is_new
    ]
    return counted(touched, of=len(rules))


def _says(rule: AvailabilityRule) -> tuple[Any, ...]:
    """What is not in the key."""
    return tuple(getattr(rule, name) for name in ("ends", *OPTIONAL))


def hours_rows(found: QuerySet[AvailabilityRule]) -> QuerySet[AvailabilityRule]:
    with_all = found.select_related("teacher__user")
    return with_all.order_by("teacher__user__email", "weekday", "starts", "pk")


def hours_values(rule: AvailabilityRule) -> dict[str, Any]:
    names = ("weekday", "starts", "ends", "valid_from", *OPTIONAL)
    teacher = rule.teacher.user.email.lower()
    return {"teacher": teacher} | {name: getattr(rule, name) for name in names}


HOURS = Table(
    sheet=Sheet(
        file="availability.csv",
        columns=[
            Column(name="teacher", read=cells.mail),
            Column(name="weekday", read=weekday, write=weekday_name),
            Column(name="starts", read=minute, write=cells.clock_text),
            Column(name="ends", read=minute, write=cells.clock_text),
            Column(
                name="ends_next_day",
                read=cells.yes_or_no,
                write=cells.yes_or_no_text,
                needed=False,
                empty=False,
            ),
            Column(name="every_weeks", read=cells.whole(1, MOST_WEEKS), needed=False, empty=1),
            Column(name="valid_from", read=cells.day, needed=False),
            Column(name="valid_until", read=cells.day, needed=False),
        ],
        row=HoursRow,
        key=lambda row: row.key,
        key_column="starts",
    ),
    save=save_hours_file,
    export=Export(model=AvailabilityRule, rows=hours_rows, values=hours_values),
)
