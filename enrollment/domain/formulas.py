"""Cells that a spreadsheet would run as a formula, and the apostrophe that keeps it from doing so
(OWASP, “CSV Injection”). What one function adds the other takes away, whatever the text is."""

import re

# The wide ones count as their narrow sisters where East Asian keyboards are common.
RUN = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def harmless(text: str) -> str:
    """As it is written to a file. A text that already looks so gets one apostrophe more."""
    return f"'{text}" if RUN.match(text) else text


def original(text: str) -> str:
    """As it was before `harmless`; any other apostrophe stays."""
    return text[1:] if text.startswith("'") and RUN.match(text) else text
