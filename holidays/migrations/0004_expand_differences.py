"""What a source says otherwise than what was imported. Undoing loses it until the next night."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("holidays", "0003_expand_calendar_changes")]

    operations = [
        migrations.AddField(
            model_name="holidaysource",
            name="difference",
            field=models.JSONField(
                blank=True, editable=False, null=True, verbose_name="difference"
            ),
        ),
        migrations.AddField(
            model_name="holidaysource",
            name="compared_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="compared"
            ),
        ),
    ]
