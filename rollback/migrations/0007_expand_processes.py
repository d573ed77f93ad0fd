"""What each process runs, and when the flags changed. Undoing loses who said what last.

The table is UNLOGGED: its rows are worthless after a crash, and cost the log nothing before one.
"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("rollback", "0006_contract_audit_rows")]

    operations = [
        migrations.CreateModel(
            name="Process",
            fields=[
                ("uuid", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=10, verbose_name="kind")),
                ("host", models.CharField(max_length=255, verbose_name="host")),
                ("pid", models.PositiveIntegerField(verbose_name="process number")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("version", models.BigIntegerField(verbose_name="version")),
                ("reached_at", models.DateTimeField(verbose_name="at this version since")),
                ("seen_at", models.DateTimeField(verbose_name="seen")),
            ],
            options={"verbose_name": "process", "verbose_name_plural": "processes"},
        ),
        migrations.RunSQL(
            "ALTER TABLE rollback_process SET UNLOGGED",
            "ALTER TABLE rollback_process SET LOGGED",
        ),
        migrations.AddField(
            model_name="switchboard",
            name="changed_at",
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
    ]
