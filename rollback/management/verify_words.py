"""manage.py rollback verify, baseline: whether the school works, from the terminal."""

from argparse import _SubParsersAction
from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from rollback import baselines, verification
from rollback.audit import Actor, ChangeRefused
from rollback.domain.verification import ProbeFailed
from rollback.models import Incident, Verification


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    verify = commands.add_parser("verify", help="walk through the school; exit code 1: it fails")
    verify.add_argument(
        "--incident", type=int, metavar="ID", help="the result stands in its timeline"
    )
    commands.add_parser("baseline", help="measure what a verification compares with")


def verify(number: int | None, *, actor: Actor) -> tuple[Verification, Table]:
    """:raises ChangeRefused: no such incident, or another verification is going on"""
    incident = None if number is None else Incident.objects.filter(pk=number).first()
    if number is not None and incident is None:
        raise ChangeRefused(f"There is no incident {number}. See manage.py rollback incident list.")
    try:
        run = verification.verify(incident=incident, by=actor.name)
    except verification.VerificationRuns as runs:
        raise ChangeRefused(f"{runs} Wait until it has ended.") from runs
    return run, _table(run)


def _table(run: Verification) -> Table:
    title = f"Verification {run.pk}: {'passed' if run.passed else 'FAILED'}"
    table = Table("Probe", "", "Found", "Took", "Limit", title=title)
    for result in run.results.all():
        table.add_row(
            verification.title(result.probe),
            verification.state(result)[1],
            result.words,
            f"{result.milliseconds} ms",
            f"{result.limit_milliseconds} ms",
        )
    return table


def baseline() -> list[str]:
    """:returns: lines. :raises ChangeRefused:"""
    try:
        taken = baselines.take()
    except (baselines.IncidentOpen, ProbeFailed) as refused:
        raise ChangeRefused(str(refused)) from refused
    return [_line(one.name, one.facts) for one in taken]


def _line(name: str, facts: dict[str, Any]) -> str:
    if name.startswith("latency:"):
        return f"{name}: median {facts['p50']} ms, 95 % within {facts['p95']} ms"
    return f"{name}: {sum(table['rows'] for table in facts.values())} rows in {len(facts)} tables"
