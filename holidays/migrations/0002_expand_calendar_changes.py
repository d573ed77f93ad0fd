"""Open calendars are told when closures change. Undoing loses nothing but that: they are told no more.

Everybody is told, whomever a closure is for: equal messages of one transaction are one, so an import of a
whole year wakes each calendar once.
"""

from django.db import migrations

# The holiday itself, and for whom it is.
TABLES = (
    "holidays_holiday",
    "holidays_holiday_teachers",
    "holidays_holiday_courses",
    "holidays_region",
    "holidays_teacherregion",
)

CREATE = """
CREATE FUNCTION holidays_closure_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM calendar_change('closure', NULL, NULL);
    RETURN NULL;
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER calendar_added AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION holidays_closure_changed();
CREATE TRIGGER calendar_changed AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION holidays_closure_changed();
"""
    for table in TABLES
)

DROP = "".join(
    f"DROP TRIGGER calendar_changed ON {table}; DROP TRIGGER calendar_added ON {table};"
    for table in TABLES
) + ("DROP FUNCTION holidays_closure_changed();")


class Migration(migrations.Migration):
    dependencies = [
        ("holidays", "0001_expand_holidays"),
        ("enrollment", "0008_expand_calendar_changes"),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
