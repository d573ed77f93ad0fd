"""The version's triggers note when it was raised. Undoing loses nothing but that time."""

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


SALT = """
CREATE OR REPLACE FUNCTION rollback_salt_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := greatest(NEW.version, OLD.version + 1);{}
    RETURN NEW;
END
$$;
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION rollback_salt_changed() SET search_path = %I, pg_temp', current_schema());
END $do$;
"""
TOLD = """
    NEW.changed_at := clock_timestamp();
    PERFORM pg_notify('rollback_flags', '');"""


class Migration(migrations.Migration):
    dependencies = [("rollback", "0007_expand_processes")]

    operations = [
        migrations.RunSQL(
            FUNCTION.format("version = version + 1, changed_at = clock_timestamp()"),
            FUNCTION.format("version = version + 1"),
        ),
        migrations.RunSQL(SALT.format(TOLD), SALT.format("")),
    ]
