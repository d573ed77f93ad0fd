"""Which version of a letter was released. Undoing loses that; what still waits goes out in the newest then."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollback", "0032_expand_outbox_indexes")]

    operations = [
        migrations.AddField(
            model_name="sending",
            name="versions",
            field=models.JSONField(
                blank=True,
                db_default={},
                default=dict,
                editable=False,
                verbose_name="versions of the letter",
            ),
        ),
    ]
