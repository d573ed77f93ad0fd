"""A letter's words for a page: without a mail's closing, and not as HTML."""

from collections.abc import Mapping

from django.template import Context
from django.utils import translation

from rollback.domain.letters import BY_KEY
from rollback.words.engine import compiled
from rollback.words.rendering import Gap, tidy, words_of


def plain(key: str, *, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """:returns: subject and text. values: all of the letter's variables. :raises Gap:"""
    letter, words = BY_KEY[key], words_of(key, language)
    for variable in letter.variables:
        if not values.get(variable.name) and not variable.may_be_empty:
            raise Gap(f"The letter “{key}” needs {variable.name}.")
    given = {name: values.get(name, "") for name in letter.by_name}
    with translation.override(language):
        subject, text = (
            str(compiled(one).render(Context(given, autoescape=False)))
            for one in (words.subject, words.text)
        )
    return " ".join(subject.split()), tidy(text)
