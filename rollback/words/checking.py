"""What an edited letter must be: only variables that it has, all that it is for, and no gap.

Whether a variable is empty is all that decides what `{% if %}` shows. So every letter that can come of the
words is made here, with signs in place of the values, and looked at: nothing is left to be guessed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from itertools import product

from django.conf import settings
from django.template import Context, TemplateSyntaxError
from django.utils.translation import gettext as _

from rollback.domain.letters import BY_KEY, Audience, Letter
from rollback.words import grammar, markup
from rollback.words.engine import compiled, names

# Of Unicode's private characters, which nobody can write in a letter.
SIGN = re.compile("\ue000([0-9]+)\ue001")
GLUED = re.compile("[\\w/=&?#%\ue001-]\ue000|\ue001[\\w/=&?#%\ue000-]")


class WordsRefused(Exception):
    """errors: field ("subject", "text", "html", "language") → sentences, each with what to do."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(word for words in errors.values() for word in words))
        self.errors = errors


class Nothing(str):
    """A sign that `{% if %}` takes for empty."""

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One letter that can come of the words. signs: variable → its sign. filled: those not empty."""

    signs: Mapping[str, str]
    filled: frozenset[str]

    def render(self, words: str) -> str:
        return str(compiled(words).render(Context(dict(self.signs), autoescape=False)))

    def found(self, text: str) -> set[str]:
        """The variables whose signs stand in a text."""
        known = list(self.signs)
        return {known[int(number)] for number in SIGN.findall(text)}


def check(letter: Letter, *, subject: str, text: str, html: str = "", language: str = "") -> None:
    """language: empty: nobody asks for it. :raises WordsRefused:"""
    found: dict[str, list[str]] = {"subject": [], "text": [], "html": []}
    for name, words in (("subject", subject), ("text", text), ("html", html)):
        found[name] += _read(letter, words, most=grammar.LONGEST[name])
    found["subject"] = found["subject"] or list(dict.fromkeys(_of_subject(letter, subject)))
    found["text"] = found["text"] or list(dict.fromkeys(_of_text(letter, text)))
    if html.strip():
        found["html"] = found["html"] or list(dict.fromkeys(_of_html(letter, html)))
    if language and language not in dict(settings.LANGUAGES):
        words = _("The school does not write “%(language)s”. It writes: %(known)s.")
        known = ", ".join(code for code, _name in settings.LANGUAGES)
        found["language"] = [words % {"language": language, "known": known}]
    wrong = {name: words for name, words in found.items() if words}
    if wrong:
        raise WordsRefused(wrong)


@lru_cache(maxsize=500)
def holds(key: str, subject: str, text: str, html: str) -> bool:
    """Whether words that were saved once can still be sent: the letter may have lost a variable since."""
    try:
        check(BY_KEY[key], subject=subject, text=text, html=html)
    except WordsRefused:
        return False
    return True


def trials(letter: Letter) -> Iterator[Trial]:
    """One for each way in which what may be empty is empty."""
    signs = {name: f"\ue000{number}\ue001" for number, name in enumerate(letter.by_name)}
    loose = [variable.name for variable in letter.variables if variable.may_be_empty]
    for empty in product((True, False), repeat=len(loose)):
        gone = {name for name, is_empty in zip(loose, empty, strict=True) if is_empty}
        yield Trial(
            signs={name: Nothing(sign) if name in gone else sign for name, sign in signs.items()},
            filled=frozenset(signs.keys() - gone),
        )


def _read(letter: Letter, words: str, *, most: int) -> list[str]:
    faults = list(grammar.faults(words, most=most))
    if faults:
        return faults
    unknown = [_unknown(letter, name) for name in names(words) if name not in letter.by_name]
    if not unknown:
        try:
            compiled(words)
        except (TemplateSyntaxError, RecursionError) as error:
            return [_("This cannot be read: %(error)s") % {"error": error}]
    return unknown


def _unknown(letter: Letter, name: str) -> str:
    near = get_close_matches(name[:50], letter.by_name, n=1, cutoff=0.5)
    if near:
        words = _("This letter has no “%(name)s”. Is “%(near)s” meant?")
        return words % {"name": name[:50], "near": near[0]}
    words = _("This letter has no “%(name)s”. It has: %(names)s.")
    return words % {"name": name[:50], "names": ", ".join(letter.by_name)}


def _of_subject(letter: Letter, subject: str) -> Iterator[str]:
    if not subject.strip():
        yield _("Write a subject.")
        return
    if "\n" in subject.strip():
        yield _("A subject is one line.")
    for trial in trials(letter):
        shown = trial.render(subject)
        yield from _gaps(letter, trial.found(shown) - trial.filled)
        if not shown.strip():
            yield _("With what may be empty left out, nothing is left. Write something that stays.")


def _of_text(letter: Letter, text: str) -> Iterator[str]:
    if not text.strip():
        yield _("Write a text.")
        return
    for trial in trials(letter):
        shown = trial.render(text)
        yield from _of_what_is_read(letter, trial, shown, written=set(names(text)))
        for sign in SIGN.finditer(shown):
            name = list(letter.by_name)[int(sign[1])]
            around = shown[max(0, sign.start() - 1) : sign.end() + 1]
            if letter.by_name[name].is_address and GLUED.search(around):
                words = _("“%(name)s” is an address: leave a blank before and after it.")
                yield words % {"name": name}


def _of_html(letter: Letter, html: str) -> Iterator[str]:
    """As the text; and a link's address counts as read."""
    if letter.audience == Audience.PUBLIC:
        yield _("What the public reads is made from the text. Empty this field.")
        return
    addresses = {name for name, variable in letter.by_name.items() if variable.is_address}
    for trial in trials(letter):
        seen = markup.Seen()
        signs = {str(trial.signs[name]) for name in addresses}
        shown = trial.render(html)
        yield from markup.read(shown, variables=signs, seen=seen)
        linked = " ".join(seen.addresses)
        yield from _of_what_is_read(
            letter, trial, f"{seen.text} {linked}", written=set(names(html))
        )


def _of_what_is_read(
    letter: Letter, trial: Trial, shown: str, *, written: set[str]
) -> Iterator[str]:
    read = trial.found(shown)
    yield from _gaps(letter, read - trial.filled)
    for name in letter.required:
        if name in read:
            continue
        facts = {"name": name, "meaning": _(letter.by_name[name].meaning)}
        if name in written:
            yield (
                _("“%(name)s” must always be read, also where an {%% if … %%} leaves it out.")
                % facts
            )
        else:
            yield _("“%(name)s” is missing: %(meaning)s.") % facts


def _gaps(letter: Letter, empty: set[str]) -> Iterator[str]:
    for name in letter.by_name:
        if name in empty:
            words = _(
                "“%(name)s” may be empty: write {%% if %(name)s %%} … {%% endif %%} around what needs it."
            )
            yield words % {"name": name}
