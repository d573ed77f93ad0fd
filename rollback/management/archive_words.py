"""manage.py rollback archive …: what was taken away and waits, and deleting it for good."""

import re
import sys
from argparse import ArgumentTypeError, _SubParsersAction
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection

from rollback import keeping
from rollback.audit import Actor, ChangeRefused
from rollback.keeping import Kept
from rollback.keeping.purging import KEPT_FOR, in_words, too_old
from rollback.keeping.shelf import look_at

AGE = re.compile(r"(\d{1,5})\s*([dh])")
UNITS = {"d": "days", "h": "hours"}
EMPTY = "Nothing is in the archive."
NOTHING_OLD = "Nothing in the archive is that old. See manage.py rollback archive list."


def age(text: str) -> timedelta:
    match = AGE.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"“{text}” is no age; write it like 30d or 12h.")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    archive = commands.add_parser(
        "archive", help="what was taken away and waits; delete it for good"
    )
    steps = archive.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("list", help="everything in it: rows, size, age, rows set aside")
    show = steps.add_parser(
        "show", help="one table: its columns, and whether it is as it was put there"
    )
    show.add_argument("table", metavar="TABLE")
    purge = steps.add_parser("purge", help="delete for good; never while an incident is open")
    purge.add_argument(
        "--older-than",
        type=age,
        default=KEPT_FOR,
        metavar="AGE",
        help="like 30d (the default) or 12h; 0d is everything",
    )
    purge.add_argument("--reason", required=True, help="one sentence for the ledger")
    purge.add_argument(
        "--confirm",
        metavar="DATABASE",
        help="the database's name; without it, it is asked for",
    )


def answer(
    options: dict[str, Any], *, actor: Actor, ask: Callable[[str], str] | None = None
) -> list[str]:
    """ask: how a name is typed; None: at the terminal.

    :raises ChangeRefused:
    """
    step = options["step"]
    if step == "list":
        return [line for one in keeping.shelf() for line in _line(one)] or [EMPTY]
    if step == "show":
        return _show(options["table"])
    return _purge(options, actor=actor, ask=ask or _at_the_terminal)


def _line(one: Kept) -> list[str]:
    rows = "not counted" if one.rows is None else _many(one.rows, "row")
    aside = f", {_many(one.orphans, 'row')} set aside" if one.orphans else ""
    if one.is_purged:
        return [f"{one}  deleted for good{aside}"]
    if one.is_back:
        left = f"a copy was left behind, {_size(one.bytes)}" if one.has_table else "is back"
        return [f"{one}  {left}{aside}, since {_age(one.age)}"]
    return [f"{one}  {rows}, {_size(one.bytes)}, since {_age(one.age)}  [{one.app}]{aside}"]


def _show(table: str) -> list[str]:
    found = keeping.kept_of(table)
    if not found:
        raise ChangeRefused(
            f"There is no {table} in the archive. See manage.py rollback archive list."
        )
    return [line for one in found for line in (*_line(one), *_details(one))]


def _details(one: Kept) -> list[str]:
    looked = look_at(one)
    lines = []
    if one.has_table:
        lines += [
            f"  lies in {one.schema}.{one.name}, {_many(looked.rows, 'row')} now",
            f"  columns: {', '.join(f'{name} {kind}' for name, kind in looked.columns)}",
        ]
    if looked.as_sealed is not None:
        is_so = "as it was put there" if looked.as_sealed else "NOT as it was put there"
        lines.append(f"  {is_so}")
    if looked.entry.purged_at is not None:
        lines.append(
            f"  deleted for good by {looked.entry.purged_by_name} at "
            f"{looked.entry.purged_at:%Y-%m-%d %H:%M %Z}: {looked.entry.purged_because}"
        )
    lines += [f"  {name}: {fact}" for name, fact in sorted(looked.entry.report.items())]
    return lines


def _purge(options: dict[str, Any], *, actor: Actor, ask: Callable[[str], str]) -> list[str]:
    older_than, reason = options["older_than"], options["reason"]
    going = too_old(older_than)
    if not going:
        return [NOTHING_OLD]
    database = connection.settings_dict["NAME"]
    typed = options["confirm"]
    if typed is None:
        typed = ask(
            "Will be deleted for good:\n"
            + "\n".join(line for one in going for line in _line(one))
            + f"\nType the name of the database ({database}) to go on: "
        )
    if typed.strip() != database:
        raise ChangeRefused(
            f"Nothing was deleted: this database is called {database}, and “{typed.strip()}” was typed."
        )
    done = keeping.purge(confirmed=going, older_than=older_than, actor=actor, reason=reason)
    return in_words(done)


def _at_the_terminal(question: str) -> str:
    if not sys.stdin.isatty():
        raise ChangeRefused(
            "Deleting for good is confirmed by a name, and nobody is here to type it. Give it with "
            "--confirm DATABASE."
        )
    return input(question)


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GB"


def _age(since: timedelta) -> str:
    hours = int(since.total_seconds() // 3600)
    return _many(hours // 24, "day") if hours >= 48 else _many(hours, "hour")
