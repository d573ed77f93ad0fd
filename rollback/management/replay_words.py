"""manage.py rollback replay: the same verdict from the kept evidence, or what another one would have done."""

import re
from argparse import _SubParsersAction
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from rollback.evaluate import replaying
from rollback.evaluate.replaying import Again, CannotReplay, Past
from rollback.models import Incident, Judgment, Trigger

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MOST = timedelta(days=365)
# As `rollup` keeps them.
COARSE = (
    "Slots older than two days are minutes, and older than thirty days hours: what was shorter is not "
    "seen there, and a trigger with a window of a minute cannot be judged by hours."
)
AS_IT_WAS = (
    "Traffic is taken as it was: after the first of them the feature would have been off, and the rest "
    "would not have happened."
)


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    replay = commands.add_parser(
        "replay", help="judge kept evidence again; exit code 1: it comes to something else"
    )
    replay.add_argument("incident", nargs="?", type=int, metavar="INCIDENT")
    replay.add_argument("--judgment", type=int, metavar="N", help="one judgment, by its number")
    replay.add_argument("--trigger", metavar="NAME", help="what it would have come to in the past")
    replay.add_argument("--last", metavar="30d", help="how far back: 45m, 12h or 30d")
    replay.add_argument("--threshold", type=float, help="another one than the trigger's own")


def answer(options: dict[str, Any], *, now: datetime) -> list[str]:
    """:returns: lines. :raises CommandError: also where a verdict is another one than it was"""
    asked = [name for name in ("incident", "judgment", "trigger") if options[name] is not None]
    if len(asked) != 1:
        raise CommandError(
            "Give one of these: INCIDENT, --judgment N, or --trigger NAME with --last 30d."
        )
    if options["trigger"] is not None:
        return _past(options, now)
    if options["last"] is not None or options["threshold"] is not None:
        raise CommandError("--last and --threshold go with --trigger NAME.")
    judgments = _judgments(options["incident"], options["judgment"])
    return _compared([replaying.again(judgment) for judgment in judgments])


def _judgments(incident: int | None, number: int | None) -> list[Judgment]:
    if number is not None:
        found = list(Judgment.objects.filter(pk=number))
        if not found:
            raise CommandError(f"There is no judgment {number}; the admin lists them.")
        return found
    if incident is None or not Incident.objects.filter(pk=incident).exists():
        raise CommandError(
            f"There is no incident {incident}. See manage.py rollback incident list."
        )
    found = list(Judgment.objects.filter(incident=incident).order_by("pk"))
    if not found:
        raise CommandError(
            f"Incident {incident} was opened by hand: there is no evidence to judge again."
        )
    return found


def _compared(found: list[Again]) -> list[str]:
    lines = [line for one in found for line in _lines(one)]
    if any(one.differences for one in found):
        raise CommandError("\n".join([*lines, "It comes to something else than it did."]))
    return lines


def _lines(one: Again) -> list[str]:
    judgment = one.judgment
    at = f"{judgment.judged_at:%Y-%m-%d %H:%M:%S %Z}"
    head = f"Judgment {judgment.pk}, {judgment.trigger_name} version {judgment.version}, {at}: "
    if not one.differences:
        return [f"{head}{judgment.verdict} again. {judgment.words}"]
    told = ((f"  - {what}: {kept}", f"  + {what}: {now}") for what, kept, now in one.differences)
    return [head + "not the same.", *(line for pair in told for line in pair)]


def _past(options: dict[str, Any], now: datetime) -> list[str]:
    if options["last"] is None:
        raise CommandError("Say how far back: --last 30d.")
    row = Trigger.objects.filter(name=options["trigger"]).first()
    if row is None:
        known = ", ".join(Trigger.objects.values_list("name", flat=True))
        raise CommandError(f"There is no trigger {options['trigger']}. There are: {known}.")
    since = now - _span(options["last"])
    try:
        found = replaying.past(row=row, threshold=options["threshold"], since=since, until=now)
    except CannotReplay as why:
        raise CommandError(str(why)) from why
    return _told(row, found, options["last"])


def _told(row: Trigger, found: Past, last: str) -> list[str]:
    lines = [f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.finding.words}" for one in found.fired]
    own = "its own threshold" if found.rule.threshold == row.threshold else "the threshold"
    times = "once" if len(found.fired) == 1 else f"{len(found.fired)} times"
    lines.append(
        f"With {own} {found.rule.threshold:g}, {row.name} would have come to BREACH {times} in the "
        f"last {last}, counted once in its pause of {row.cooldown_seconds} s."
    )
    if found.slots:
        seen = ", ".join(f"{count} of {length} s" for length, count in sorted(found.slots.items()))
        lines.append(f"Slots seen: {seen}. {COARSE}")
    elif row.metric in replaying.SAMPLED:
        lines.append("There are no samples of that time, so nothing could be judged.")
    return [*lines, AS_IT_WAS] if found.fired else lines


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([mhd])", text.strip())
    span = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None
    if span is None or span > MOST:
        raise CommandError(f"“{text}” is no span: give 45m, 12h or 30d, at most 365d.")
    return span
