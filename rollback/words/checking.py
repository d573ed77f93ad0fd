"""What an edited letter must be: only variables that it has, all that it is for, no gap."""

from collections.abc import Iterator
from difflib import get_close_matches

from django.template import TemplateSyntaxError
from django.utils.translation import gettext as _

from rollback.domain.letters import Letter
from rollback.words.engine import asked, compiled, shown


class WordsRefused(Exception):
    """errors: field of the letter ("subject", "text", "html") → sentences, each with what to do."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(word for words in errors.values() for word in words))
        self.errors = errors


def check(letter: Letter, *, subject: str, text: str, html: str = "") -> None:
    """:raises WordsRefused:"""
    fields = {"subject": subject, "text": text, "html": html}
    errors = {name: list(_faults(letter, words)) for name, words in fields.items()}
    if not subject.strip():
        errors["subject"].append(_("Write a subject."))
    elif len(subject.splitlines()) > 1:
        errors["subject"].append(_("A subject is one line."))
    if not text.strip():
        errors["text"].append(_("Write a text."))
    for name in ("text", *(["html"] if html.strip() else [])):
        if not errors[name]:
            errors[name] += _missing(letter, subject + "\n" + fields[name])
    found = {name: words for name, words in errors.items() if words}
    if found:
        raise WordsRefused(found)


def _faults(letter: Letter, words: str) -> Iterator[str]:
    try:
        template = compiled(words)
    except TemplateSyntaxError as error:
        yield _("This cannot be read: %(error)s") % {"error": error}
        return
    except RecursionError:
        yield _("This cannot be read: too much in each other.")
        return
    written = list(shown(template))
    for name in dict.fromkeys([*(name for name, _asked in written), *asked(template)]):
        if name not in letter.by_name:
            yield _unknown(letter, name)
    for name, around in written:
        variable = letter.by_name.get(name)
        if variable and variable.may_be_empty and name not in around:
            words = _(
                "“%(name)s” may be empty: write {%% if %(name)s %%} … {%% endif %%} around what needs it."
            )
            yield words % {"name": name}


def _unknown(letter: Letter, name: str) -> str:
    near = get_close_matches(name, letter.by_name, n=1, cutoff=0.5)
    if near:
        words = _("This letter has no “%(name)s”. Is “%(near)s” meant?")
        return words % {"name": name, "near": near[0]}
    words = _("This letter has no “%(name)s”. It has: %(names)s.")
    return words % {"name": name, "names": ", ".join(letter.by_name)}


def _missing(letter: Letter, words: str) -> Iterator[str]:
    """Of what has to stand there whatever is empty."""
    always = {name for name, around in shown(compiled(words)) if not around}
    for name in letter.required:
        if name not in always:
            sentence = _("“%(name)s” is missing: %(meaning)s.")
            yield sentence % {"name": name, "meaning": _(letter.by_name[name].meaning)}
