"""manage.py rollback doctor, finish: what state the schema is in, and what was left to be done later."""

from argparse import _SubParsersAction
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from rollback import doctor
from rollback.schema import finishing

WHAT = ("doctor", "finish")


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    examine = commands.add_parser(
        "doctor",
        help="the state of the schema and the one safe next action; exit code 1: not sound",
    )
    examine.add_argument(
        "--thorough", action="store_true", help="also compare each archived row with its digest"
    )
    commands.add_parser(
        "finish", help="count what was archived and check what came back, where that was cut off"
    )


def answer(what: str, options: dict[str, Any]) -> list[str]:
    """:raises CommandError: the schema is not in a state to leave it in; its words say all"""
    if what == "finish":
        return finishing.finish_all() or [_("There is nothing to finish.")]
    found = doctor.examine(thorough=options["thorough"])
    lines = _lines(found)
    if not found.sound:
        raise CommandError("\n".join(lines))
    return lines


def _lines(found: doctor.Diagnosis) -> list[str]:
    lines = [f"{found.state.label}. {found.words}"]
    lines += [_("Also: %(words)s") % {"words": one} for one in found.also]
    if found.sound and found.next:
        lines.append(_("To bring them back: %(command)s") % {"command": found.next})
    elif found.next:
        lines.append(_("Next: %(command)s") % {"command": found.next})
    return lines
