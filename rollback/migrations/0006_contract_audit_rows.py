"""Audit rows come from the triggers alone and stay. Undoing loses nothing but that.

Safe when no process runs the code before any more: it adds its audit rows itself.

The tables of the audit are never emptied, but where the database says of itself that it is one for
tests: ALTER DATABASE … SET rollback.may_forget = 'on'.
"""

from django.db import migrations

ROWS = """
CREATE FUNCTION rollback_flagchange_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'Audit rows are written by the database alone; change the flag.'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'flag_changes_only_added';
    END IF;
    -- Somebody's name may be forgotten, but not replaced by another's.
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND (
            OLD.actor_id IS NULL
            OR NEW.actor_name <> 'person ' || OLD.actor_id
            OR to_jsonb(NEW) - 'actor_name' <> to_jsonb(OLD) - 'actor_name')) THEN
        RAISE EXCEPTION 'Audit rows are only added; row % stays as it is.', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'flag_changes_only_added';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER flagchange_guarded BEFORE INSERT OR UPDATE OR DELETE ON rollback_flagchange
    FOR EACH ROW EXECUTE FUNCTION rollback_flagchange_guarded();

CREATE FUNCTION rollback_never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('rollback.may_forget', true), '') <> 'on' THEN
        RAISE EXCEPTION '% is never emptied: it is part of the audit.', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'flag_changes_only_added';
    END IF;
    RETURN NULL;
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_never_emptied();
"""
    for table in ("rollback_flagchange", "rollback_incident", "rollback_latch")
)

DROP = "DROP FUNCTION rollback_flagchange_guarded, rollback_never_emptied CASCADE;"


class Migration(migrations.Migration):
    dependencies = [("rollback", "0005_expand_audit_triggers")]

    operations = [migrations.RunSQL(ROWS, DROP)]
