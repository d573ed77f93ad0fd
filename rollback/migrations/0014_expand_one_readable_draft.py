"""A draft that was set aside leaves room for a new one. Undoing finishes those; their answers stay.

A finished draft stands in nobody's way: the rule of one live draft can be made again.
"""

from django.db import migrations, models
from django.db.models import Q

FINISH = """
UPDATE rollback_enrollmentdraft SET finished_at = quarantined_at
 WHERE quarantined_at IS NOT NULL AND finished_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("rollback", "0013_expand_draft_quarantine")]

    operations = [
        migrations.RemoveConstraint(model_name="enrollmentdraft", name="one_live_draft"),
        migrations.AddConstraint(
            model_name="enrollmentdraft",
            constraint=models.UniqueConstraint(
                condition=Q(finished_at__isnull=True, quarantined_at__isnull=True),
                fields=("student", "course"),
                name="one_live_draft",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollmentdraft",
            index=models.Index(
                condition=Q(
                    finished_at__isnull=True,
                    quarantined_at__isnull=True,
                    reminded_at__isnull=True,
                ),
                fields=["saved_at"],
                name="draft_not_reminded",
            ),
        ),
        # Last, because what is last is undone first.
        migrations.RunSQL(migrations.RunSQL.noop, FINISH),
    ]
