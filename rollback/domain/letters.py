"""What the school writes to people around an incident: which letters there are, their words, and what may
stand in them. Pure; the words are marked for translation only.

A letter's text is a Django template of plain text with variables and `{% if %}`. A paragraph whose last line
is an address alone, after a line that ends with a colon, becomes a button in the mail's HTML; lines that
begin with “- ” become a list.
"""

from collections.abc import Mapping, Sequence

from rollback.domain.letter import Audience, Letter, LetterKey, Variable
from rollback.domain.letters_public import PUBLIC_LETTERS
from rollback.domain.letters_to_people import LETTERS_TO_PEOPLE
from rollback.domain.letters_to_staff import LETTERS_TO_STAFF

__all__ = ["BY_KEY", "LETTERS", "Audience", "Letter", "LetterKey", "Variable"]

LETTERS: Sequence[Letter] = (*LETTERS_TO_PEOPLE, *LETTERS_TO_STAFF, *PUBLIC_LETTERS)
BY_KEY: Mapping[str, Letter] = {letter.key: letter for letter in LETTERS}
