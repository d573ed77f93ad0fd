"""Who evaluates just now. Undoing loses only that; older code neither reads nor writes it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollback", "0021_expand_raise_permission")]

    operations = [
        migrations.AddField(
            model_name="heartbeat",
            name="lease_owner",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name="heartbeat",
            name="lease_until",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
