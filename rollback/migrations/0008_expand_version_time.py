"""The version's trigger notes when it was raised. Undoing loses nothing but that time."""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION rollback_flags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rollback_switchboard SET {};
    PERFORM pg_notify('rollback_flags', '');
    RETURN NULL;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("rollback", "0007_expand_processes")]

    operations = [
        migrations.RunSQL(
            FUNCTION.format("version = version + 1, changed_at = clock_timestamp()"),
            FUNCTION.format("version = version + 1"),
        )
    ]
