"""Every write to a flag raises the version and wakes the processes. Undoing loses nothing but that.

In the database, because `QuerySet.update`, `users.clear()` and SQL typed by hand pass by any Python.
"""

from django.db import migrations

TABLES = ("rollback_flag", "rollback_flag_users")

CREATE = """
CREATE FUNCTION rollback_flags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rollback_switchboard SET version = version + 1;
    PERFORM pg_notify('rollback_flags', '');
    RETURN NULL;
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER flags_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_flags_changed();
"""
    for table in TABLES
)

DROP = "".join(f"DROP TRIGGER flags_changed ON {table};" for table in TABLES) + (
    "DROP FUNCTION rollback_flags_changed();"
)


class Migration(migrations.Migration):
    dependencies = [("rollback", "0001_expand_switchboard")]

    operations = [migrations.RunSQL(CREATE, DROP)]
