"""What may be kept and logged of a database's error: never what stands in a row.

PostgreSQL quotes rows in an error's details, and values in some of its messages; whoever erases a person
does not find them there. Without a framework, so that the lowest rooms can ask.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

# SQLSTATEs whose message itself quotes the value: numbers, dates, texts that are none.
DATA_EXCEPTION = "22"
QUOTED = re.compile(r"[\"“”„«»].*[\"“”„«»]", re.DOTALL)
# As programs print it: `…: "value"` and `value "…" is out of range`.
IN_A_LINE = re.compile(r"(?<=: )\".*|(?<=\bvalue )\".*\"(?= (?:is|for)\b)|(?<=\bvalue )\".*")
# What programs say of a row stands in further lines of its own.
SAID = re.compile(
    r"(?:pg_\w+: (?:error|fatal|panic|hint)\b|(?:error|fatal|panic|hint): {1,2})", re.IGNORECASE
)
DETAIL = re.compile(r"\s*(?:DETAIL|CONTEXT|STATEMENT|QUERY|LINE \d+)\b ?:")
BEGINS = re.compile(r"Traceback |  File |\w+(?:\.\w+)+(?:: |$)|\d{4}-\d\d-\d\d|\{\"")


def without_rows(error: BaseException) -> str:
    """Of a database's error: its message, without values, and the constraint; of any other its words."""
    diag = _diag(error)
    message = diag and diag.message_primary
    if not message:
        # Django's own come with the rows that it would not delete.
        first = error.args[0] if len(error.args) > 1 else None
        return (first if isinstance(first, str) else str(error)).strip()
    if str(diag.sqlstate or "").startswith(DATA_EXCEPTION):
        message = QUOTED.sub("…", message)
    constraint = diag.constraint_name
    if constraint and constraint not in message:
        message += f" ({constraint})"
    return str(message).strip()


def lines_without_rows(lines: Iterable[str]) -> Iterator[str]:
    """Of what PostgreSQL's programs say: what they complain about, without details and values."""
    for line in lines:
        if SAID.match(line.strip()):
            yield IN_A_LINE.sub("…", line.strip())


def without_details(lines: Iterable[str]) -> Iterator[str]:
    """Of what any process says last: all but where PostgreSQL tells about a row, to the end of that.

    A row's text may have several lines, so what follows is believed when it begins anew: at a word of a
    program, or at the next frame of a traceback.
    """
    is_row = False
    for line in lines:
        if DETAIL.match(line):
            is_row = True
        elif is_row and not BEGINS.match(line):
            continue
        else:
            is_row = False
            yield IN_A_LINE.sub("…", line)


def _diag(error: BaseException) -> Any:
    """The driver's, which Django's errors have for their cause."""
    for one in (error, error.__cause__):
        if (found := getattr(one, "diag", None)) is not None:
            return found
    return None
