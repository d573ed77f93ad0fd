"""A letter's words for one person: the newest version in their language, filled in, as text and HTML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.template import Context
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape, urlize
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from rollback.domain.letters import BY_KEY, Letter
from rollback.models import MessageTemplate
from rollback.words.engine import compiled

ADDRESS = re.compile(r"https?://\S+")


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
    subject: str
    text: str
    html: str
    version: int


def words_of(key: str, language: str) -> Words:
    """The newest that was saved, else the house's own in that language. One query."""
    newest = MessageTemplate.objects.filter(key=key, language=language).order_by("-version").first()
    if newest is None or newest.is_the_houses:
        return house_words(BY_KEY[key], language)
    return Words(subject=newest.subject, text=newest.text, html=newest.html, version=newest.version)


def house_words(letter: Letter, language: str) -> Words:
    with translation.override(language):
        return Words(subject=gettext(letter.subject), text=gettext(letter.text))


def render(key: str, *, language: str, values: Mapping[str, str]) -> Rendered:
    """values: all of the letter's variables.

    :raises Gap: where one is missing, or empty and may not be
    """
    return render_words(words_of(key, language), BY_KEY[key], language=language, values=values)


def render_words(
    words: Words, letter: Letter, *, language: str, values: Mapping[str, str]
) -> Rendered:
    """:raises Gap:"""
    for variable in letter.variables:
        if not values.get(variable.name) and not variable.may_be_empty:
            raise Gap(f"The letter “{letter.key}” needs {variable.name}.")
    given = {name: values.get(name, "") for name in letter.by_name}
    with translation.override(language):
        text = _tidy(compiled(words.text).render(Context(given, autoescape=False)))
        subject: str = compiled(words.subject).render(Context(given, autoescape=False))
        inner = (
            mark_safe(compiled(words.html, markup=True).render(Context(given)))  # noqa: S308  escaped by the engine
            if words.html.strip()
            else _as_html(text)
        )
        subject = " ".join(str(subject).split())
        page = {"subject": subject, "inner": inner}
        closing = render_to_string("words/mail.txt", {"text": text})
        html = render_to_string("words/mail.html", page)
    return Rendered(subject=subject, text=closing, html=html, version=words.version)


def _tidy(text: str) -> str:
    """What an empty part has left: no more than one blank line, none at the ends."""
    return re.sub(r"[ \t]*\n(\s*\n)+", "\n\n", text).strip()


def _as_html(text: str) -> SafeString:
    return mark_safe("\n".join(_paragraph(part) for part in text.split("\n\n")))  # noqa: S308  escaped below


def _paragraph(text: str) -> str:
    first, _newline, last = text.rpartition("\n")
    if first.endswith(":") and "\n" not in first and ADDRESS.fullmatch(last):
        return render_to_string("mail/button.html", {"url": last, "label": first[:-1]})
    lines = urlize(escape(text), nofollow=False).replace("\n", "<br>\n")
    return f"<p>{lines}</p>"


def languages() -> list[str]:
    return [code for code, _name in settings.LANGUAGES]
