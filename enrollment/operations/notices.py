"""Mails that say: there is something new to read. Derived from readers who do not know yet.

A notice never quotes a message. Mail leaves the school's care, comes back to the office when it cannot
be delivered, and the office reads a thread only with a reason that is written down. Lessons that changed
meanwhile it brings as files for a calendar: when they are, and nothing of why.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import ngettext

from enrollment.domain.messages import NOTICE_PAUSE, WRITES_ON
from enrollment.models import Message, Reader, User
from enrollment.operations import mailing
from enrollment.operations.invitations import attach
from enrollment.operations.mailing import Mailing, Outcome, tell_office
from enrollment.queries.ics import changed_by_others
from enrollment.queries.messages import may_read, teachers_without_reader, untold
from enrollment.queries.people import shown_name

# A lesson is changed a moment before it is told, in one transaction.
MOMENT = timedelta(minutes=1)


class Notices(Mailing[Reader]):
    name = "notice"
    task = "enrollment.tasks.send_due_notices"
    prefix = "notice"

    def due(self, *, now: datetime) -> QuerySet[Reader]:
        return (
            Reader.objects.select_related(
                "user__student",
                "user__teacher",
                "enrollment__course",
                "enrollment__student__user",
            )
            .filter(notice_next_at__lte=now)
            .order_by("notice_tries", "notice_next_at")
        )

    def user(self, row: Reader) -> User:
        return row.user

    def mail(self, row: Reader) -> EmailMultiAlternatives | None:
        # Asked now: it may have been read in the meantime, or be another teacher's affair.
        fresh = list(untold(row).select_related("sender__teacher"))
        row.told_to = fresh[-1].pk if fresh else row.told_to
        if not fresh or not row.user.is_active or not may_read(row.enrollment, user=row.user):
            return None
        return notice(row, fresh)

    @transaction.atomic
    def done(self, row: Reader, *, now: datetime, sent: bool) -> None:
        """A message that came while the mail was on its way is due by itself."""
        locked = (
            Reader.objects.select_for_update(no_key=True, of=("self",))
            .select_related("enrollment__student")
            .filter(pk=row.pk)
            .first()
        )
        if locked is None:  # deleted with its person meanwhile
            return
        locked.told_to = max(locked.told_to, row.told_to)
        later = untold(locked).first()
        locked.notice_tries = 0
        locked.notice_next_at = later.sent_at + NOTICE_PAUSE if later else None
        locked.save(update_fields=["told_to", "notice_tries", "notice_next_at"])

    def give_up(self, row: Reader, *, reason: str) -> None:
        """The next message begins anew: by then the address may be right."""
        if not Reader.objects.filter(pk=row.pk).update(notice_next_at=None, notice_tries=0):
            return  # deleted with its person meanwhile, whose address nobody keeps
        words = f"A notice of new messages could not be delivered to {row.user.email}: {reason}."
        tell_office(row.enrollment_id, words)


NOTICES = Notices()


def wake() -> None:
    mailing.wake(NOTICES, after=NOTICE_PAUSE)


def send_next(*, now: datetime) -> Outcome:
    return mailing.send_next(NOTICES, now=now)


def seat_new_teachers(*, now: datetime) -> int:
    """Whoever began to teach after a student wrote is told of it too. Many ways lead to a teacher;
    asking the rows forgets none of them.

    :returns: how many.
    """
    missing = teachers_without_reader(since=now - WRITES_ON)
    rows = [
        Reader(enrollment_id=thread, user_id=user, notice_next_at=now) for thread, user in missing
    ]
    Reader.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def notice(reader: Reader, fresh: list[Message]) -> EmailMultiAlternatives:
    path = reverse("enrollment:thread", args=[reader.enrollment_id])
    course = reader.enrollment.course
    since = fresh[0].sent_at - MOMENT
    lessons = changed_by_others(reader.enrollment, user=reader.user, since=since)
    context = {
        "lessons": lessons,
        "reader": reader,
        "course": course,
        "senders": list(dict.fromkeys(shown_name(message.sender) for message in fresh)),
        "count": len(fresh),
        "url": f"{settings.SITE_URL}{path}",
    }
    subject = ngettext(
        "A new message about %(course)s", "%(count)d new messages about %(course)s", len(fresh)
    )
    mail = EmailMultiAlternatives(
        subject=subject % {"course": course, "count": len(fresh)},
        body=render_to_string("enrollment/mail/messages.txt", context),
        to=[reader.user.email],
    )
    mail.attach_alternative(render_to_string("enrollment/mail/messages.html", context), "text/html")
    attach(mail, lessons)
    return mail
