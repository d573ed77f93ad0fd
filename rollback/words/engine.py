from collections.abc import Iterator
from functools import lru_cache

from django.template import Engine, Template
from django.template.base import tag_re

from rollback.words.grammar import BETWEEN


class LetterEngine(Engine):
    """Finds no files and knows no tags but those of `tags`: whoever may edit a letter can reach nothing
    through it but the strings that are given to it."""

    default_builtins = ["rollback.words.tags"]


# As text, and with what a variable brings escaped for HTML.
PLAIN = LetterEngine(autoescape=False)
MARKUP = LetterEngine(autoescape=True)


# A letter to ten thousand people is read once.
@lru_cache(maxsize=500)
def compiled(text: str, *, markup: bool = False) -> Template:
    """Of what `grammar` finds no fault with.

    :raises django.template.TemplateSyntaxError:
    """
    return (MARKUP if markup else PLAIN).from_string(text)


def names(words: str) -> Iterator[str]:
    """Each variable that is written out or asked for, in order, each once. Of what is without fault."""
    found: dict[str, None] = {}
    for part in tag_re.split(words)[1::2]:
        inner = part[2:-2].split()
        asked = inner[1:] if part.startswith("{%") else inner
        found |= dict.fromkeys(name for name in asked if name not in BETWEEN)
    yield from found
