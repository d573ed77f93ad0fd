"""What the letters' pages show of each letter: its versions by language, and what may stand in it."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.template.base import tag_re
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from rollback import words
from rollback.domain.letters import Letter
from rollback.models import MessageTemplate
from rollback.words.checking import holds


def row(letter: Letter, newest: dict[tuple[str, str], MessageTemplate]) -> dict[str, Any]:
    return {
        "title": _(letter.title),
        "about": _(letter.about),
        "cells": [_cell(letter, code, newest) for code, _name in settings.LANGUAGES],
    }


def _cell(
    letter: Letter, language: str, newest: dict[tuple[str, str], MessageTemplate]
) -> dict[str, Any]:
    saved = newest.get((letter.key, language))
    edited = saved is not None and not saved.is_the_houses
    return {
        "language": named(language),
        "page": _page_of(letter, language),
        "saved": saved,
        "is_edited": edited,
        "is_broken": saved is not None and not holds_still(saved),
        "is_foreign": not edited and language != "en" and not _is_translated(letter, language),
    }


def holds_still(saved: MessageTemplate) -> bool:
    """Whether it can be sent: the letter may have lost a variable since."""
    return saved.is_the_houses or holds(saved.key, saved.subject, saved.text, saved.html)


def _is_translated(letter: Letter, language: str) -> bool:
    """Whether each of the house's paragraphs that has words is other than the English one."""
    with translation.override(language):
        return all(
            _(one) != one
            for one in (letter.subject, *letter.paragraphs)
            if any(part.strip(" \n.,:") for part in tag_re.split(one)[::2])
        )


def variables(letter: Letter, language: str) -> Iterator[dict[str, Any]]:
    samples = words.samples_of(letter, language)
    for variable in letter.variables:
        yield {
            "written": f"{{{{ {variable.name} }}}}",
            "asked": f"{{% if {variable.name} %}} … {{% endif %}}",
            "meaning": _(variable.meaning),
            "sample": samples[variable.name],
            "may_be_empty": variable.may_be_empty,
            "is_required": variable.name in letter.required,
        }


def other_languages(letter: Letter, language: str) -> Iterator[tuple[str, str, bool]]:
    for code, _name in settings.LANGUAGES:
        yield named(code), _page_of(letter, code), code == language


def _page_of(letter: Letter, language: str) -> str:
    return reverse("admin:rollback_messagetemplate_letter", args=[letter.key, language])


def named(language: str) -> str:
    return _(dict(settings.LANGUAGES)[language])
