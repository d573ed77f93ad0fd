"""The audit and the latch in the database. Undoing keeps the rows, and audits and holds nothing more.

At the end of each transaction that touched a flag, its facts are compared with the newest audit
row of its name; if they differ, one row is added, or the change is refused. So no path passes by:
`save()`, `update()`, `users.clear()`, SQL typed by hand, a flag deleted and made again, renamed or
truncated, a new salt.

Who and why stand in settings of the transaction (`rollback/audit.py`). A change without them is
recorded as one.
"""

from django.db import migrations

FACTS = """
-- What a setting of this transaction says; empty if nothing.
CREATE FUNCTION rollback_said(what text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(current_setting('rollback.' || what, true), '')
$$;

-- A flag as it is now; '{}' if there is none of this name. '*' is what all flags share.
CREATE FUNCTION rollback_facts(wanted text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    facts jsonb;
BEGIN
    IF wanted = '*' THEN
        SELECT jsonb_build_object('salt', salt) INTO facts FROM rollback_switchboard;
    ELSE
        SELECT jsonb_build_object(
                   'share', f.percent::text,
                   'killed', f.everyone IS FALSE,
                   'staff', f.staff,
                   'superusers', f.superusers,
                   'users', coalesce((SELECT jsonb_agg(u.user_id ORDER BY u.user_id)
                                        FROM rollback_flag_users u WHERE u.flag_id = f.id), '[]'),
                   'master', m.name)
          INTO facts
          FROM rollback_flag f LEFT JOIN rollback_flag m ON m.id = f.requires_id
         WHERE f.name = wanted;
    END IF;
    RETURN coalesce(facts, '{}');
END
$$;

-- In words, what of a change would give the flag to more people; null if nothing.
-- A killed flag counts with its share, for that is what a later restore brings back.
CREATE FUNCTION rollback_raised(before jsonb, after jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    was jsonb := '{"share": "0", "killed": true, "staff": false, "superusers": false, "users": []}'
                 || before;
BEGIN
    RETURN CASE
        WHEN before ? 'salt' OR after ? 'salt' THEN 'the salt may not be changed'
        WHEN after = '{}' THEN NULL
        WHEN (after->>'share')::numeric > (was->>'share')::numeric THEN 'its share may not go up'
        WHEN (was->>'killed')::boolean AND NOT (after->>'killed')::boolean
            THEN 'its kill may not be undone'
        WHEN NOT (was->>'staff')::boolean AND (after->>'staff')::boolean
            THEN 'staff may not get it early'
        WHEN NOT (was->>'superusers')::boolean AND (after->>'superusers')::boolean
            THEN 'superusers may not get it early'
        WHEN NOT ((after->'users') <@ (was->'users')) THEN 'nobody else may get it early'
        WHEN was->>'master' IS DISTINCT FROM after->>'master' AND was->>'master' IS NOT NULL
            THEN 'its master may not be changed'
    END;
END
$$;
"""

LATCH = """
-- An automatic actor raises nothing; nobody raises what is latched, nor a master that a latched
-- flag follows (a latched flag that is killed follows nobody).
CREATE FUNCTION rollback_check_raise(wanted text, before jsonb, after jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    raised text := rollback_raised(before, after);
    held record;
BEGIN
    IF raised IS NULL THEN
        RETURN;
    END IF;
    IF wanted = '*' AND NOT EXISTS (SELECT FROM rollback_flagchange WHERE flag_name = '*') THEN
        RETURN;  -- the very first salt
    END IF;
    IF rollback_said('actor_kind') = 'automatic' THEN
        RAISE EXCEPTION 'Raising needs a person. Automatically, % may only be lowered: %.', wanted, raised
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'raising_needs_a_person';
    END IF;
    WITH RECURSIVE below AS (
        SELECT id, name, percent, everyone FROM rollback_flag WHERE name = wanted
        UNION
        SELECT f.id, f.name, f.percent, f.everyone
          FROM rollback_flag f JOIN below ON f.requires_id = below.id
    )
    SELECT l.flag_name, i.id, i.title INTO held
      FROM rollback_latch l JOIN rollback_incident i ON i.id = l.incident_id
     WHERE i.resolved_at IS NULL
       AND (wanted = '*' OR l.flag_name = wanted OR l.flag_name IN (
               SELECT name FROM below WHERE percent > 0 AND everyone IS DISTINCT FROM false))
     ORDER BY l.flag_name <> wanted, i.id
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is latched by incident % (%): %.', held.flag_name, held.id, held.title,
                CASE WHEN held.flag_name = wanted OR wanted = '*' THEN raised
                     ELSE 'of its master ' || wanted || ', ' || raised END
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'flag_is_latched',
                  HINT = format('Resolve it first: manage.py rollback incident resolve %s '
                                '--reason "…", or on its page in the admin.', held.id);
    END IF;
END
$$;

CREATE FUNCTION rollback_latch_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'A latch is never changed nor removed; it is over when incident % is resolved.',
                OLD.incident_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'latches_only_added';
    END IF;
    -- Written, not only locked: whoever raises with an older snapshot (REPEATABLE READ), and would
    -- not see this latch, fails at this row.
    UPDATE rollback_switchboard SET version = version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER latch_guarded BEFORE INSERT OR UPDATE OR DELETE ON rollback_latch
    FOR EACH ROW EXECUTE FUNCTION rollback_latch_guarded();

CREATE FUNCTION rollback_incident_guarded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'Incident % is never deleted; it can be resolved.', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'incidents_stay';
    END IF;
    IF OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL THEN
        IF rollback_said('actor_kind') <> 'person' OR btrim(NEW.resolution) = '' THEN
            RAISE EXCEPTION 'Resolving incident % needs a person and a text.', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'resolving_needs_a_person',
                      HINT = format('manage.py rollback incident resolve %s --reason "…", '
                                    'or on its page in the admin.', OLD.id);
        END IF;
        NEW.resolved_at := clock_timestamp();
    ELSIF (NEW.resolved_at, NEW.resolved_by_id, NEW.resolution)
            IS DISTINCT FROM (OLD.resolved_at, OLD.resolved_by_id, OLD.resolution)
        OR NEW.resolved_by_name NOT IN (OLD.resolved_by_name,
                                        coalesce('person ' || OLD.resolved_by_id, '')) THEN
        RAISE EXCEPTION 'How incident % was resolved is not changed any more.', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'incidents_stay';
    END IF;
    IF (NEW.id, NEW.opened_at, NEW.opened_by_id)
            IS DISTINCT FROM (OLD.id, OLD.opened_at, OLD.opened_by_id)
        OR NEW.opened_by_name NOT IN (OLD.opened_by_name,
                                      coalesce('person ' || OLD.opened_by_id, '')) THEN
        RAISE EXCEPTION 'Who opened incident %, and when, is not changed any more.', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'incidents_stay';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER incident_guarded BEFORE UPDATE OR DELETE ON rollback_incident
    FOR EACH ROW EXECUTE FUNCTION rollback_incident_guarded();
"""

AUDIT = """
CREATE FUNCTION rollback_audit(wanted text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_now jsonb := rollback_facts(wanted);
    was jsonb;
    claimed jsonb := jsonb_strip_nulls(jsonb_build_object(
        'id', nullif(rollback_said('actor_id'), ''), 'name', nullif(rollback_said('actor_name'), ''),
        'kind', nullif(rollback_said('actor_kind'), ''), 'reason', nullif(rollback_said('reason'), '')));
    peer jsonb := jsonb_build_object(
        'user', session_user, 'application', current_setting('application_name'),
        'address', coalesce(host(inet_client_addr()), ''));
    explained boolean;
    derived text;
    person bigint;
BEGIN
    SELECT c.after INTO was FROM rollback_flagchange c
     WHERE c.flag_name = wanted ORDER BY c.id DESC LIMIT 1;
    was := coalesce(was, '{}');
    IF was = is_now THEN
        RETURN;
    END IF;
    PERFORM rollback_check_raise(wanted, was, is_now);
    -- Nonsense about who it was must not stop a kill: the change is recorded as unexplained.
    explained := btrim(rollback_said('actor_name')) <> '' AND btrim(rollback_said('reason')) <> ''
        AND rollback_said('actor_kind') IN ('person', 'automatic');
    IF claimed ? 'id' THEN
        IF claimed->>'id' ~ '^[0-9]{1,18}$' THEN
            SELECT u.id INTO person FROM enrollment_user u WHERE u.id = (claimed->>'id')::bigint;
        END IF;
        explained := explained AND person IS NOT NULL;
        -- Taken now, or the foreign key would wait at COMMIT for whoever is deleting that person.
        SELECT u.id INTO person FROM enrollment_user u
         WHERE u.id = person FOR KEY SHARE SKIP LOCKED;
    END IF;
    derived := CASE WHEN was = '{}' THEN 'created' WHEN is_now = '{}' THEN 'deleted' ELSE 'changed' END;
    INSERT INTO rollback_flagchange (flag_name, actor_id, actor_name, actor_kind, action, reason,
                                     before, after, session, changed_at)
    SELECT wanted, person, left(rollback_said('actor_name'), 150), rollback_said('actor_kind'),
           coalesce(nullif(left(rollback_said('action'), 20), ''), derived), rollback_said('reason'),
           was, is_now, peer, clock_timestamp()
     WHERE explained
     UNION ALL
    SELECT wanted, NULL, left('database user ' || session_user, 150), 'unexplained', derived, '',
           was, is_now,
           CASE WHEN claimed = '{}' THEN peer ELSE peer || jsonb_build_object('claimed', claimed) END,
           clock_timestamp()
     WHERE NOT explained;
END
$$;

CREATE FUNCTION rollback_flag_audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM rollback_audit(OLD.name);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND (NEW.name, NEW.id) <> (OLD.name, OLD.id)) THEN
        PERFORM rollback_audit(NEW.name);
        -- Their master has another name now.
        FOR name IN SELECT f.name FROM rollback_flag f WHERE f.requires_id = NEW.id LOOP
            PERFORM rollback_audit(name);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;

-- Once for each statement: a thousand early users are one comparison, at the end, of their flag.
CREATE FUNCTION rollback_flag_users_audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rollback_flag SET modified = modified WHERE id IN (SELECT flag_id FROM touched);
    RETURN NULL;
END
$$;

CREATE FUNCTION rollback_salt_audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rollback_audit('*');
    RETURN NULL;
END
$$;

-- After it, so that where the audit is emptied as well (a test database), nothing is written.
CREATE FUNCTION rollback_truncate_audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT f.name FROM rollback_flag f
                UNION SELECT c.flag_name FROM rollback_flagchange c LOOP
        PERFORM rollback_audit(name);
    END LOOP;
    RETURN NULL;
END
$$;

-- Before any flag is locked: writers take the switchboard's row first, as the runner does, and a
-- latch that was set while they waited is seen by their audit.
CREATE FUNCTION rollback_in_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM rollback_switchboard FOR UPDATE;
    RETURN NULL;
END
$$;

-- Who is in the share has changed, so every process has to read anew.
CREATE FUNCTION rollback_salt_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := greatest(NEW.version, OLD.version + 1);
    RETURN NEW;
END
$$;
CREATE TRIGGER salt_changed BEFORE UPDATE ON rollback_switchboard
    FOR EACH ROW WHEN (OLD.salt <> NEW.salt) EXECUTE FUNCTION rollback_salt_changed();

CREATE CONSTRAINT TRIGGER flags_audited AFTER INSERT OR UPDATE OR DELETE ON rollback_flag
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rollback_flag_audited();
CREATE CONSTRAINT TRIGGER flags_audited AFTER INSERT OR UPDATE OF salt OR DELETE ON rollback_switchboard
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rollback_salt_audited();
""" + "".join(
    f"""
CREATE TRIGGER truncate_audited AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_truncate_audited();
"""
    for table in ("rollback_flag", "rollback_flag_users", "rollback_switchboard")
)

SAY = """
-- What was changed so far is audited now, and what comes later later again.
CREATE FUNCTION rollback_settle() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS flags_audited IMMEDIATE;
    SET CONSTRAINTS flags_audited DEFERRED;
END
$$;

-- Whose the changes are from here to the end of the transaction, or to the next saying.
CREATE FUNCTION rollback_say(actor_id text, actor_name text, actor_kind text, action text, reason text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rollback_settle();
    PERFORM set_config('rollback.actor_id', actor_id, true),
            set_config('rollback.actor_name', actor_name, true),
            set_config('rollback.actor_kind', actor_kind, true),
            set_config('rollback.action', action, true),
            set_config('rollback.reason', reason, true);
END
$$;
"""

AUDIT += "".join(
    f"""
CREATE TRIGGER users_audited_{number} AFTER {event} ON rollback_flag_users
    REFERENCING {rows} TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_flag_users_audited();
"""
    for number, (event, rows) in enumerate(
        [("INSERT", "NEW"), ("UPDATE", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")]
    )
)

IN_LINE = "".join(
    f"""
CREATE TRIGGER in_line BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION rollback_in_line();
"""
    for table in ("rollback_flag", "rollback_flag_users")
)

TRIGGERS = (
    "rollback_flag_audited",
    "rollback_flag_users_audited",
    "rollback_salt_audited",
    "rollback_truncate_audited",
    "rollback_in_line",
    "rollback_latch_guarded",
    "rollback_incident_guarded",
    "rollback_salt_changed",
)

# A temporary table called rollback_latch must not be taken for the real one.
OWN_TABLES = "".join(
    f"""
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION {function}() SET search_path = %I, pg_temp', current_schema());
END $do$;
"""
    for function in TRIGGERS
)

# Touched, so that the triggers themselves write each flag's first row.
FIRST_ROWS = """
SELECT rollback_say('', 'migration', 'person', '', 'How it was when the audit in the database began.');
UPDATE rollback_flag SET name = name;
UPDATE rollback_switchboard SET salt = salt;
SELECT rollback_say('', '', '', '', '');
"""

DROP = """
DROP FUNCTION {} CASCADE;
DROP FUNCTION rollback_say, rollback_settle, rollback_audit, rollback_check_raise, rollback_raised,
    rollback_facts, rollback_said;
""".format(", ".join(TRIGGERS))


class Migration(migrations.Migration):
    dependencies = [("rollback", "0004_expand_incidents")]

    operations = [
        migrations.RunSQL(FACTS + LATCH + AUDIT + SAY + IN_LINE + OWN_TABLES + FIRST_ROWS, DROP)
    ]
