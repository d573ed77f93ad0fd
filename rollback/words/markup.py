"""What a letter's own HTML may be: a few elements, each closed, nothing that runs or is fetched.

Read by the strictest reader there is, so that no mail program can read it otherwise: each tag is written in
one way, a `<` is a tag, and variables stand between tags or are a link's whole address.
"""

import re
from collections.abc import Collection, Iterator
from html import unescape

from django.utils.translation import gettext as _

# fmt: off
ELEMENTS = frozenset({
    "p", "br", "hr", "h1", "h2", "h3", "ul", "ol", "li", "strong", "em", "b", "i", "u", "small", "blockquote",
    "a", "table", "thead", "tbody", "tr", "th", "td",
})
# fmt: on
VOID = frozenset({"br", "hr"})
ATTRIBUTES = {"a": {"href", "class"}, "th": {"scope"}}
TAG = re.compile(r"(<[^<>]*>)")
OPENS = re.compile(r'<([a-z][a-z0-9]*)((?: [a-z]+="[^"<>]*")*) ?(/?)>')
CLOSES = re.compile(r"</([a-z][a-z0-9]*)>")
ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
# With which a sign for a variable begins (see `checking`).
SIGN = "\ue000"
ADDRESS = re.compile(r"(https?://|mailto:)[^\s]+")


class Seen:
    """What somebody who opens the mail can read, and the addresses that its links lead to."""

    def __init__(self) -> None:
        self.text = ""
        self.addresses: list[str] = []


def read(html: str, *, variables: Collection[str], seen: Seen) -> Iterator[str]:
    """variables: what stands in for them in `html`. :returns: sentences, what is wrong"""
    open_tags: list[str] = []
    for number, part in enumerate(TAG.split(html)):
        if number % 2 == 0:
            if "<" in part or ">" in part:
                yield _("An angle bracket that belongs to no tag is written &lt; or &gt;.")
            seen.text += unescape(part)
        elif closes := CLOSES.fullmatch(part):
            if not open_tags or open_tags.pop() != closes[1]:
                yield _("“%s” closes what is not open there.") % part
                return
        elif opens := OPENS.fullmatch(part):
            yield from _of_element(opens, variables, seen)
            if opens[1] not in VOID:
                open_tags.append(opens[1])
        else:
            yield _not_known(part)
    for tag in open_tags:
        yield _("“<%(tag)s>” is not closed: write </%(tag)s> where it ends.") % {"tag": tag}


def _of_element(opens: re.Match[str], variables: Collection[str], seen: Seen) -> Iterator[str]:
    tag = opens[1]
    if tag not in ELEMENTS:
        yield _not_known(f"<{tag}>")
        return
    attributes: list[tuple[str, str]] = ATTRIBUTE.findall(opens[2])
    for name, value in attributes:
        if name not in ATTRIBUTES.get(tag, ()):
            words = _(
                "“%(name)s” cannot be written in <%(tag)s>: the letters' look is the same for all."
            )
            yield words % {"name": name, "tag": tag}
        elif name == "href":
            seen.addresses.append(value)
            if value not in variables and (SIGN in value or not ADDRESS.fullmatch(value)):
                yield _(
                    "A link's address is one of the variables that are addresses, alone, or begins with "
                    "https://."
                )
        elif name == "class" and value != "button":
            yield _("The only class is “button”: a link that looks like one.")
        elif name == "scope" and value not in ("col", "row"):
            yield _("scope is “col” or “row”.")
    if tag == "a" and "href" not in dict(attributes):
        yield _('A link needs an address: <a href="{{ link }}">.')


def _not_known(part: str) -> str:
    words = _(
        "“%(part)s” cannot be used in a mail. There are: %(elements)s; written in small letters, with "
        "values in double quotes."
    )
    return words % {
        "part": part if len(part) <= 40 else part[:39] + "…",
        "elements": ", ".join(sorted(ELEMENTS)),
    }
