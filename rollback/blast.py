"""Whom a step concerns, before it is taken: those between the two shares, and what they are doing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet

from enrollment.domain.states import LessonStatus
from enrollment.models import Lesson, Teacher, User
from rollback import switchboard
from rollback.domain.shares import Snapshot, Subject, share_from_percent
from rollback.models import EnrollmentDraft

# Whoever has saved nothing for so long is not enrolling now; the draft is kept all the same.
STILL_THERE = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Blast:
    """users: active ones for whom something goes off (or on); visitors are known to nobody.

    drafts: those of them with an unfinished enrollment. teachers: those of them who teach. holds:
    times held for them. mails: how many would be told. people: their ids; middle: those of them
    who are enrolling just now.
    """

    users: int
    drafts: int
    teachers: int
    holds: int
    mails: int
    people: frozenset[int]
    middle: frozenset[int] = field(default=frozenset())

    def numbers(self) -> dict[str, int]:
        """How many, without who."""
        return {
            "users": self.users,
            "drafts": self.drafts,
            "teachers": self.teachers,
            "holds": self.holds,
            "mails": self.mails,
            "enrolling": len(self.middle),
        }


def blast(*, flags: Iterable[str], percent: Decimal, now: datetime, up: bool = False) -> Blast:
    """Of the flags as this transaction sees them. Without flags: all of them.

    up: who would get it by raising, or by undoing a kill, to this share.
    """
    before = switchboard.read_here()
    names = list(flags) or list(before.flags)
    after = before.moved(names, share_from_percent(percent), up=up)
    return between(before=before, after=after, now=now)


def between(*, before: Snapshot, after: Snapshot, now: datetime) -> Blast:
    """Four queries, and one hash for each user."""
    reachable = _reachable()
    people = before.changed_for(after, reachable)
    saved = list(_live_drafts().values_list("student__user_id", "saved_at"))
    holds = list(_live_holds(now).values_list("student__user_id", flat=True))
    enrolling = {user for user, at in saved if at > now - STILL_THERE} | set(holds)
    return Blast(
        users=len(people),
        drafts=len(people & {user for user, _ in saved}),
        teachers=len(people & set(Teacher.objects.values_list("user_id", flat=True))),
        holds=sum(user in people for user in holds),
        mails=sum(reachable[subject] for subject in reachable if subject.user_id in people),
        people=people,
        middle=people & enrolling,
    )


def in_the_middle(*, now: datetime) -> frozenset[int]:
    """The users who are enrolling just now: a draft saved lately, or a time held for them."""
    drafts = _live_drafts().filter(saved_at__gt=now - STILL_THERE)
    holds = _live_holds(now)
    return frozenset(drafts.values_list("student__user_id", flat=True)) | frozenset(
        holds.values_list("student__user_id", flat=True)
    )


def _reachable() -> dict[Subject, bool]:
    """Every active user, and whether they have an address."""
    people = User.objects.filter(is_active=True)
    return {
        Subject(f"u:{pk}", pk, staff, superuser): bool(email)
        for pk, staff, superuser, email in people.values_list(
            "pk", "is_staff", "is_superuser", "email"
        )
    }


def _live_drafts() -> QuerySet[EnrollmentDraft]:
    return EnrollmentDraft.objects.filter(finished_at=None, quarantined_at=None)


def _live_holds(now: datetime) -> QuerySet[Lesson]:
    return Lesson.objects.filter(status=LessonStatus.HELD, enrollment=None, expires_at__gt=now)
