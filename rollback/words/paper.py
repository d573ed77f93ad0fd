"""A mail's HTML, made from its text: the same words, with buttons, lists and links."""

import re

from django.template.loader import render_to_string
from django.utils.html import escape, urlize
from django.utils.safestring import SafeString, mark_safe

ADDRESS = re.compile(r"https?://\S+")
# What a mail program shows of it beside the subject.
PREHEADER = 110
ITEM = "- "


def as_html(text: str) -> SafeString:
    return mark_safe("\n".join(_paragraph(part) for part in text.split("\n\n")))  # noqa: S308  escaped below


def preheader(text: str) -> str:
    """The first words after the greeting."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    words = " ".join(one for one in paragraphs if not one.endswith(","))
    return words if len(words) <= PREHEADER else words[:PREHEADER].rsplit(" ", 1)[0] + "…"


def _paragraph(text: str) -> str:
    lines = text.split("\n")
    if len(lines) == 2 and lines[0].endswith(":") and ADDRESS.fullmatch(lines[1]):
        button = {"url": lines[1], "label": lines[0][:-1]}
        return render_to_string("mail/button.html", button).strip()
    first = next((n for n, line in enumerate(lines) if line.startswith(ITEM)), len(lines))
    if first < len(lines) and all(line.startswith(ITEM) for line in lines[first:]):
        items = "\n".join(f"<li>{_linked(line[len(ITEM) :])}</li>" for line in lines[first:])
        before = f"<p>{_lines(lines[:first])}</p>\n" if first else ""
        return f"{before}<ul>\n{items}\n</ul>"
    return f"<p>{_lines(lines)}</p>"


def _lines(lines: list[str]) -> str:
    return "<br>\n".join(_linked(line) for line in lines)


def _linked(line: str) -> str:
    return urlize(escape(line), nofollow=False)
