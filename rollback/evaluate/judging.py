"""Each trigger on its own: a malformed one comes to UNKNOWN with the reason, and stops no other."""

from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.db import connection, transaction

from rollback import metrics, triggers
from rollback.domain.errors import without_rows
from rollback.domain.triggers import Evidence, Finding, Rule, judge, malformed, only_what_counts
from rollback.evaluate import repairs
from rollback.models import Trigger

log = structlog.get_logger(__name__)

# A slow question is no reason to be late for all others.
PATIENCE = "3s"


@dataclass(frozen=True, kw_only=True)
class Judged:
    row: Trigger
    rule: Rule
    evidence: Evidence
    finding: Finding


def judged(row: Trigger, *, now: datetime) -> Judged:
    rule = triggers.rule_of(row)
    try:
        evidence = only_what_counts(rule, evidence_of(row, rule, now))
        finding = judge(rule, evidence)
    except Exception as error:  # whatever a metric may raise: this trigger alone is not judged
        log.exception("trigger.not_judged", trigger=row.name)
        evidence = Evidence(now=now, trouble=_in_words(error))
        finding = judge(rule, evidence)
    return Judged(row=row, rule=rule, evidence=evidence, finding=finding)


def evidence_of(row: Trigger, rule: Rule, now: datetime) -> Evidence:
    if malformed(rule) is not None:
        return Evidence(now=now)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [PATIENCE])
        found = metrics.evidence(
            metric=rule.metric,
            feature=row.feature,
            window_seconds=rule.window_seconds,
            held_seconds=rule.held_seconds,
            now=now,
            since=repairs.last(row),
        )
        return replace(found, now=now)


def _in_words(error: Exception) -> str:
    """One line, of what JSON in PostgreSQL can hold."""
    words = " ".join(without_rows(error).replace("\0", " ").split())
    return f"{type(error).__name__}: {words}"[:300]
