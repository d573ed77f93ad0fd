"""A report in Markdown as a page. No tag, address or picture of it becomes one: whatever it says is text."""

from collections.abc import Sequence

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Of CommonMark with tables, all that leads elsewhere is left out; tags are text already.
LEADS_ELSEWHERE = ["link", "image", "autolink", "reference"]
DEEPER = 1  # the page has a heading of its own


def html(text: str) -> SafeString:
    reader = MarkdownIt("js-default", {"html": False, "linkify": False}).disable(LEADS_ELSEWHERE)
    tokens = reader.parse(text)
    _set_deeper(tokens)
    written: str = reader.renderer.render(_scrolling(tokens), reader.options, {})
    return mark_safe(written)  # noqa: S308  the reader has escaped it


def _set_deeper(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + DEEPER)}"
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
