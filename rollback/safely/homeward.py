"""Tables of the archive come home by a run that somebody has asked for, and not along with a deployment."""

from django.db import connections

from rollback.safely.steps import Plan, in_words, steps
from rollback.schema import ledger


def why_not(plan: Plan, *, using: str = "default") -> str:
    """Empty where it brings nothing home."""
    with connections[using].cursor() as cursor:
        away = ledger.apps_away(cursor)
    apps = sorted({one.app_label for one, backwards in plan if not backwards} & away)
    if not apps:
        return ""
    return (
        f"Not migrated: tables of {', '.join(apps)} are in the archive, and this would bring them back "
        "without a run and its proof. Run manage.py rollback reapply, or choose “Bring the tables back” "
        "on the office's page “Phases”. Everything else is migrated where no app is named. "
        f"The plan: {in_words(steps(plan))}."
    )
