"""Who is deleted takes along what holidays know of them, by the foreign keys alone; and a working day
instead never counts for one course only. Undoing loses nothing.
"""

import django.db.models.deletion
from django.db import migrations, models

# Without them Django would ask tables that may have been archived before it deletes a teacher or course.
FOREIGN_KEYS = """
DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT conname, conrelid::regclass AS referring, attname, confrelid::regclass AS referred
      FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
     WHERE contype = 'f' AND (conrelid, attname) IN (
             ('holidays_teacherregion'::regclass, 'teacher_id'),
             ('holidays_holiday_teachers'::regclass, 'teacher_id'),
             ('holidays_holiday_courses'::regclass, 'course_id'))
  LOOP
    EXECUTE format(
      'ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES %s (id) '
      '{deleting} DEFERRABLE INITIALLY DEFERRED',
      one.referring, one.conname, one.conname, one.attname, one.referred);
  END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("holidays", "0004_expand_differences")]

    operations = [
        migrations.AlterField(
            model_name="teacherregion",
            name="teacher",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="enrollment.teacher",
                verbose_name="teacher",
            ),
        ),
        migrations.RunSQL(
            sql=FOREIGN_KEYS.replace("{deleting}", "ON DELETE CASCADE"),
            reverse_sql=FOREIGN_KEYS.replace("{deleting}", ""),
        ),
        migrations.AddConstraint(
            model_name="holiday",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "working_day"), ("scope", "courses"), _negated=True),
                name="holiday_working_day_of_teachers",
                violation_error_message="A working day instead counts for the school, a region or teachers.",
            ),
        ),
    ]
