"""Somebody's own calendar, as plain values: see `scheduling/domain/shown.py`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.utils.dates import WEEKDAYS

from enrollment.domain.weeks import monday_of
from enrollment.models import Lesson, Student, Teacher
from scheduling import sockets
from scheduling.domain import month as months
from scheduling.domain import shown
from scheduling.domain.shown import Day, Entry, Listed, Mark, Month, Week
from scheduling.models import WaitlistEntry

Reader = Student | Teacher

DAY, WEEK = timedelta(days=1), timedelta(days=7)
LIST_DAYS = 28
# A student's teachers and courses are those of the lessons so near to what is shown: a week in which
# a teacher is away has no lesson to know the teacher by.
AROUND = 5 * WEEK
FAR = timedelta(days=366)
KEPT_TEXT = ("course__description",)


def month_of(*, person: Reader, year: int, month: int, now: datetime) -> Month:
    """A month of somebody's own clock."""
    first, last = date(year, month, 1), months.last_of(year, month)
    found = _between(person=person, first=first, last=last, now=now)
    return Month(
        before=months.shifted(year, month, -1),
        after=months.shifted(year, month, 1),
        weeks=tuple(found.on(week) for week in months.weeks_of(year, month)),
        **found.shown(),
    )


def week_of(*, person: Reader, on: date, now: datetime) -> Week:
    """The week of that day, from Monday on."""
    first = monday_of(on)
    found = _between(person=person, first=first, last=first + WEEK - DAY, now=now)
    hours = shown.hours_of(found.entries)
    found = replace(found, entries=shown.placed(found.entries, hours))
    return Week(
        before=_within(first - WEEK),
        after=_within(first + WEEK),
        days=found.on(shown.days_from(first, 7)),
        hours=tuple(hours),
        **found.shown(),
    )


def list_of(*, person: Reader, first: date, now: datetime) -> tuple[Listed, Sequence[Lesson]]:
    """Four weeks from that day on, and their lessons as they are, for whoever knows what can be done."""
    last = min(first + LIST_DAYS * DAY - DAY, months.LAST_DAY)
    found = _between(person=person, first=first, last=last, now=now)
    days = found.on(shown.days_from(first, (last - first).days + 1))
    listed = Listed(
        before=_within(first - LIST_DAYS * DAY),
        after=_within(last + DAY),
        days=tuple(day for day in days if day.entries or _begins(day, first)),
        **found.shown(),
    )
    return listed, found.lessons


@dataclass(frozen=True, kw_only=True)
class _Found:
    person: Reader
    now: datetime
    first: date
    last: date
    lessons: Sequence[Lesson]
    entries: Sequence[Entry]
    marks: Sequence[Mark]

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.person.zone)).date()

    def shown(self) -> dict[str, Any]:
        """What every kind of page has."""
        counted = (Lesson.Status.PLANNED, Lesson.Status.DONE)
        return {
            "first_on": self.first,
            "last_on": self.last,
            "today": self.today,
            "zone": self.person.zone,
            "teaches": isinstance(self.person, Teacher),
            "lessons": sum(one.kind in counted for one in self.entries),
            "nothing": not self.entries,
            "upcoming": None if self.entries else self._upcoming(),
            "marks": tuple(self.marks),
        }

    def on(self, days: Sequence[date]) -> tuple[Day, ...]:
        return shown.on_days(
            days,
            today=self.today,
            entries=months.grouped((one.on, one) for one in self.entries),
            marks=self.marks,
            within=(self.first, self.last),
        )

    def _upcoming(self) -> date | None:
        """One more query, and only for a page without lessons."""
        zone = ZoneInfo(self.person.zone)
        since = max(self.now, _midnight(self.last + DAY, zone))
        coming = lessons_of(person=self.person, since=since, until=since + FAR, now=self.now)
        starts = (
            coming.filter(status=Lesson.Status.PLANNED).values_list("period", flat=True).first()
        )
        return starts.lower.astimezone(zone).date() if starts else None


def _between(*, person: Reader, first: date, last: date, now: datetime) -> _Found:
    """What falls on these days, both counted: three queries at most."""
    zone = ZoneInfo(person.zone)
    near = AROUND if isinstance(person, Student) else timedelta()
    around = list(
        lessons_of(
            person=person,
            since=_midnight(first - near, zone),
            until=_midnight(last + DAY + near, zone),
            now=now,
        )
    )
    lessons = [one for one in around if first <= one.starts_at.astimezone(zone).date() <= last]
    return _Found(
        person=person,
        now=now,
        first=first,
        last=last,
        lessons=lessons,
        entries=_entries(lessons, person=person, zone=zone, now=now),
        marks=_marks(person, around, first=first, last=last),
    )


def lessons_of(
    *, person: Reader, since: datetime, until: datetime, now: datetime
) -> QuerySet[Lesson]:
    """Those that start in [since, until), in order of time: planned, done and cancelled ones, and the
    student's own live holds; each with `offered`, whether that hold belongs to the waitlist.

    `overlap` beside the start: only that is served by the indexes, the exclusion constraints' and,
    for cancelled lessons, those beside them.
    """
    # Named a bigint: btree_gist has none of PostgreSQL's operators between integers of two sizes,
    # and the index would be searched by time alone.
    number = Cast(Value(person.pk), BigIntegerField())
    is_student = isinstance(person, Student)
    # A teacher's index holds the lessons with their buffers.
    near = (
        Q(student=number, period__overlap=(since, until))
        if is_student
        else Q(teacher=number, busy__overlap=(since, until))
    )
    cancelled, held = Q(status=Lesson.Status.CANCELLED), Q(status=Lesson.Status.HELD)
    live = ~held | Q(expires_at__gt=now) if is_student else ~held
    offer = WaitlistEntry.objects.filter(hold=OuterRef("pk"), status=WaitlistEntry.Status.OFFERED)
    other = "teacher" if is_student else "student__user"
    return (
        Lesson.objects.filter((near & cancelled) | (near & ~cancelled & live))
        .filter(period__startswith__gte=since, period__startswith__lt=until)
        .annotate(
            offered=Case(
                When(held, then=Exists(offer)), default=Value(False), output_field=BooleanField()
            )
        )
        .select_related("course", other)
        .defer(*KEPT_TEXT, *(("teacher__bio",) if is_student else ()))
        .order_by("period", "pk")
    )


def _entries(
    lessons: Iterable[Lesson], *, person: Reader, zone: ZoneInfo, now: datetime
) -> list[Entry]:
    """A group lesson that somebody gives is one of them."""
    groups = months.grouped((_group(lesson), lesson) for lesson in lessons)
    return [_entry(rows, person=person, zone=zone, now=now) for rows in groups.values()]


def _group(lesson: Lesson) -> object:
    if lesson.seats <= 1 or lesson.status == Lesson.Status.HELD:
        return lesson.pk
    return lesson.course_id, lesson.period.lower, lesson.period.upper, lesson.status


def _entry(rows: Sequence[Lesson], *, person: Reader, zone: ZoneInfo, now: datetime) -> Entry:
    lesson = rows[0]
    starts, ends = lesson.starts_at.astimezone(zone), lesson.ends_at.astimezone(zone)
    others = [row.teacher if isinstance(person, Student) else row.student for row in rows]
    # A group has as many clocks as students; the list names each of them with the student.
    clocks = {shown.other_clock(starts, own=zone, other=ZoneInfo(one.zone)) for one in others}
    tint, shape = shown.look_of(lesson.course_id)
    row, rows_long = shown.quarters_of(starts, ends)
    return Entry(
        on=starts.date(),
        starts=f"{starts:%H:%M}",
        ends=f"{ends:%H:%M}",
        iso=starts.isoformat(),
        minutes=int((lesson.ends_at - lesson.starts_at).total_seconds()) // 60,
        kind=lesson.status,
        course=lesson.course.title,
        slug=lesson.course.slug,
        tint=tint,
        shape=shape,
        people=tuple(
            shown.Person(lesson=row.pk, name=str(one), enrollment=row.enrollment_id)
            for row, one in zip(rows, others, strict=True)
        ),
        other=clocks.pop() if len(clocks) == 1 else None,
        until=f"{lesson.expires_at.astimezone(zone):%H:%M}" if lesson.expires_at else "",
        offered=lesson.offered,  # type: ignore[attr-defined]
        over=lesson.ends_at <= now,
        row=row,
        rows=rows_long,
    )


def _marks(person: Reader, lessons: Iterable[Lesson], *, first: date, last: date) -> list[Mark]:
    teachers, courses = _whose(person, lessons)
    named = sockets.named_closures(teachers=teachers, courses=courses, first=first, last=last)
    return [
        Mark(
            name=one.name,
            note=one.note,
            first_on=one.first_on,
            last_on=one.last_on,
            starts=shown.wall(one.starts),
            ends=shown.wall(one.ends),
            works_like="" if one.works_like is None else str(WEEKDAYS[one.works_like]),
        )
        for one in named
    ]


def _begins(day: Day, first: date) -> bool:
    """Whether a closure does, as far as the list shows it."""
    return any(max(mark.first_on, first) == day.on for mark in day.marks)


def _whose(person: Reader, lessons: Iterable[Lesson]) -> tuple[Collection[int], Collection[int]]:
    """Whose closures concern this person: teachers and courses, by their ids."""
    if isinstance(person, Teacher):
        return {person.pk}, set(person.courses.values_list("pk", flat=True))
    rows = list(lessons)
    return {one.teacher_id for one in rows}, {one.course_id for one in rows}


def _within(day: date) -> date | None:
    return day if months.FIRST_DAY <= day <= months.LAST_DAY else None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
