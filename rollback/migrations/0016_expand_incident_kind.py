"""Incidents have a kind, which decides what people read meanwhile. Undoing loses the kinds, nothing else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollback", "0015_expand_timings")]

    operations = [
        migrations.AddField(
            model_name="incident",
            name="kind",
            field=models.CharField(
                blank=True,
                choices=[("", "anything else"), ("slow", "too slow")],
                db_default="",
                default="",
                max_length=20,
                verbose_name="kind",
            ),
        ),
    ]
