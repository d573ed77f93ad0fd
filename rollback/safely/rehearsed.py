"""Whether it was rehearsed how this schema is taken back."""

from datetime import datetime, timedelta

from rollback.models import Rehearsal

# One that is older says little about the rows of today.
OLDEST = timedelta(days=7)


def lacks(*, graph: str, now: datetime) -> str:
    """graph: hash of the migrations as they are now. :returns: a sentence; empty where nothing is lacking"""
    advice = "Rehearse first: manage.py rollback rehearse."
    newest = Rehearsal.objects.filter(passed=True).order_by("-pk").first()
    if newest is None:
        return (
            f"Nobody has rehearsed with this school's data how the schema is taken back. {advice}"
        )
    if newest.graph != graph:
        return f"The newest rehearsal that passed was of other migrations. {advice}"
    age = now - newest.started_at
    return (
        f"The newest rehearsal that passed is {age.days} days old. {advice}" if age > OLDEST else ""
    )
