"""Who had something in the archive deleted for good, and why. Undoing loses that record, and nothing else."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0025_expand_phase_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="ledgerentry",
            name="purged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="purged by",
            ),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="purged_by_name",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=150, verbose_name="purged by"
            ),
        ),
        migrations.AddField(
            model_name="ledgerentry",
            name="purged_because",
            field=models.TextField(
                blank=True, db_default="", default="", verbose_name="purged because"
            ),
        ),
    ]
