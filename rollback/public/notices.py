"""Planned work and banners that somebody writes: checked, written down, and on every page within seconds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from rollback import words
from rollback.audit import Actor
from rollback.domain.letters import LetterKey
from rollback.models import Banner, Maintenance
from rollback.outbox import values
from rollback.public import board, updates
from rollback.public.updates import UpdateRefused, Words

# A sentence or two: it stands above every page.
MOST_BANNER = 400


def prefilled(
    *, starts_at: datetime, ends_at: datetime, components: Sequence[str]
) -> dict[str, Words]:
    """By language: what the letter for planned work says."""
    found = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            titles = dict(updates.component_choices())
            given = {
                "school": values.school(),
                "feature": ", ".join(titles[part] for part in components if part in titles)
                or titles[updates.SCHOOL],
                "since": values.moment(starts_at, zone=settings.TIME_ZONE),
                "until": values.moment(ends_at, zone=settings.TIME_ZONE),
                "news": "",
            }
        heading, text = words.plain(LetterKey.MAINTENANCE, language=language, values=given)
        found[language] = Words(heading=heading[: updates.MOST_HEADING], text=text)
    return found


@transaction.atomic
def plan(
    *,
    texts: Mapping[str, Words],
    components: Sequence[str],
    announced_from: datetime,
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    now: datetime,
    maintenance: int | None = None,
) -> Maintenance:
    """maintenance: the one that is changed; None: a new one.

    :raises UpdateRefused: nothing was written
    """
    before = _to_be_changed(maintenance)
    errors = dict(updates.faults_of_words(texts))
    errors |= dict(faults_of_times(announced_from, starts_at, ends_at, now=now))
    if not components or set(components) - set(dict(updates.component_choices())):
        errors["components"] = _("Choose at least one part of the school.")
    if before is not None and (before.cancelled_at or before.ends_at <= now):
        errors["__all__"] = _("It is over or cancelled: plan it anew.")
    if errors:
        raise UpdateRefused(errors)
    row = before or Maintenance(planned_by_name=actor.name[:150])
    row.headings = {language: told.heading.strip() for language, told in texts.items()}
    row.texts = {language: told.text.strip() for language, told in texts.items()}
    row.components = list(components)
    row.announced_from, row.starts_at, row.ends_at = announced_from, starts_at, ends_at
    row.save()
    _show()
    return row


def _to_be_changed(number: int | None) -> Maintenance | None:
    """:raises Maintenance.DoesNotExist:"""
    if number is None:
        return None
    return Maintenance.objects.select_for_update().get(pk=number)


def faults_of_times(
    announced_from: datetime, starts_at: datetime, ends_at: datetime, *, now: datetime
) -> Iterator[tuple[str, str]]:
    if announced_from > starts_at:
        yield "announced_from", _("Announce it no later than it begins.")
    if ends_at <= starts_at:
        yield "ends_at", _("It ends after it begins: choose a later time.")
    elif ends_at <= now:
        yield "ends_at", _("This is over already: choose a time to come.")


@transaction.atomic
def cancel(*, maintenance: int, now: datetime) -> Maintenance:
    """It stands nowhere any more. The first one counts. :raises Maintenance.DoesNotExist:"""
    row = Maintenance.objects.select_for_update().get(pk=maintenance)
    if row.ends_at <= now:
        raise UpdateRefused({"__all__": _("It is over: there is nothing to be cancelled.")})
    if row.cancelled_at is None:
        row.cancelled_at = now
        row.save(update_fields=["cancelled_at"])
        _show()
    return row


@transaction.atomic
def write_banner(
    *,
    texts: Mapping[str, str],
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    now: datetime,
    banner: int | None = None,
    **fields: Any,
) -> Banner:
    """fields: level, audience, is_dismissible. banner: the one that is changed.

    :raises UpdateRefused: nothing was written
    """
    errors = dict(_faults_of_texts(texts))
    if ends_at <= starts_at:
        errors["ends_at"] = _("It ends after it begins: choose a later time.")
    elif ends_at <= now and banner is None:
        errors["ends_at"] = _("This is over already: choose a time to come.")
    if errors:
        raise UpdateRefused(errors)
    row = (
        Banner(written_by_name=actor.name[:150])
        if banner is None
        else Banner.objects.select_for_update().get(pk=banner)
    )
    row.texts = {language: text.strip() for language, text in texts.items()}
    row.starts_at, row.ends_at = starts_at, ends_at
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    _show()
    return row


def _faults_of_texts(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for language, name in updates.languages():
        text = texts.get(language, "").strip()
        if not text:
            words = _("Write it in %(language)s as well: everybody reads it in their language.")
            yield f"text_{language}", words % {"language": name}
        elif len(text) > MOST_BANNER:
            words = _("%(length)s characters: shorten it to %(most)s.")
            yield f"text_{language}", words % {"length": len(text), "most": MOST_BANNER}
        elif sentence := updates.fault_of_characters(text):
            yield f"text_{language}", sentence


def taken_down() -> None:
    """After a banner was deleted."""
    _show()


def _show() -> None:
    transaction.on_commit(board.refresh, robust=True)
