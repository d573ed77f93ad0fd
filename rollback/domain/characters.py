"""Characters that no text for people may have: pasted from office programs, seen by nobody, and refused by
XML. Pure.
"""

import unicodedata
from collections.abc import Mapping

# Of categories: control, half a character.
FORBIDDEN_KINDS = frozenset({"Cc", "Cs"})
# No characters, which XML refuses as well.
FORBIDDEN = frozenset("\ufffe\uffff")


def is_forbidden(one: str) -> bool:
    return one in FORBIDDEN or (unicodedata.category(one) in FORBIDDEN_KINDS and one not in "\n\t")


def first_forbidden(text: str) -> tuple[str, int] | None:
    """:returns: its number as U+… has it, and the line it is in."""
    for place, one in enumerate(text):
        if is_forbidden(one):
            return f"{ord(one):04X}", text.count("\n", 0, place) + 1
    return None


def without_forbidden(text: str) -> str:
    """For what was stored before anybody looked. An end of line stays one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n").replace("\f", "\n")
    return "".join(one for one in lines if not is_forbidden(one))


def all_without_forbidden(texts: Mapping[str, str]) -> dict[str, str]:
    """By language."""
    return {language: without_forbidden(text) for language, text in texts.items()}
