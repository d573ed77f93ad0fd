"""Writing a message, having read a thread, and the office's look into one."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from enrollment.domain.messages import (
    HOURLY_LIMIT,
    NOTICE_PAUSE,
    ThreadClosed,
    check_can_write,
)
from enrollment.models import Enrollment, Message, MessageAccess, Reader, User
from enrollment.operations import notices
from enrollment.operations.lessons import lock_student, lock_user
from enrollment.queries.messages import messages_of, other_side, writing_ends_at

# A button pressed twice, a page sent again after a lost answer.
SAME_AGAIN = timedelta(minutes=1)


class TooManyMessages(Exception):
    """This person has sent HOURLY_LIMIT messages within an hour. Nothing was written."""


@transaction.atomic
def write_message(
    *, enrollment: Enrollment, sender: User, body: str, now: datetime, limited: bool = True
) -> Message:
    """The same words once more within a minute are the same message. limited: HOURLY_LIMIT counts;
    not for the office, which may have to write to a whole day's students.

    That the sender belongs to the thread was asked at the door.

    :raises ThreadClosed:
    :raises TooManyMessages:
    :raises PersonDeleted: it was the sender, just now.
    """
    thread = _open_thread(enrollment, sender, now=now)
    again = _same_again(thread, sender, body, now=now)
    if again is not None:
        return again
    if limited:
        _check_rate(sender, now=now)
    return _write(thread, sender, body, now=now)


@transaction.atomic
def tell_what_was_done(
    *, enrollment: Enrollment, sender: User, body: str, now: datetime
) -> Message | None:
    """That a lesson was moved, for one: the other side reads it where they write to each other, and is
    sent the usual notice. Whoever may do the thing may say so: no limit by the hour stops it.

    None: nothing is written here any more.

    :raises PersonDeleted: it was the sender, just now.
    """
    try:
        thread = _open_thread(enrollment, sender, now=now)
    except ThreadClosed:
        return None
    return _write(thread, sender, body, now=now)


def _open_thread(enrollment: Enrollment, sender: User, *, now: datetime) -> Enrollment:
    """Locked, persons before thread. The sender's lock makes the count true, the student's lets
    nobody write what the student's deletion does not find any more; the thread's puts keys in order
    of time.

    :raises ThreadClosed:
    :raises PersonDeleted:
    """
    lock_user(user=sender)
    lock_student(student=enrollment.student)
    thread = (
        Enrollment.objects.select_for_update(of=("self",), no_key=True)
        .select_related("student__user")
        .get(pk=enrollment.pk)
    )
    check_can_write(ends_at=writing_ends_at(thread), now=now)
    return thread


def _write(thread: Enrollment, sender: User, body: str, *, now: datetime) -> Message:
    message = Message.objects.create(enrollment=thread, sender=sender, body=body, sent_at=now)
    _let_know(thread, other_side(thread, user=sender), now=now)
    return message


def _same_again(
    enrollment: Enrollment, sender: User, body: str, *, now: datetime
) -> Message | None:
    last = enrollment.messages.order_by("-pk").first()
    if last is None or last.sender_id != sender.pk or last.body != body:
        return None
    return last if now - last.sent_at < SAME_AGAIN else None


def _check_rate(sender: User, *, now: datetime) -> None:
    """:raises TooManyMessages:"""
    recent = Message.objects.filter(sender=sender, sent_at__gt=now - timedelta(hours=1))
    if recent.count() >= HOURLY_LIMIT:
        raise TooManyMessages


def _let_know(enrollment: Enrollment, people: list[User], *, now: datetime) -> None:
    """Every row is written, due or not: who is just finishing a notice waits, and sees the message."""
    due = now + NOTICE_PAUSE
    Reader.objects.bulk_create(
        [Reader(enrollment=enrollment, user=user) for user in people], ignore_conflicts=True
    )
    readers = Reader.objects.filter(enrollment=enrollment, user__in=people)
    readers.update(notice_next_at=Coalesce(F("notice_next_at"), due))
    # Robust: the message is written by then, and whatever the queue says must not become an error page.
    transaction.on_commit(notices.wake, robust=True)


def mark_read(*, enrollment: Enrollment, user: User, up_to: int) -> None:
    """up_to: the key of the last message that was shown."""
    Reader.objects.get_or_create(enrollment=enrollment, user=user)
    Reader.objects.filter(enrollment=enrollment, user=user, seen_to__lt=up_to).update(
        seen_to=Greatest(F("seen_to"), up_to)
    )


@transaction.atomic
def open_for_office(
    *, enrollment: Enrollment, user: User, reason: str, now: datetime
) -> list[Message]:
    """The whole thread, oldest first, and the row that says who looked and why: both or neither."""
    MessageAccess.objects.create(enrollment=enrollment, user=user, reason=reason, opened_at=now)
    return list(messages_of(enrollment))[::-1]
