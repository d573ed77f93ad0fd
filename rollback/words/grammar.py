"""What may be written in a letter's field, before Django reads it: `{{ name }}`, `{% if name %}` with and,
or, not, elif and else; nothing else. Django's own messages name files, filters and libraries; these say what
to do.
"""

import re
import unicodedata
from collections.abc import Iterator

from django.template.base import tag_re
from django.utils.translation import gettext as _

LONGEST = {"subject": 200, "text": 10_000, "html": 20_000}
DEEPEST = 4
MOST_TAGS = 100
LONGEST_CONDITION = 9
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BETWEEN = ("and", "or", "not")
# Beside control characters: what turns the direction of the text around it, and ends of line that are none.
FORBIDDEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
# Of categories: control, half a character, for private use (ours, see `checking`), no character.
FORBIDDEN_KINDS = frozenset({"Cc", "Cs", "Co", "Cn"})
SHOWN = 40


def normal(words: str) -> str:
    """Ends of line as ours, none of the blanks that nobody sees; what a browser or a copy has brought."""
    lines = words.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip(" \t") for line in lines).strip()


def faults(words: str, *, most: int) -> Iterator[str]:
    """Sentences. With none of them Django can read it, and finds nothing but variables and `{% if %}`."""
    if len(words) > most:
        sentence = _("This is too long: %(have)s characters, and there is room for %(most)s.")
        yield sentence % {"have": len(words), "most": most}
        return
    forbidden = next((one for one in words if _is_forbidden(one)), None)
    if forbidden is not None:
        sentence = _(
            "Here is a character that no mail can carry (U+%(code)s, in line %(line)s). Delete it, or type "
            "the line anew."
        )
        line = words[: words.index(forbidden)].count("\n") + 1
        yield sentence % {"code": f"{ord(forbidden):04X}", "line": line}
        return
    yield from dict.fromkeys(_faults(words))


def _is_forbidden(one: str) -> bool:
    return one in FORBIDDEN or (unicodedata.category(one) in FORBIDDEN_KINDS and one not in "\n\t")


def _faults(words: str) -> Iterator[str]:
    open_ifs: list[bool] = []  # of each whether its else has come
    tags = 0
    for number, part in enumerate(tag_re.split(words)):
        if number % 2 == 0:
            yield from _of_plain(part)
        elif part.startswith("{{"):
            yield from _of_variable(part)
        elif part.startswith("{#"):
            yield _("“%s”: notes cannot be kept here. Delete it.") % _short(part)
        else:
            tags += 1
            yield from _of_tag(part, open_ifs)
    if open_ifs:
        yield _("An {% if … %} is not closed: write {% endif %} where it ends.")
    if tags > MOST_TAGS:
        yield _("There are too many {%% … %%}: at most %s.") % MOST_TAGS


def _of_plain(text: str) -> Iterator[str]:
    found = re.search(r"[{}]", text)
    if found:
        around = text[max(0, found.start() - SHOWN // 2) : found.start() + SHOWN // 2]
        words = _(
            "“%s”: a brace stands alone here. A variable is written {{ name }}, in one line and with two "
            "braces on each side."
        )
        yield words % " ".join(around.split())


def _of_variable(part: str) -> Iterator[str]:
    inner = part[2:-2].strip()
    if NAME.fullmatch(inner):
        return
    if not inner:
        yield _("“%s”: the name of a variable is missing between the braces.") % _short(part)
    elif "|" in inner:
        yield _("“%s”: filters cannot be used. Write the variable's name alone.") % _short(part)
    elif inner[0] in "\"'_+-0123456789":
        yield _("“%s”: fixed words need no braces. Write them as they are.") % _short(part)
    elif "." in inner:
        yield (
            _("“%s”: a variable is one name without dots. Choose one of the list.") % _short(part)
        )
    else:
        yield _("“%s”: a variable is one name. Choose one of the list.") % _short(part)


def _of_tag(part: str, open_ifs: list[bool]) -> Iterator[str]:
    words = part[2:-2].split()
    tag = words[0] if words else ""
    if tag == "if":
        open_ifs.append(False)
        if len(open_ifs) > DEEPEST:
            yield _("More than %s {%% if … %%} stand in each other: make it simpler.") % DEEPEST
        yield from _of_condition(part, words[1:])
    elif tag not in ("elif", "else", "endif"):
        yield _("“%s”: here only {%% if … %%} can be used.") % _short(part)
    elif not open_ifs or (tag != "endif" and open_ifs[-1]):
        yield _("“%s”: no {%% if … %%} is open here.") % _short(part)
    elif tag == "elif":
        yield from _of_condition(part, words[1:])
    elif len(words) > 1:
        yield _("“%s”: nothing may follow the first word.") % _short(part)
    elif tag == "else":
        open_ifs[-1] = True
    else:
        open_ifs.pop()


def _of_condition(part: str, words: list[str]) -> Iterator[str]:
    """Names, with one of and, or between two and not before any: then only emptiness decides."""
    expects_name = True
    for word in words:
        if word == "not" and expects_name:
            continue
        if expects_name == (word in BETWEEN) or not NAME.fullmatch(word):
            break
        expects_name = not expects_name
    else:
        if not expects_name and len(words) <= LONGEST_CONDITION:
            return
    sentence = _(
        "“%s”: {%% if … %%} only asks whether there is something: names, with and, or, not between them."
    )
    yield sentence % _short(part)


def _short(part: str) -> str:
    return part if len(part) <= SHOWN else part[: SHOWN - 1] + "…"
