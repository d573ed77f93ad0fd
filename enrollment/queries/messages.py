"""Threads and what is unread in them. A thread is open to its student and its teachers only."""

from datetime import datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce

from enrollment.domain.messages import WRITES_ON
from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.models import Enrollment, Lesson, Message, MessageAccess, Reader, User
from enrollment.queries.teaching import TEACHES, taught_ids, teachers_of


def thread_ids(user: User) -> QuerySet[Any, Any]:
    own = Enrollment.objects.filter(student__user=user).order_by().values("pk")
    return own.union(taught_ids(teacher__user=user))


def threads_of(user: User) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(pk__in=thread_ids(user))


def unread(user: User) -> int:
    """How many messages of others this person has not seen, in one query.

    Thread by thread, and only above what was seen: what was read long ago costs nothing.
    """
    counted = with_unread(threads_of(user), user).aggregate(all=Sum("unread_count"))
    return counted["all"] or 0


def inbox(user: User) -> QuerySet[Enrollment]:
    """Newest message first; threads without any after them, while their enrollment goes on.

    Each with `last_at`, `last_body`, `last_sender` and `unread_count`.
    """
    last = Message.objects.filter(enrollment=OuterRef("pk")).order_by("-pk")
    return (
        with_unread(threads_of(user), user)
        .annotate(
            last_at=Subquery(last.values("sent_at")[:1]),
            last_body=Subquery(last.values("body")[:1]),
            last_sender=Subquery(last.values("sender")[:1]),
        )
        .filter(Q(last_at__isnull=False) | Q(status__in=LIVE_ENROLLMENT))
        .select_related("course", "teacher", "student__user")
        .order_by(F("last_at").desc(nulls_last=True), "-created_at", "-pk")
    )


def with_unread(threads: QuerySet[Enrollment], user: User) -> QuerySet[Enrollment]:
    """Each with `unread_count`, at no further query."""
    seen = Reader.objects.filter(enrollment=OuterRef("pk"), user=user).values("seen_to")
    new = Message.objects.filter(enrollment=OuterRef("pk"), pk__gt=OuterRef("seen"))
    counted = new.exclude(sender=user).order_by().values("enrollment").annotate(new=Count("pk"))
    return threads.annotate(
        seen=Coalesce(Subquery(seen), 0, output_field=BigIntegerField())
    ).annotate(unread_count=Coalesce(Subquery(counted.values("new")), 0))


def messages_of(enrollment: Enrollment) -> QuerySet[Message]:
    """Newest first."""
    return enrollment.messages.select_related("sender__teacher").order_by("-pk")


def openings_of(enrollment: Enrollment) -> QuerySet[MessageAccess]:
    return enrollment.message_accesses.all()


def seen_to(enrollment: Enrollment, *, user: User) -> int:
    found = Reader.objects.filter(enrollment=enrollment, user=user).values_list("seen_to").first()
    return found[0] if found else 0


def over_since(enrollment: Enrollment) -> datetime | None:
    """None: it goes on. Where nobody noted the end, it is that of the last lesson that counted."""
    if enrollment.status in LIVE_ENROLLMENT:
        return None
    if enrollment.ended_at is not None:
        return enrollment.ended_at
    lessons = enrollment.lessons.filter(status__in=TEACHES)
    last = lessons.aggregate(last=Max("period__endswith"))["last"]
    return max(last, enrollment.created_at) if last else enrollment.created_at


def writing_ends_at(enrollment: Enrollment) -> datetime | None:
    """None: not in sight, the enrollment goes on. Nobody writes to or about who is deleted."""
    deleted_at = enrollment.student.user.deleted_at
    if deleted_at is not None:
        return deleted_at
    over = over_since(enrollment)
    return None if over is None else over + WRITES_ON


def other_side(enrollment: Enrollment, *, user: User) -> list[User]:
    """To whom this person's messages go: a teacher's to the student, a student's to the teachers."""
    if enrollment.student.user_id != user.pk:
        return [enrollment.student.user]
    here = teachers_of(enrollment).filter(user__deleted_at__isnull=True)
    return [teacher.user for teacher in here]


def untold(reader: Reader) -> QuerySet[Message]:
    """What the other side wrote, and this person has neither seen nor been told of."""
    found = Message.objects.filter(
        enrollment=reader.enrollment_id, pk__gt=max(reader.seen_to, reader.told_to)
    )
    student = reader.enrollment.student.user_id
    if reader.user_id == student:
        return found.exclude(sender=student)
    return found.filter(sender=student)


def may_read(enrollment: Enrollment, *, user: User) -> bool:
    return threads_of(user).filter(pk=enrollment.pk).exists()


def teachers_without_reader(*, since: datetime) -> QuerySet[Any, Any]:
    """(enrollment, user) of threads a student wrote in since then, for teachers who came later."""
    written = Message.objects.filter(sent_at__gte=since, sender=F("enrollment__student__user"))
    threads = written.order_by().values("enrollment")
    own = Enrollment.objects.filter(pk__in=threads, teacher__isnull=False)
    lessons = Lesson.objects.filter(enrollment__in=threads, status__in=TEACHES)
    return _unseated(own, "pk").union(_unseated(lessons, "enrollment"))


def _unseated(rows: QuerySet[Any], thread: str) -> QuerySet[Any, Any]:
    reader = Reader.objects.filter(enrollment=OuterRef(thread), user=OuterRef("teacher__user"))
    here = rows.filter(~Exists(reader), teacher__user__deleted_at__isnull=True)
    return here.order_by().values_list(thread, "teacher__user")
