"""What a calendar program reads from somebody's secret address."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from enrollment.domain.ics import Event
from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Enrollment, Lesson, Student, Teacher, User
from enrollment.queries.ics import events_of, host, with_history
from enrollment.queries.people import know_as, student_of, teacher_of
from scheduling import sockets
from scheduling.domain.closures import Named
from scheduling.models import CalendarFeed

# A cancelled lesson stays as long as what was: by then every program has seen that it is cancelled.
KEPT = timedelta(days=90)
AHEAD = timedelta(days=366)
DAY = timedelta(days=1)
# Raise it when what is written about the same lessons changes: whoever asks whether anything is new
# is else told that nothing is.
WRITTEN_AS = 1


def digest_of(token: str) -> str:
    """No salt and no slow hash: nobody guesses 256 bits, and equal ones are found by an index."""
    return hashlib.sha256(token.encode()).hexdigest()


def live_feeds() -> QuerySet[CalendarFeed]:
    return CalendarFeed.objects.filter(
        revoked_at__isnull=True, user__is_active=True, user__deleted_at__isnull=True
    )


def feed_behind(token: str) -> CalendarFeed | None:
    """Unknown, revoked, of somebody who is gone: one question, one answer."""
    feeds = live_feeds().select_related("user__student", "user__teacher")
    feed = feeds.filter(digest=digest_of(token)).first()
    if feed is not None:
        know_as(feed.user)
    return feed


@dataclass(frozen=True, kw_only=True)
class Contents:
    zone: str
    events: Sequence[Event]

    @property
    def version(self) -> str:
        """Changes when anything that is written does; the moment of writing is no part of it."""
        said = repr((WRITTEN_AS, self.zone, self.events))
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def contents_of(user: User, *, now: datetime) -> Contents:
    """In the language that is active; on the clock of the student, or else of the teacher."""
    student, teacher = student_of(user), teacher_of(user)
    person = student or teacher
    zone = person.zone if person else settings.TIME_ZONE
    lessons = list(_lessons(student, teacher, now=now))
    return Contents(
        zone=zone,
        events=[
            *events_of(lessons, user=user),
            *_closures(student, teacher, lessons, zone=ZoneInfo(zone), now=now),
        ],
    )


def _lessons(
    student: Student | None, teacher: Teacher | None, *, now: datetime
) -> QuerySet[Lesson]:
    mine = Q(student=student) if student else Q(pk__in=())
    mine |= Q(teacher=teacher) if teacher else Q(pk__in=())
    gone = Q(status=LessonStatus.CANCELLED, changed_at__lt=now - KEPT)
    lessons = Lesson.objects.filter(mine, period__overlap=(now - KEPT, now + AHEAD))
    known = with_history(lessons.exclude(status=LessonStatus.HELD))
    return known.exclude(gone).order_by("period", "pk")


# ---------------------------------------------------------------- closed days


def _closures(
    student: Student | None,
    teacher: Teacher | None,
    lessons: Sequence[Lesson],
    *,
    zone: ZoneInfo,
    now: datetime,
) -> Iterator[Event]:
    teachers, courses, clock = _who_closes(student, teacher, lessons)
    found = sockets.named_closures(
        teachers=teachers,
        courses=courses,
        first=(now - KEPT).date(),
        last=(now + AHEAD).date(),
    )
    # Two sources may name the same day alike; an event is there once.
    for named in dict.fromkeys(found):
        yield from _events(_within(named, now=now), clock=clock, zone=zone)


def _within(named: Named, *, now: datetime) -> Named:
    """Whoever types the year 9999 must not cost every feed three million days. Whole days are one event
    with a UID made of both ends, so those stay; only the calendar's own last day has no next one."""
    if named.starts is None or named.ends is None:
        return named._replace(last_on=min(named.last_on, date.max - DAY))
    first, last = (now - KEPT).date(), (now + AHEAD).date()
    return named._replace(first_on=max(named.first_on, first), last_on=min(named.last_on, last))


def _who_closes(
    student: Student | None, teacher: Teacher | None, lessons: Sequence[Lesson]
) -> tuple[Collection[int], Collection[int], ZoneInfo]:
    """Whose closed days somebody sees, and on whose clock they close by the hour: the teacher's; of
    several with different ones the school's."""
    teachers = {one.teacher_id for one in lessons}
    courses = {one.course_id for one in lessons}
    zones = {one.teacher.zone for one in lessons}
    if student is not None:
        live = Enrollment.objects.filter(student=student, status__in=LIVE_ENROLLMENT)
        for course, chosen in live.values_list("course", "teacher"):
            courses.add(course)
            teachers |= {chosen} if chosen else set()
    elif teacher is not None:
        teachers.add(teacher.pk)
        zones = {teacher.zone}
    clock = zones.pop() if len(zones) == 1 else settings.TIME_ZONE
    return teachers, courses, ZoneInfo(clock)


def _events(named: Named, *, clock: ZoneInfo, zone: ZoneInfo) -> Iterator[Event]:
    """Whole days as one event, hours as one for each day."""
    if named.starts is None or named.ends is None:
        yield _event(named, starts=named.first_on, ends=named.last_on + DAY)
        return
    for number in range((named.last_on - named.first_on).days + 1):
        day = named.first_on + number * DAY
        starts, ends = (_at(day, seconds, clock) for seconds in (named.starts, named.ends))
        if starts < ends:
            yield _event(named, starts=starts.astimezone(zone), ends=ends.astimezone(zone))


def _at(day: date, seconds: int, clock: ZoneInfo) -> datetime:
    """So many seconds after midnight by the wall clock; as an instant, which alone can be compared."""
    local = datetime.combine(day, time()) + timedelta(seconds=seconds)
    return local.replace(tzinfo=clock).astimezone(UTC)


def _event(named: Named, *, starts: date, ends: date) -> Event:
    key = repr((named.name, named.works_like, starts.isoformat(), ends.isoformat()))
    digest = hashlib.blake2b(key.encode(), digest_size=10).hexdigest()
    return Event(
        uid=f"closure-{digest}@{host()}",
        summary=_summary(named),
        starts=starts,
        ends=ends,
        description=named.note,
        busy=False,
    )


def _summary(named: Named) -> str:
    if named.works_like is None:
        return named.name
    weekday = WEEKDAYS[named.works_like]
    return _("%(name)s (hours as on a %(weekday)s)") % {"name": named.name, "weekday": weekday}
