"""A row of the outbox as a mail: the letter in the person's language, with what concerns them now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from enrollment.queries.people import at_address, language_of
from rollback.domain.letters import BY_KEY
from rollback.domain.sendings import OFF
from rollback.models import DeafAddress, NoNews, Notification, PageCall, Sending
from rollback.outbox import news, values
from rollback.outbox.providers import METADATA
from rollback.outbox.remembering import remembered
from rollback.words import Words, render_words, words_at, words_of

# What calls somebody, a day later, is what has lain in a backup, or with a server that was away.
TOO_LATE = timedelta(days=1)


class NotNeeded(Exception):
    """By now there is nobody to be told, or nothing to tell; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Built:
    mail: EmailMultiAlternatives
    message_id: str
    version: int


def with_facts() -> QuerySet[Notification]:
    """Rows with all that is asked for whatever the letter says, in one query."""
    address = Lower(Coalesce("user__email", F("email")))
    deaf = DeafAddress.objects.alias(lower=Lower("email")).filter(lower=OuterRef("address"))
    return Notification.objects.select_related(
        "sending__incident", "user__student", "user__teacher", "channel"
    ).annotate(
        address=address,
        is_deaf=Exists(deaf),
        wants_no_news=Exists(NoNews.objects.filter(user=OuterRef("user"))),
    )


def check_call(row: Notification) -> None:
    """Whether it is still worth waking somebody. :raises NotNeeded:"""
    if row.urgency != Notification.Urgency.PAGE:
        return
    if timezone.now() - row.sending.prepared_at > TOO_LATE:
        raise NotNeeded("It is too late: it was written more than a day ago.")
    # What goes to programs says more than that somebody is called.
    if row.channel is None and answered([row.sending_id]).exists():
        raise NotNeeded("Somebody is at it, or it is over.")


def answered(sendings: Collection[int]) -> QuerySet[PageCall]:
    """Of these, the calls that nobody needs to answer any more."""
    over = Q(page__acknowledged_at__isnull=False) | Q(page__closed_at__isnull=False)
    return PageCall.objects.filter(over, sending__in=sendings)


def build(row: Notification) -> Built:
    """:raises NotNeeded: :raises rollback.words.Gap:"""
    letter = BY_KEY[row.sending.letter]
    if letter.key in OFF and _is_over(row):
        raise NotNeeded("The incident was resolved before this could be said.")
    address = _address(row)
    if letter.is_news and row.user_id and _wants_no_news(row):
        raise NotNeeded("They want no news.")
    language = language_of(row.user) if row.user else row.language or settings.LANGUAGE_CODE
    off_url = news.off_url(row.user) if letter.is_news and row.user else ""
    words = _words(row.sending, language)
    given = values.of(row, language=language)
    rendered = render_words(words, letter, language=language, values=given, off_url=off_url)
    message_id = message_id_of(row)
    mail = EmailMultiAlternatives(
        subject=rendered.subject,
        body=rendered.text,
        to=[address],
        headers={
            "Message-ID": message_id,
            "Auto-Submitted": "auto-generated",
            **news.headers(off_url),
        },
    )
    mail.attach_alternative(rendered.html, "text/html")
    if settings.EMAIL_PROVIDER:  # which has Message-IDs of its own
        mail.metadata = {METADATA: message_id}  # type: ignore[attr-defined]
    return Built(mail=mail, message_id=message_id, version=rendered.version)


def _is_over(row: Notification) -> bool:
    """What somebody writes after the incident was resolved is meant: not everything may be back."""
    incident = row.sending.incident
    over = incident.resolved_at if incident else None
    return over is not None and row.sending.prepared_at <= over


def _words(sending: Sending, language: str) -> Words:
    """As they were released; of what nobody releases, the newest."""
    version = sending.versions.get(language)
    if version is None:
        return remembered(
            ("words", sending.letter, language), lambda: words_of(sending.letter, language)
        )
    return remembered(
        ("words", sending.letter, language, version),
        lambda: words_at(sending.letter, language, version),
    )


def message_id_of(row: Notification) -> str:
    """The same for each try, so that a mail program shows a mail that came twice once."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{row.sending.letter}.{row.sending_id}.{row.pk}@{domain}>"


def _address(row: Notification) -> str:
    """:raises NotNeeded:"""
    if row.user and (row.user.deleted_at or not row.user.is_active):
        raise NotNeeded("This person is not with the school any more.")
    address = row.user.email if row.user else row.email
    # Who is on call is better called once in vain than not at all: a mailbox may be back.
    if row.urgency != Notification.Urgency.PAGE and _is_deaf(row, address):
        raise NotNeeded("No mail reaches this address.")
    return address


def _is_deaf(row: Notification, address: str) -> bool:
    known: bool | None = getattr(row, "is_deaf", None)
    if known is not None:
        return known
    return at_address(DeafAddress.objects.all(), address).exists()


def _wants_no_news(row: Notification) -> bool:
    known: bool | None = getattr(row, "wants_no_news", None)
    if known is not None:
        return known
    return NoNews.objects.filter(user=row.user_id).exists()
