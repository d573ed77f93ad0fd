"""Why nothing was begun."""

from django.utils.translation import gettext as _

from rollback.audit import ChangeRefused
from rollback.models import PhaseRun


class PhaseRefused(ChangeRefused):
    """Nothing was changed; the message says what to do instead."""


class PhaseRuns(PhaseRefused):
    """number: of the run that is alive already."""

    def __init__(self, run: PhaseRun) -> None:
        self.number: int = run.pk
        words = _(
            "Phase run %(number)s is at it already (%(target)s, %(status)s, asked for by %(name)s): "
            "see manage.py rollback phases %(number)s."
        )
        facts = {
            "number": run.pk,
            "target": run.get_target_display(),
            "status": run.get_status_display(),
            "name": run.operator_name,
        }
        super().__init__(words % facts)


class ApprovalOver(Exception):
    """Nothing was moved: it was approved too long ago, and waits for the approval once more."""
