"""The school's letters: their words, edited in the admin or the house's own, filled in for a person."""

from rollback.words.checking import WordsRefused, check
from rollback.words.grammar import normal
from rollback.words.plain import plain
from rollback.words.rendering import (
    Gap,
    Rendered,
    Words,
    house_words,
    render,
    render_words,
    samples_of,
    versions_now,
    words_at,
    words_of,
)
from rollback.words.saving import ChangedMeanwhile, back_to_the_houses, save, use_again, versions

__all__ = [
    "ChangedMeanwhile",
    "Gap",
    "Rendered",
    "Words",
    "WordsRefused",
    "back_to_the_houses",
    "check",
    "house_words",
    "normal",
    "plain",
    "render",
    "render_words",
    "samples_of",
    "save",
    "use_again",
    "versions",
    "versions_now",
    "words_at",
    "words_of",
]
