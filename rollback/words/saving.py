"""A letter's words are saved as a new version. No version is ever changed; the database refuses it."""

from collections.abc import Sequence

from django.db import connection, transaction
from django.utils.translation import gettext as _

from rollback.audit import Actor
from rollback.domain.letters import BY_KEY
from rollback.models import MessageTemplate
from rollback.words.checking import WordsRefused, check
from rollback.words.grammar import normal

ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('letter ' || %s, 0))"


class ChangedMeanwhile(Exception):
    """Somebody has saved another version since these words were shown."""

    def __init__(self, newest: MessageTemplate) -> None:
        super().__init__(str(newest))
        self.newest = newest


def versions(key: str, language: str) -> Sequence[MessageTemplate]:
    """The newest first."""
    found = MessageTemplate.objects.filter(key=key, language=language).order_by("-version")
    return list(found)


@transaction.atomic
def save(
    *, key: str, language: str, subject: str, text: str, html: str = "", seen: int, actor: Actor
) -> MessageTemplate | None:
    """seen: the version that was shown; 0: there was none. :returns: None where it said so already

    :raises WordsRefused: :raises ChangedMeanwhile:
    """
    subject, text, html = normal(subject), normal(text), normal(html)
    check(BY_KEY[key], subject=subject, text=text, html=html, language=language)
    newest = _newest(key, language, seen=seen)
    wanted = {"subject": subject, "text": text, "html": html}
    if newest is not None and all(getattr(newest, name) == wanted[name] for name in wanted):
        return None
    return _add(key, language, newest, actor, **wanted)


@transaction.atomic
def use_again(
    *, key: str, language: str, version: int, seen: int, actor: Actor
) -> MessageTemplate | None:
    """:raises WordsRefused: it was right once, and is not any more :raises ChangedMeanwhile:"""
    old = MessageTemplate.objects.filter(key=key, language=language, version=version).first()
    if old is None:
        words = _("There is no version %s of this letter in this language.")
        raise WordsRefused({"text": [words % version]})
    if old.is_the_houses:
        return back_to_the_houses(key=key, language=language, seen=seen, actor=actor)
    again = {"subject": old.subject, "text": old.text, "html": old.html}
    return save(key=key, language=language, seen=seen, actor=actor, **again)


@transaction.atomic
def back_to_the_houses(
    *, key: str, language: str, seen: int, actor: Actor
) -> MessageTemplate | None:
    """:raises ChangedMeanwhile:"""
    newest = _newest(key, language, seen=seen)
    if newest is None or newest.is_the_houses:
        return None
    return _add(key, language, newest, actor, is_the_houses=True)


def _newest(key: str, language: str, *, seen: int) -> MessageTemplate | None:
    """Two that save at once come one after the other. :raises ChangedMeanwhile:"""
    with connection.cursor() as cursor:
        cursor.execute(ONE_BY_ONE, [f"{key} {language}"])
    newest = next(iter(versions(key, language)), None)
    if newest is not None and newest.version != seen:
        raise ChangedMeanwhile(newest)
    return newest


def _add(
    key: str, language: str, newest: MessageTemplate | None, actor: Actor, **words: str | bool
) -> MessageTemplate:
    made = MessageTemplate.objects.create(
        key=key,
        language=language,
        version=newest.version + 1 if newest else 1,
        saved_by=actor.user,
        saved_by_name=actor.name[:150],
        **words,
    )
    made.refresh_from_db()  # when it was saved says the database's clock
    return made
