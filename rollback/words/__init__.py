"""The school's letters: their words, edited in the admin or the house's own, filled in for a person."""

from rollback.words.checking import WordsRefused, check
from rollback.words.plain import plain
from rollback.words.rendering import Gap, Rendered, render, render_words

__all__ = ["Gap", "Rendered", "WordsRefused", "check", "plain", "render", "render_words"]
