"""Who waits for what, what is kept free for them, and which taken times may become free."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, Exists, IntegerField, Min, OuterRef, Q, QuerySet, When
from django.db.models.expressions import Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Course, Enrollment, Student
from enrollment.queries.people import student_of
from scheduling.domain import offer
from scheduling.domain.clock import Period
from scheduling.domain.reasons import DayReasons
from scheduling.domain.slots import touches
from scheduling.domain.waiting import LIVE_ENTRY, MAY_BECOME_FREE, SHORTEST_OFFER, WaitlistStatus
from scheduling.models import WaitlistEntry
from scheduling.queries.availability import Availability

# How long the student's own page still tells what became of an entry.
TOLD_FOR = timedelta(days=14)


class Awaited(NamedTuple):
    """teacher, starts_at: that time; both None: a place in the course."""

    course: int
    teacher: int | None
    starts_at: datetime | None


def live_entries(student: Student) -> QuerySet[WaitlistEntry]:
    return WaitlistEntry.objects.filter(student=student, status__in=LIVE_ENTRY)


def offered_holds(student: Student) -> list[int]:
    """The ids of what is held for the student by offers."""
    offers = WaitlistEntry.objects.filter(student=student, status=WaitlistStatus.OFFERED)
    return list(offers.filter(hold__isnull=False).values_list("hold_id", flat=True))


def held_for_waiting(holds: Collection[int]) -> Collection[int]:
    """Those of these holds, by id, that are offers."""
    offers = WaitlistEntry.objects.filter(status=WaitlistStatus.OFFERED, hold__in=holds)
    return set(offers.values_list("hold", flat=True))


def waits(user: Any) -> bool:
    """Asked by the navigation, several times a page: remembered on the user object."""
    student = student_of(user)
    if student is None:
        return False
    if not hasattr(user, "known_to_wait"):
        user.known_to_wait = live_entries(student).exists()
    known: bool = user.known_to_wait
    return known


def awaited() -> list[Awaited]:
    """Whatever anybody waits for; what was waited for first comes first."""
    waiting = WaitlistEntry.objects.filter(status=WaitlistStatus.WAITING)
    things = waiting.order_by().values_list("course", "teacher", "starts_at")
    return [
        Awaited(*thing[:3]) for thing in things.annotate(first=Min("created_at")).order_by("first")
    ]


def in_line(thing: Awaited) -> list[WaitlistEntry]:
    """Who waits for it, the first first."""
    entries = WaitlistEntry.objects.filter(
        status=WaitlistStatus.WAITING, course=thing.course, **_same(thing)
    )
    return list(entries.select_related("student__user").order_by("created_at", "pk"))


def _same(thing: Awaited) -> dict[str, Any]:
    if thing.teacher is None:
        return {"teacher__isnull": True}
    return {"teacher": thing.teacher, "starts_at": thing.starts_at}


def reserved_places(*, course: Course, apart_from: Student | None, now: datetime) -> int:
    """How many places of the course are kept for others, by offers that have not run out.

    Who is enrolled already is counted there.
    """
    enrolled = Enrollment.objects.filter(
        student=OuterRef("student"), course=course, status__in=LIVE_ENROLLMENT
    )
    offers = WaitlistEntry.objects.filter(
        ~Exists(enrolled),
        course=course,
        status=WaitlistStatus.OFFERED,
        teacher__isnull=True,
        offer_expires_at__gt=now,
    )
    return offers.exclude(student=apart_from).count() if apart_from else offers.count()


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One entry as its student sees it. ahead: how many came before and still wait."""

    entry: WaitlistEntry
    ahead: int
    is_offered: bool
    # The same where it is over: a row may lag half a minute behind the clock.
    status: str

    @property
    def place(self) -> int:
        return self.ahead + 1


def standings(student: Student, *, now: datetime) -> list[Standing]:
    """Offers first, then who waits, then what was over lately."""
    ended = Q(ended_at__gt=now - TOLD_FOR)
    entries = (
        WaitlistEntry.objects.filter(ended | Q(status__in=LIVE_ENTRY), student=student)
        .select_related("course", "teacher")
        .annotate(ahead=_ahead())
        .order_by("created_at", "pk")
    )
    found = [_standing(entry, now=now) for entry in entries]
    order = {WaitlistStatus.OFFERED: 0, WaitlistStatus.WAITING: 1}
    return sorted(found, key=lambda one: order.get(WaitlistStatus(one.status), 2))


def _standing(entry: Any, *, now: datetime) -> Standing:
    status = entry.status
    if status == WaitlistStatus.OFFERED and entry.offer_expires_at <= now:
        status = WaitlistStatus.EXPIRED
    if status == WaitlistStatus.WAITING and entry.starts_at and entry.starts_at <= now:
        status = WaitlistStatus.EXPIRED
    offered = status == WaitlistStatus.OFFERED
    return Standing(entry=entry, ahead=entry.ahead, is_offered=offered, status=str(status))


def _ahead() -> Any:
    """Null equals nothing in SQL, so each kind is counted by itself."""
    before = Q(created_at__lt=OuterRef("created_at")) | Q(
        created_at=OuterRef("created_at"), pk__lt=OuterRef("pk")
    )
    live = WaitlistEntry.objects.filter(before, course=OuterRef("course"), status__in=LIVE_ENTRY)
    places = live.filter(teacher__isnull=True)
    times = live.filter(teacher=OuterRef("teacher"), starts_at=OuterRef("starts_at"))
    return Case(
        When(teacher__isnull=True, then=_count(places)),
        default=_count(times),
        output_field=IntegerField(),
    )


def _count(entries: QuerySet[WaitlistEntry]) -> Any:
    counted = entries.order_by().values("course").annotate(all=Count("pk")).values("all")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


# ---------------------------------------------------------------- taken times


def taken_times(known: Availability, *, zone: ZoneInfo, weeks: Iterable[date]) -> list[Period]:
    """What somebody else has in these weeks of the looking person's calendar, by their Mondays, and
    may give back."""
    wanted = set(weeks)
    if not wanted:
        return []
    # The teacher's calendar may be a day ahead of or behind the student's.
    first, last = min(wanted) - timedelta(days=1), max(wanted) + timedelta(days=7)
    return [
        period
        for period in waitable(known, known.days(first=first, last=last))
        if offer.monday(datetime.fromtimestamp(period[0], zone).date()) in wanted
    ]


def waitable(known: Availability, days: Iterable[DayReasons]) -> list[Period]:
    """What of these days somebody else has and may give back; where the student has a lesson already,
    nothing."""
    return [
        one.period
        for day in days
        for one in day.missing
        if one.why in MAY_BECOME_FREE
        and not touches(one.period, known.facts.learning)
        and not too_late_to_wait(known, one.period[0])
    ]


def too_late_to_wait(known: Availability, start: int) -> bool:
    """Whatever becomes free then can be booked, but is not offered to one alone any more."""
    return start - known.horizon.earliest < SHORTEST_OFFER.total_seconds()


def awaited_times(*, student: Student, course: Course) -> Sequence[tuple[int, datetime]]:
    """(teacher, start) of what the student waits for in the course already."""
    times = live_entries(student).filter(course=course, teacher__isnull=False)
    return [(pk, start) for pk, start in times.values_list("teacher", "starts_at") if start]


# ---------------------------------------------------------------- one course, one entry


@dataclass(frozen=True, kw_only=True)
class PlaceInCourse:
    """Whether one has to wait for a place. waiting: how many do; mine: the student's own entry."""

    is_open: bool
    is_full: bool
    waiting: int
    mine: WaitlistEntry | None


def place_in(course: Any, *, student: Student, now: datetime) -> PlaceInCourse:
    """course: with `places_left`. What is kept for others is not left."""
    reserved = reserved_places(course=course, apart_from=student, now=now)
    entries = WaitlistEntry.objects.filter(
        course=course, teacher__isnull=True, status__in=LIVE_ENTRY
    )
    return PlaceInCourse(
        is_open=course.is_open(today=timezone.localdate(now)),
        is_full=course.places_left <= reserved,
        waiting=entries.filter(status=WaitlistStatus.WAITING).count(),
        mine=entries.filter(student=student).first(),
    )


def entry_of(student: Student, pk: int) -> WaitlistEntry | None:
    rows = WaitlistEntry.objects.select_related("student__user", "course", "teacher")
    return rows.filter(student=student, pk=pk).first()
