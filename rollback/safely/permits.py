"""A permit says: for exactly this plan, that backup has been proved. For whoever migrates by other means than
`safe_migrate`, as a deployment's `migrate` does, within half an hour.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils.crypto import salted_hmac

from rollback import backups
from rollback.backups import Receipt, ReceiptRefused, shelf
from rollback.safely.steps import Plan, in_words, plan_hash, steps

FORM = 1
SALT = "rollback.safely.permit"
OLDEST = timedelta(minutes=30)
NAMES = "*.permit.json"


class PermitRefused(Exception):
    """It permits nothing; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Permit:
    plan_hash: str
    receipt: Receipt


def write(receipt: Receipt, plan: Plan) -> Path:
    """Takes the place of an older one for the same plan; what is too old to count goes."""
    folder = shelf.folder()
    for old in folder.glob(NAMES):
        if not _is_fresh(_facts(old).get("receipt", ""), folder):
            old.unlink(missing_ok=True)
    said = {
        "form": FORM,
        "plan": [list(one) for one in steps(plan)],
        "plan_hash": plan_hash(plan),
        "receipt": receipt.name,
        "sha256": receipt.sha256,
    }
    where = _place(plan)
    partial = where.with_name(f"{where.name}.{os.getpid()}")
    partial.write_text(json.dumps(said | {"hmac": _sign(said)}, indent=1), encoding="utf-8")
    partial.replace(where)
    return where


def find(plan: Plan) -> Permit:
    """:raises PermitRefused: none; or forged, old, of another database; or the backup is another one now"""
    where = _place(plan)
    if not where.exists():
        others = [_facts(one).get("plan") for one in where.parent.glob(NAMES)]
        about = "; ".join(in_words([(a, n, b) for a, n, b in one]) for one in others if one)
        raise PermitRefused(
            "no backup has been proved for this plan"
            + (f" (for another there is: {about})" if about else "")
        )
    facts = _facts(where)
    if not compare_digest(str(facts.pop("hmac", "")).encode(), _sign(facts).encode()):
        raise PermitRefused(f"{where.name} is not signed with this school's key")
    if facts.get("form") != FORM or facts.get("plan_hash") != plan_hash(plan):
        raise PermitRefused(f"{where.name} is about another plan")
    try:
        receipt = backups.read(str(facts["receipt"]), contents=True)
    except ReceiptRefused as error:
        raise PermitRefused(str(error).rstrip(".")) from error
    if receipt.sha256 != facts["sha256"]:
        raise PermitRefused(f"{receipt.name} is another backup than the one it was made for")
    check(receipt)
    return Permit(plan_hash=plan_hash(plan), receipt=receipt)


def check(receipt: Receipt) -> None:
    """Whether this backup is of the database as it is now. That it is of this one, `read` has seen.

    :raises PermitRefused:
    """
    age = _now() - receipt.as_of
    if age < timedelta():
        raise PermitRefused(f"{receipt.name} is of a moment that is yet to come by this clock")
    if age > OLDEST:
        minutes = round(age.total_seconds() / 60)
        raise PermitRefused(
            f"{receipt.name} is {minutes} minutes old; {OLDEST.seconds // 60} are the most"
        )
    if set(receipt.migrations) != set(MigrationRecorder(connection).applied_migrations()):
        raise PermitRefused(f"other migrations were applied when {receipt.name} was made")


def _is_fresh(name: str, folder: Path) -> bool:
    try:
        return _now() - backups.read(folder / name).as_of <= OLDEST
    except (ReceiptRefused, OSError):
        return False


def _now() -> datetime:
    """By the database's clock, as the receipt is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    found: datetime = now
    return found


def _place(plan: Plan) -> Path:
    return shelf.folder() / NAMES.replace("*", f"plan-{plan_hash(plan)[:20]}")


def _facts(where: Path) -> dict[str, Any]:
    try:
        found = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _sign(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    secret = settings.BACKUP_KEY or settings.SECRET_KEY
    return salted_hmac(SALT, text, secret=secret, algorithm="sha256").hexdigest()
