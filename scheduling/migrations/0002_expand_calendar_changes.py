"""Open calendars are told when hours change. Undoing loses nothing but that: they are told no more.

What concerns the whole school or a course, a policy without a teacher, is told to everybody.
"""

from django.db import migrations

TABLES = (
    "scheduling_availabilityrule",
    "scheduling_availabilityexception",
    "scheduling_timeoff",
    "scheduling_bookingpolicy",
)

CREATE = """
CREATE FUNCTION scheduling_hours_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM calendar_change('hours', OLD.teacher_id, NULL);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.teacher_id IS DISTINCT FROM OLD.teacher_id THEN
        PERFORM calendar_change('hours', NEW.teacher_id, NULL);
    END IF;
    RETURN NULL;
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER calendar_added AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION scheduling_hours_changed();
CREATE TRIGGER calendar_changed AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION scheduling_hours_changed();
"""
    for table in TABLES
)

DROP = "".join(
    f"DROP TRIGGER calendar_changed ON {table}; DROP TRIGGER calendar_added ON {table};"
    for table in TABLES
) + ("DROP FUNCTION scheduling_hours_changed();")


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0001_expand_scheduling"),
        ("enrollment", "0008_expand_calendar_changes"),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
