"""A letter's words for one person: the newest version in their language, filled in, as text and HTML."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.template import Context
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from rollback.domain.letters import BY_KEY, Audience, Letter, Variable
from rollback.models import MessageTemplate
from rollback.words import paper
from rollback.words.checking import holds
from rollback.words.engine import compiled

log = structlog.get_logger(__name__)
# Two lines of a mail program's list; the rest would be cut off there.
LONGEST_SUBJECT = 150


class Gap(ValueError):
    """Something that the letter's words need was not given: it is not sent with a hole in it."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """version: 0 is the house's own."""

    subject: str
    text: str
    html: str = ""
    version: int = 0


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """body: the text without the closing that a mail has. The public's have none in `text` either."""

    subject: str
    text: str
    html: str
    version: int
    body: str = ""


def words_of(key: str, language: str) -> Words:
    """The newest that was saved, else the house's own in that language. One query."""
    newest = MessageTemplate.objects.filter(key=key, language=language).order_by("-version").first()
    if newest is None or newest.is_the_houses:
        return house_words(BY_KEY[key], language)
    if not holds(key, newest.subject, newest.text, newest.html):
        # It was right when it was saved; a later release has taken a variable away.
        log.error("words.version_does_not_hold", letter=key, language=language, row=newest.pk)
        return house_words(BY_KEY[key], language)
    return Words(subject=newest.subject, text=newest.text, html=newest.html, version=newest.version)


def words_at(key: str, language: str, version: int) -> Words:
    """Those of that version, whatever was saved since; 0: the house's own. One query at most."""
    if not version:
        return house_words(BY_KEY[key], language)
    found = MessageTemplate.objects.get(key=key, language=language, version=version)
    if not holds(key, found.subject, found.text, found.html):
        log.error("words.version_does_not_hold", letter=key, language=language, row=found.pk)
        return house_words(BY_KEY[key], language)
    return Words(subject=found.subject, text=found.text, html=found.html, version=version)


def versions_now(key: str) -> dict[str, int]:
    """Language → the version that would go out now, as `words_of` finds it."""
    return {language: words_of(key, language).version for language in languages()}


def house_words(letter: Letter, language: str) -> Words:
    with translation.override(language):
        text = letter.joined(gettext(paragraph) for paragraph in letter.paragraphs)
        return Words(subject=gettext(letter.subject), text=text)


def samples_of(letter: Letter, language: str) -> dict[str, str]:
    """What stands for each variable where there is nothing real, in that language."""
    with translation.override(language):
        return {variable.name: gettext(variable.sample) for variable in letter.variables}


def render(key: str, *, language: str, values: Mapping[str, str], off_url: str = "") -> Rendered:
    """values: all of the letter's variables. off_url: where its reader says that no more are wanted.

    :raises Gap: where one is missing, or empty and may not be
    """
    return render_words(
        words_of(key, language), BY_KEY[key], language=language, values=values, off_url=off_url
    )


def render_words(
    words: Words, letter: Letter, *, language: str, values: Mapping[str, str], off_url: str = ""
) -> Rendered:
    """:raises Gap:"""
    given = _given(letter, values)
    with translation.override(language):
        body = tidy(compiled(words.text).render(Context(given, autoescape=False)))
        subject = _one_line(compiled(words.subject).render(Context(given, autoescape=False)))
        inner = (
            mark_safe(compiled(words.html, markup=True).render(Context(given)))  # noqa: S308  escaped by the engine
            if words.html.strip()
            else paper.as_html(body)
        )
        text, html = _framed(letter, subject, body, inner, off_url)
    return Rendered(subject=subject, text=text, html=html, version=words.version, body=body)


def _framed(
    letter: Letter, subject: str, body: str, inner: SafeString, off_url: str
) -> tuple[str, str]:
    """A mail's text and HTML; the public reads on a page that has its own frame."""
    if letter.audience == Audience.PUBLIC:
        return body, inner
    page = {
        "subject": subject,
        "text": body,
        "inner": inner,
        "off_url": off_url,
        "preheader": paper.preheader(body),
        "is_staff": letter.audience == Audience.STAFF,
    }
    text, html = (render_to_string(f"words/mail.{kind}", page) for kind in ("txt", "html"))
    return text.strip() + "\n", html.strip() + "\n"


def _given(letter: Letter, values: Mapping[str, str]) -> dict[str, str]:
    """:raises Gap:"""
    given = {one.name: _clean(one, values.get(one.name, "")) for one in letter.variables}
    for variable in letter.variables:
        if not given[variable.name] and not variable.may_be_empty:
            raise Gap(f"The letter “{letter.key}” needs {variable.name}.")
    return given


def _clean(variable: Variable, value: object) -> str:
    """Somebody's name is one line, whatever they have typed; and nothing that a mail cannot carry."""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    if not variable.has_lines:
        text = " ".join(text.split())
    kept = (one for one in text if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs"))
    return "".join(kept).strip()


def _one_line(subject: str) -> str:
    line = " ".join(str(subject).split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"


def tidy(text: str) -> str:
    """What an empty part has left: one blank between words, one blank line between paragraphs."""
    single = re.sub(r"(?<=\S)[ \t]{2,}", " ", str(text))
    lines = "\n".join(line.rstrip() for line in single.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def languages() -> list[str]:
    return [code for code, _name in settings.LANGUAGES]
