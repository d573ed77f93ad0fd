"""Undoing loses what waits for a choice between two texts, not the answers themselves.

Safe while the release before still runs: the database fills the new columns for it.
"""

from django.db import migrations, models
from django.db.models import JSONField, Value


class Migration(migrations.Migration):
    dependencies = [("rollback", "0008_expand_version_time")]

    operations = [
        migrations.AddField(
            model_name="enrollmentdraft",
            name="version",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="version"),
        ),
        migrations.AddField(
            model_name="enrollmentdraft",
            name="changes",
            field=models.JSONField(db_default=Value({}, JSONField()), default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="enrollmentdraft",
            name="set_aside",
            field=models.JSONField(
                db_default=Value([], JSONField()), default=list, verbose_name="set aside"
            ),
        ),
    ]
