"""About people: what was written to them, where it came back, and what they wrote to everybody."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from enrollment.queries.people import at_address
from rollback.models import (
    Banner,
    DeafAddress,
    Maintenance,
    MessageTemplate,
    NoNews,
    Notification,
    PublicUpdate,
    Sending,
    Stakeholder,
)
from rollback.personal import naming

# Whoever did it, by the name that stands there.
BY_NAME: tuple[tuple[type[Model], str], ...] = (
    (Sending, "prepared_by_name"),
    (Sending, "released_by_name"),
    (MessageTemplate, "saved_by_name"),
    (PublicUpdate, "published_by_name"),
    (Banner, "written_by_name"),
    (Maintenance, "planned_by_name"),
    (Stakeholder, "added_by_name"),
)


def export_letters(*, user: User) -> Mapping[str, Any]:
    told = _told(user).order_by("pk")
    listed = _on_the_list(user)
    deaf = at_address(DeafAddress.objects.order_by("since", "pk"), user.email)
    return {
        "written_to_you": [_letter(row) for row in told.select_related("sending__incident")],
        "no_news_wanted_since": NoNews.objects.filter(user=user)
        .values_list("since", flat=True)
        .first(),
        "addresses_that_mail_came_back_from": list(deaf.values("email", "why", "said", "since")),
        "gets_briefings": list(listed.values("name", "email", "language", "is_active")),
    }


def _letter(row: Notification) -> dict[str, Any]:
    """Without the values it was made of: they may be a key, or name others. The mail says the rest."""
    incident = row.sending.incident
    return {
        "letter": row.sending.letter,
        "incident": incident.title if incident else None,
        "address": row.email,
        "reasons": row.reasons,
        "state": row.state,
        "sent_at": row.sent_at,
        "came_back_at": row.bounced_at,
        "why_it_came_back": row.bounce,
    }


def erase_letters(*, user: User, now: datetime) -> None:
    """Whoever sends one of them at this moment finds its row gone afterwards, and nothing to note."""
    _told(user).delete()
    NoNews.objects.filter(user=user).delete()
    at_address(DeafAddress.objects.all(), user.email).delete()
    _on_the_list(user).delete()
    naming.put(naming.DELETED, address=user.email, names=naming.names_of(user))


def concerns_letters(*, user: User) -> bool:
    return (
        _told(user).exists()
        or NoNews.objects.filter(user=user).exists()
        or at_address(DeafAddress.objects.all(), user.email).exists()
        or _on_the_list(user).exists()
    )


def _told(user: User) -> QuerySet[Notification]:
    """Signing up with somebody else's address makes nothing that came there theirs."""
    if not _was_theirs(user, user.email):
        return Notification.objects.filter(user=user)
    rows = Notification.objects.alias(lower_email=Lower("email"))
    at_theirs = Q(user=None, channel=None, lower_email=Lower(Value(user.email)))
    return rows.filter(Q(user=user) | at_theirs)


def _on_the_list(user: User) -> QuerySet[Stakeholder]:
    """As above."""
    found = at_address(Stakeholder.objects.all(), user.email)
    return found if _was_theirs(user, user.email) else found.none()


def rename_letters(*, user: User, old: str, new: str) -> None:
    """What was sent to the former address goes with the person, and so does their place on the list. But
    whoever signs up with somebody else's address and never confirms it takes nothing of theirs along."""
    if _was_theirs(user, old):
        _move_list(old, new)
        _move_letters(old, new)
    if not at_address(Stakeholder.objects.all(), old).exists():
        at_address(DeafAddress.objects.all(), old).delete()


def _was_theirs(user: User, address: str) -> bool:
    """The office makes its staff; others have confirmed it."""
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    return user.is_staff or user.is_superuser or at_address(confirmed, address).exists()


def _move_list(old: str, new: str) -> None:
    """Nobody is on it twice."""
    if old.lower() != new.lower() and at_address(Stakeholder.objects.all(), new).exists():
        at_address(Stakeholder.objects.all(), old).delete()
    else:
        at_address(Stakeholder.objects.all(), old).update(email=new)


def _move_letters(old: str, new: str) -> None:
    """Nor is anybody told one thing twice."""
    to_addresses = Notification.objects.filter(user=None, channel=None)
    there = at_address(to_addresses.filter(sending=OuterRef("sending")), new)
    if old.lower() != new.lower():
        at_address(to_addresses, old).filter(Exists(there)).delete()
    at_address(to_addresses, old).update(email=new)


def export_publishing(*, user: User) -> Mapping[str, Any]:
    released = Sending.objects.filter(_by(Sending, user)).order_by("pk")
    saved = MessageTemplate.objects.filter(_by(MessageTemplate, user)).order_by("pk")
    published = PublicUpdate.objects.filter(_by(PublicUpdate, user)).order_by("pk")
    return {
        "sendings": list(released.values("letter", "number", "news", "prepared_at", "released_at")),
        "letters_saved": list(
            saved.values("key", "language", "version", "subject", "text", "saved_at")
        ),
        "public_updates": list(
            published.values("incident__title", "state", "headings", "texts", "published_at")
        ),
        "banners": list(
            Banner.objects.filter(_by(Banner, user))
            .order_by("pk")
            .values("texts", "starts_at", "ends_at")
        ),
        "maintenance": list(
            Maintenance.objects.filter(_by(Maintenance, user))
            .order_by("pk")
            .values("headings", "texts", "starts_at", "ends_at")
        ),
        # Whom, is another person's.
        "stakeholders_added_at": list(
            Stakeholder.objects.filter(_by(Stakeholder, user))
            .order_by("added_at", "pk")
            .values_list("added_at", flat=True)
        ),
    }


def erase_publishing(*, user: User, now: datetime) -> None:
    """What everybody has read stays, by somebody."""
    for model, column in BY_NAME:
        found = model._default_manager.filter(_is_theirs(model, column, user))
        found.update(**{column: f"person {user.pk}"})


def concerns_publishing(*, user: User) -> bool:
    models = dict.fromkeys(model for model, _column in BY_NAME)
    return any(model._default_manager.filter(_by(model, user)).exists() for model in models)


def rename_publishing(*, user: User, old: str, new: str) -> None:
    """Where nothing but the name says who it was."""
    for model, column in BY_NAME:
        if not _has_account(model, column):
            rows = model._default_manager.filter(**{column: old[:150]})
            rows.update(**{column: new[:150]})
    if user.is_staff or user.is_superuser:
        naming.put(new, address=old)


def _by(model: type[Model], user: User) -> Q:
    theirs = Q()
    for one, column in BY_NAME:
        theirs |= _is_theirs(one, column, user) if one is model else Q()
    return theirs


def _is_theirs(model: type[Model], column: str, user: User) -> Q:
    """By the account where there is one beside the name: they may have changed their address since."""
    named = Q(**{column: user.email[:150]})
    if not _has_account(model, column):
        return named
    return named | Q(**{column.removesuffix("_name"): user})


def _has_account(model: type[Model], column: str) -> bool:
    account = column.removesuffix("_name")
    return any(field.name == account for field in model._meta.fields)


LETTERS = Contributor(
    name="letters",
    kept=_(
        "Which letters about incidents were written to you and whether they arrived, and whether you "
        "want news"
    ),
    when_erased=_("Deleted, and your name is taken out of letters to others."),
    covers=frozenset(
        {"rollback.Notification", "rollback.NoNews", "rollback.DeafAddress", "rollback.Stakeholder"}
    ),
    export=export_letters,
    erase=erase_letters,
    by_address=True,
    renamed=rename_letters,
    concerns=concerns_letters,
)
PUBLISHING = Contributor(
    name="published",
    kept=_("What you wrote to people and to the public for the school, and what you sent out"),
    when_erased=_("It stays without your name: others have read it."),
    covers=frozenset(model._meta.label for model, _column in BY_NAME),
    export=export_publishing,
    erase=erase_publishing,
    by_address=True,
    renamed=rename_publishing,
    concerns=concerns_publishing,
)
CONTRIBUTORS = (PUBLISHING, LETTERS)
