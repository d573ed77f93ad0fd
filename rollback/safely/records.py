"""What was done to the schema, and on the strength of what. By SQL: the table may have just been made."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from rollback.safely.steps import Step
from rollback.schema import catalog

TABLE = "rollback_schemachange"


def begin(
    *,
    plan: Sequence[Step],
    plan_hash: str,
    actor: str,
    receipt: str = "",
    broken_glass: str = "",
    incident: int | None = None,
) -> int | None:
    """:returns: its id; None where the table is not there yet"""
    with connection.cursor() as cursor:
        if not catalog.exists(cursor, catalog.PUBLIC, TABLE):
            return None
        cursor.execute(
            f"INSERT INTO {TABLE} (plan, plan_hash, receipt, broken_glass, incident_id, actor_name, report)"  # noqa: S608
            " VALUES (%s, %s, %s, %s, %s, %s, '{}') RETURNING id",
            [
                json.dumps(plan),
                plan_hash,
                receipt,
                broken_glass[:500],
                incident,
                actor[:254],
            ],
        )
        return int(cursor.fetchone()[0])


def end(change: int | None, *, succeeded: bool, report: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        if change is None or not catalog.exists(cursor, catalog.PUBLIC, TABLE):
            return
        cursor.execute(
            f"UPDATE {TABLE} SET finished_at = clock_timestamp(), succeeded = %s, report = %s"  # noqa: S608
            " WHERE id = %s",
            [succeeded, json.dumps(report), change],
        )
