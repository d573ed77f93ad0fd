"""manage.py rollback incident …: the incidents from the terminal."""

from argparse import _SubParsersAction
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timesince import timesince

from rollback import incidents
from rollback.audit import Actor, ChangeRefused
from rollback.models import FlagChange, Incident


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    incident = commands.add_parser("incident", help="list, show or resolve incidents")
    steps = incident.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("list", help="open ones first")
    show = steps.add_parser("show", help="one, with what happened to its features")
    show.add_argument("incident", type=int, metavar="ID")
    resolve = steps.add_parser("resolve", help="its features may be raised again")
    resolve.add_argument("incident", type=int, metavar="ID")
    resolve.add_argument("--reason", required=True, help="how it was resolved")


def answer(step: str, options: dict[str, Any], *, actor: Actor) -> list[str]:
    """:returns: lines. :raises ChangeRefused:"""
    if step == "list":
        found = Incident.objects.prefetch_related("latches")
        return [_line(one) for one in found] or ["There has been no incident."]
    if step == "show":
        return _whole(options["incident"])
    resolved = incidents.resolve(
        incident=options["incident"], actor=actor, reason=options["reason"]
    )
    return [f"Incident {resolved.pk} is resolved. Its features may be raised again."]


def _line(one: Incident) -> str:
    flags = ", ".join(latch.flag_name for latch in one.latches.all())
    lasted = timesince(one.opened_at, one.resolved_at)
    return f"{one.pk}  {'OPEN' if one.is_open else 'resolved'}  {lasted}  {one.title}  [{flags}]"


def _whole(number: int) -> list[str]:
    one = Incident.objects.filter(pk=number).first()
    if one is None:
        raise ChangeRefused(f"There is no incident {number}. See manage.py rollback incident list.")
    lines = [_line(one), f"Opened by {one.opened_by_name} at {one.opened_at:%Y-%m-%d %H:%M:%S %Z}."]
    lines += [f"Cause: {one.cause}"] if one.cause else []
    lines += [_change(change) for change in incidents.timeline(one)]
    if one.resolved_at is not None:
        at = f"{one.resolved_at:%Y-%m-%d %H:%M:%S %Z}"
        lines.append(f"Resolved by {one.resolved_by_name} at {at}: {one.resolution}")
    return lines


def _change(change: FlagChange) -> str:
    why = change.reason or "WITHOUT A REASON"
    at = f"{change.changed_at:%Y-%m-%d %H:%M:%S %Z}"
    return f"  {at}  {change.flag_name}: {change.action} by {change.actor_name}: {why}"
