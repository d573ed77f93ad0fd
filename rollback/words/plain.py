"""A letter's words for a page: without a mail's greeting and closing, and not as HTML."""

from collections.abc import Mapping

from rollback.words.rendering import render


def plain(key: str, *, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """:returns: subject and text. values: all of the letter's variables. :raises Gap:"""
    rendered = render(key, language=language, values=values)
    return rendered.subject, rendered.body
