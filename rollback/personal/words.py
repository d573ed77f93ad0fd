"""About people: what was written to them, where it came back, and what they wrote to everybody."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import JSONField, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Replace
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
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
    listed = Stakeholder.objects.filter(email__iexact=user.email)
    deaf = DeafAddress.objects.filter(email__iexact=user.email).order_by("since", "pk")
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
    DeafAddress.objects.filter(email__iexact=user.email).delete()
    Stakeholder.objects.filter(email__iexact=user.email).delete()
    for name in _names(user):
        _take_out(name)


def concerns_letters(*, user: User) -> bool:
    address = Q(email__iexact=user.email)
    return (
        _told(user).exists()
        or NoNews.objects.filter(user=user).exists()
        or DeafAddress.objects.filter(address).exists()
        or Stakeholder.objects.filter(address).exists()
    )


def _told(user: User) -> QuerySet[Notification]:
    return Notification.objects.filter(Q(user=user) | Q(user=None, email__iexact=user.email))


def _names(user: User) -> set[str]:
    """As letters to others name them: a lesson's teacher, whoever has acknowledged."""
    teacher = getattr(user, "teacher", None)
    named = {user.email, user.get_full_name(), teacher.display_name if teacher else ""}
    return {name for name in named if name}


def _take_out(name: str) -> None:
    """Out of what letters to others say. As it stands inside a JSON text; one word could be a part of
    somebody else's name, and is taken out only where it stands alone."""
    quoted = json.dumps(name, ensure_ascii=False)
    inside = quoted[1:-1] if set(name) & set(" @") else quoted
    instead = "Deleted person" if inside != quoted else '"Deleted person"'
    without: Any = Replace("as_text", Value(inside), Value(instead))
    rows = Notification.objects.exclude(values={}).annotate(as_text=Cast("values", TextField()))
    rows.filter(as_text__contains=inside).update(values=Cast(without, JSONField()))


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


def _by(model: type[Model], user: User) -> Q:
    theirs = Q()
    for one, column in BY_NAME:
        theirs |= _is_theirs(one, column, user) if one is model else Q()
    return theirs


def _is_theirs(model: type[Model], column: str, user: User) -> Q:
    """By the account where there is one beside the name: they may have changed their address since."""
    account = column.removesuffix("_name")
    named = Q(**{column: user.email[:150]})
    has_account = any(field.name == account for field in model._meta.fields)
    return named | Q(**{account: user}) if has_account else named


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
    concerns=concerns_publishing,
)
CONTRIBUTORS = (PUBLISHING, LETTERS)
