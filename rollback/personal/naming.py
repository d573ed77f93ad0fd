"""Somebody's name in letters to others: whoever was called, a lesson's teacher, who put whom on a list.

Taken out only of letters and values that can name anybody: it may be made of words that stand everywhere.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from enrollment.models import User
from rollback.domain.letters import LETTERS, Audience
from rollback.models import Notification

DELETED = "Deleted person"
# Letters whose values are kept; what the others say is looked up when they go out. Few: to the staff, and
# about one lesson each.
THEIRS = tuple(
    str(letter.key)
    for letter in LETTERS
    if letter.audience == Audience.STAFF or "teacher" in letter.by_name
)
# Names and nothing else, with a comma between them.
NAMES = frozenset({"called", "name", "previous", "teacher"})
# What somebody wrote, in which others may be named.
TEXTS = frozenset({"actions", "cause", "lessons", "news", "on_the_list", "open", "title", "who"})
AT_ONCE = 500

Change = Callable[[str], str]


def names_of(user: User) -> frozenset[str]:
    teacher = getattr(user, "teacher", None)
    found = {user.get_full_name().strip(), teacher.display_name.strip() if teacher else ""}
    return frozenset(found - {""})


def put(instead: str, *, address: str, names: Iterable[str] = ()) -> None:
    """In the place of an address and of names."""
    among_names = _in_names([address, *names], instead)
    in_texts = _in_texts(address, names, instead)
    rows = Notification.objects.filter(sending__letter__in=THEIRS).exclude(values={})
    changed: list[Notification] = []
    for row in rows.only("pk", "values").order_by("pk").iterator(chunk_size=AT_ONCE):
        others = {
            key: _other(key, value, among_names=among_names, in_texts=in_texts)
            for key, value in row.values.items()
        }
        if others != row.values:
            row.values = others
            changed.append(row)
    Notification.objects.bulk_update(changed, ["values"], batch_size=AT_ONCE)


def _other(key: str, value: Any, *, among_names: Change, in_texts: Change) -> Any:
    if not isinstance(value, str):
        return value
    if key in NAMES:
        return among_names(value)
    return in_texts(value) if key in TEXTS else value


def _in_names(names: Iterable[str], instead: str) -> Change:
    """Whole ones: Li Na is no part of Li Na Chen."""
    words = "|".join(re.escape(name) for name in _longest_first(names))
    found = re.compile(rf"(?:^|(?<=, ))(?:{words})(?=, |$)")
    return lambda text: found.sub(lambda _found: instead, text)


def _in_texts(address: str, names: Iterable[str], instead: str) -> Change:
    mails = re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-])(?!\.\w)", re.IGNORECASE)
    words = [re.escape(name) for name in _longest_first(names) if _is_no_word(name)]
    named = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None

    def change(text: str) -> str:
        text = mails.sub(lambda _found: instead, text)
        return named.sub(lambda _found: instead, text) if named else text

    return change


def _is_no_word(name: str) -> bool:
    """One that stands in a text as a name, and as nothing else: not one word, nor “of the”."""
    parts = name.split()
    outer = [part[0] for part in (*parts[:1], *parts[-1:])]
    return len(parts) > 1 and all(one.isalpha() and not one.islower() for one in outer)


def _longest_first(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name}, key=len, reverse=True)
