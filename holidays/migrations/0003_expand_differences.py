"""What a source says otherwise than what was imported. Undoing loses nothing: it waits in the archive."""

from django.db import migrations, models

from rollback.schema.operations import ArchivingAddField


class Migration(migrations.Migration):
    dependencies = [("holidays", "0002_expand_calendar_changes")]

    operations = [
        ArchivingAddField(
            model_name="holidaysource",
            name="difference",
            field=models.JSONField(
                blank=True, editable=False, null=True, verbose_name="difference"
            ),
        ),
        ArchivingAddField(
            model_name="holidaysource",
            name="compared_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="compared"
            ),
        ),
    ]
