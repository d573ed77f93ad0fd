"""docs/letters.md lists letters and variables as the code has them. `UPDATE_SNAPSHOTS=1` writes it anew."""

import os
from pathlib import Path

from django.conf import settings

from rollback.domain.letters import LETTERS

PAGE = Path(settings.BASE_DIR) / "docs" / "letters.md"
BEGIN, END = "<!-- generated: letters -->\n", "<!-- end of generated -->\n"


def table() -> str:
    lines = [
        "| Letter | To whom, and when | Must stand in it | May stand in it |",
        "|---|---|---|---|",
    ]
    for letter in LETTERS:
        others = [
            f"`{one.name}`{' (may be empty)' if one.may_be_empty else ''}"
            for one in letter.variables
            if one.name not in letter.required
        ]
        required = ", ".join(f"`{name}`" for name in letter.required)
        lines.append(f"| {letter.title} | {letter.about} | {required} | {', '.join(others)} |")
    lines += ["", "| Variable | What it is | For example |", "|---|---|---|"]
    known = {one.name: one for letter in LETTERS for one in letter.variables}
    lines += [
        f"| `{one.name}` | {one.meaning} | {one.sample.replace(chr(10), ' ⏎ ')} |"
        for one in sorted(known.values(), key=lambda one: one.name)
    ]
    return "\n".join(lines) + "\n"


def test_the_page_lists_the_letters_as_they_are() -> None:
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(before + BEGIN + "\n" + table() + "\n" + END + after)
        shown = "\n" + table() + "\n"
    assert shown.strip() == table().strip(), "UPDATE_SNAPSHOTS=1 writes the tables anew"
