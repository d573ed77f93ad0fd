"""Lessons as events of somebody's calendar program."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, IntegerField, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.domain.ics import Event
from enrollment.domain.states import LessonStatus
from enrollment.models import Enrollment, Lesson, LessonChange, User


def with_history(lessons: QuerySet[Lesson]) -> QuerySet[Lesson]:
    """Each with everything its event says, in one query: `moves`, `changed_at`."""
    changes = LessonChange.objects.filter(lesson=OuterRef("pk")).order_by().values("lesson")
    moves = changes.filter(what=LessonChange.What.MOVED).annotate(count=Count("pk"))
    return lessons.select_related(
        "course", "teacher__user", "student__user", "enrollment"
    ).annotate(
        moves=Coalesce(Subquery(moves.values("count"), output_field=IntegerField()), 0),
        changed_at=Subquery(changes.annotate(last=Max("at")).values("last")),
    )


def lesson_of(user: User, *, pk: int) -> Lesson | None:
    """One that this person takes or gives; no hold, of which nobody knows whether it will be one."""
    mine = Q(student__user=user) | Q(teacher__user=user)
    lessons = Lesson.objects.filter(mine, pk=pk).exclude(status=LessonStatus.HELD)
    return with_history(lessons).first()


def event_of(lesson: Lesson, *, teaches: bool, given_away: bool = False) -> Event:
    """On the clock and in the words of whoever gives it, or takes it. given_away: to another teacher,
    so that it is cancelled for the one who reads this.

    Its sequence counts what is known to have moved it, to another time or another teacher, and the
    cancellation: by the lesson itself, for a file that the office imports writes no history.
    """
    zone = ZoneInfo(lesson.teacher.zone if teaches else lesson.student.zone)
    cancelled = given_away or lesson.status == LessonStatus.CANCELLED
    url = f"{settings.SITE_URL}{_page(lesson, teaches=teaches)}"
    changed_at: datetime | None = getattr(lesson, "changed_at", None)
    if changed_at is None and lesson.enrollment is not None:
        changed_at = lesson.enrollment.created_at
    return Event(
        uid=f"lesson-{lesson.pk}@{host()}",
        summary=_summary(lesson, teaches=teaches, cancelled=cancelled),
        starts=timezone.localtime(lesson.starts_at, zone),
        ends=timezone.localtime(lesson.ends_at, zone),
        description=_("Everything about this lesson: %(url)s") % {"url": url},
        url=url,
        sequence=getattr(lesson, "moves", 0) + (lesson.status == LessonStatus.CANCELLED),
        changed_at=changed_at,
        cancelled=cancelled,
    )


def events_of(lessons: Iterable[Lesson], *, user: User) -> list[Event]:
    """Who takes and gives lessons has each of them once."""
    return [event_of(lesson, teaches=lesson.student.user_id != user.pk) for lesson in lessons]


def changed_by_others(enrollment: Enrollment, *, user: User, since: datetime) -> list[Event]:
    """Lessons that were booked, moved or cancelled since then, as they are now."""
    changes = LessonChange.objects.filter(lesson__enrollment=enrollment, at__gte=since)
    lessons = with_history(
        Lesson.objects.filter(
            pk__in=changes.exclude(by=user).values("lesson"),
            status__in=(LessonStatus.PLANNED, LessonStatus.CANCELLED),
        )
    )
    if enrollment.student.user_id == user.pk:
        return [event_of(lesson, teaches=False) for lesson in lessons]
    before = set(changes.filter(teacher_before__user=user).values_list("lesson", flat=True))
    return [
        event_of(lesson, teaches=True, given_away=lesson.teacher.user_id != user.pk)
        for lesson in lessons
        if lesson.teacher.user_id == user.pk or lesson.pk in before
    ]


def host() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"


def _summary(lesson: Lesson, *, teaches: bool, cancelled: bool) -> str:
    """Programs that know no STATUS show a cancelled event like any other; so it is said in words."""
    other = lesson.student if teaches else lesson.teacher
    names = {"course": lesson.course, "person": other}
    if cancelled:
        return _("Cancelled: %(course)s – %(person)s") % names
    return _("%(course)s – %(person)s") % names


def _page(lesson: Lesson, *, teaches: bool) -> str:
    if lesson.enrollment_id is None:
        return reverse("enrollment:my_lessons" if teaches else "enrollment:my_courses")
    return reverse(
        "enrollment:progress" if teaches else "enrollment:enrolled", args=[lesson.enrollment_id]
    )
