"""Markdown as a page: a report, of which no tag, address or picture becomes one, or a runbook, which links
to the others. Whatever else it says is text.
"""

from collections.abc import Callable, Sequence

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Of CommonMark with tables, all that leads elsewhere is left out; tags are text already.
LEADS_ELSEWHERE = ["link", "image", "autolink", "reference"]
DEEPER = 1  # the page has a heading of its own
# What a link's address in the text leads to; None: nowhere, and only its words are shown.
Leads = Callable[[str], str | None]


def html(text: str, *, leads: Leads | None = None, deeper: int = DEEPER) -> SafeString:
    reader = MarkdownIt("js-default", {"html": False, "linkify": False}).disable(LEADS_ELSEWHERE)
    if leads is not None:
        reader.enable("link")
    tokens = reader.parse(text)
    if leads is not None:
        _lead(tokens, leads)
    _set_deeper(tokens, deeper)
    written: str = reader.renderer.render(_scrolling(tokens), reader.options, {})
    return mark_safe(written)  # noqa: S308  the reader has escaped it


def _lead(tokens: Sequence[Token], leads: Leads) -> None:
    for token in tokens:
        kept, is_link = [], False
        for inner in token.children or ():
            if inner.type == "link_open":
                address = leads(str(inner.attrGet("href")))
                is_link = address is not None
                # All but the address goes: a title would be one more thing to be read.
                inner.attrs = {"href": address or ""}
            if is_link or inner.type not in ("link_open", "link_close"):
                kept.append(inner)
        if token.children is not None:
            token.children = kept


def _set_deeper(tokens: Sequence[Token], deeper: int) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + deeper)}"
        elif token.type in ("fence", "code_block"):
            token.attrSet("tabindex", "0")


def _scrolling(tokens: Sequence[Token]) -> list[Token]:
    """A wide table scrolls by itself, also with the keyboard."""
    found = []
    for token in tokens:
        if token.type == "table_open":
            box = Token("box_open", "div", 1, attrs={"class": "report-scroll", "tabindex": "0"})
            found += [box, token]
        elif token.type == "table_close":
            found += [token, Token("box_close", "div", -1)]
        else:
            found.append(token)
    return found
