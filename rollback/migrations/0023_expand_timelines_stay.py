"""Timelines and versions of triggers are not emptied either. Undoing loses nothing but that."""

from django.db import migrations

TABLES = ("rollback_incidentevent", "rollback_triggerversion")

GUARD = "".join(
    f"""
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_never_emptied();
"""
    for table in TABLES
)
DROP = "".join(f"DROP TRIGGER never_emptied ON {table};" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("rollback", "0019_backfill_triggers")]

    operations = [
        migrations.RunSQL(GUARD, DROP),
        migrations.AlterModelOptions(
            name="incidentaction",
            options={
                "ordering": ["incident", "pk"],
                "verbose_name": "action after an incident",
                "verbose_name_plural": "actions after incidents",
            },
        ),
    ]
