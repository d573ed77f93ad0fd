"""Timelines are chained and only added to; who is being drained is known to every process. Undoing
keeps the rows, and guards them no more.
"""

from django.db import migrations

CHAIN = """
-- One after the other for each incident: the number and the chain are the database's.
CREATE FUNCTION rollback_event_chained() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    PERFORM FROM rollback_incident WHERE id = NEW.incident_id FOR NO KEY UPDATE;
    SELECT e.number, e.hash INTO last FROM rollback_incidentevent e
     WHERE e.incident_id = NEW.incident_id ORDER BY e.number DESC LIMIT 1;
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.prev_hash := coalesce(last.hash, '');
    NEW.hash := rollback_event_hash(NEW);
    RETURN NEW;
END
$$;

-- Without the actor's name, which may have to be forgotten.
CREATE FUNCTION rollback_event_hash(event rollback_incidentevent) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(concat_ws(E'\\n', event.prev_hash, event.incident_id, event.number,
        to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        coalesce(event.actor_id::text, ''), event.kind, event.payload::text), 'UTF8')), 'hex')
$$;
CREATE TRIGGER event_chained BEFORE INSERT ON rollback_incidentevent
    FOR EACH ROW EXECUTE FUNCTION rollback_event_chained();

CREATE FUNCTION rollback_event_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'actor_name' = to_jsonb(OLD) - 'actor_name'
           AND NEW.actor_name IN (OLD.actor_name, coalesce('person ' || OLD.actor_id, '')) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'The timeline of incident % is only added to.', OLD.incident_id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'timelines_stay';
END
$$;
CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE ON rollback_incidentevent
    FOR EACH ROW EXECUTE FUNCTION rollback_event_stays();
"""

VERSIONS = """
CREATE FUNCTION rollback_trigger_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'actor_name' = to_jsonb(OLD) - 'actor_name'
           AND NEW.actor_name IN (OLD.actor_name, coalesce('person ' || OLD.actor_id, '')) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'Version % of trigger % stays as it was.', OLD.version, OLD.trigger_name
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'trigger_versions_stay';
END
$$;
CREATE TRIGGER trigger_version_stays BEFORE UPDATE OR DELETE ON rollback_triggerversion
    FOR EACH ROW EXECUTE FUNCTION rollback_trigger_version_stays();
"""

KEPT = "".join(
    f"""
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_never_emptied();
"""
    for table in ("rollback_incidentevent", "rollback_triggerversion")
)

DRAINING = """
CREATE TRIGGER flags_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rollback_draining
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_flags_changed();

-- Staying beyond the share is decided with the step that lowers it, by somebody, and ends.
CREATE FUNCTION rollback_draining_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF rollback_said('actor_name') = '' OR TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'Who is being drained is decided by a step of a plan, and never changed.'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'draining_by_steps';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER draining_guarded BEFORE INSERT OR UPDATE ON rollback_draining
    FOR EACH ROW EXECUTE FUNCTION rollback_draining_guarded();
"""

OWN_TABLES = "".join(
    f"""
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION {function}() SET search_path = %I, pg_temp', current_schema());
END $do$;
"""
    for function in (
        "rollback_event_chained",
        "rollback_event_stays",
        "rollback_trigger_version_stays",
        "rollback_draining_guarded",
    )
)

DROP = """
DROP TRIGGER flags_changed ON rollback_draining;
DROP TRIGGER never_emptied ON rollback_incidentevent;
DROP TRIGGER never_emptied ON rollback_triggerversion;
DROP FUNCTION rollback_event_chained, rollback_event_stays, rollback_trigger_version_stays,
    rollback_draining_guarded CASCADE;
DROP FUNCTION rollback_event_hash;
"""


class Migration(migrations.Migration):
    dependencies = [("rollback", "0017_expand_engine")]

    operations = [migrations.RunSQL(CHAIN + VERSIONS + KEPT + DRAINING + OWN_TABLES, DROP)]
