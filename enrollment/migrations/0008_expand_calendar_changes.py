"""Open calendars are told of each lesson that changes. Undoing loses nothing but that: they are told no more.

In the database, because imports, `QuerySet.update` and SQL typed by hand pass by any Python. A message names
the transaction and the ids of teacher and student; equal ones of one transaction are merged by PostgreSQL.
`calendar_change` is also what the floors above tell their changes with.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION calendar_change(what text, teacher bigint, student bigint) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('calendar_changes', json_build_object(
        'v', pg_current_xact_id()::text, 'w', what, 't', teacher, 's', student)::text)
$$;

CREATE FUNCTION enrollment_lesson_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Who had the lesson before is told as well, when it changed hands.
    IF TG_OP <> 'INSERT' THEN
        PERFORM calendar_change('lesson', OLD.teacher_id, OLD.student_id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE'
            AND (NEW.teacher_id, NEW.student_id) IS DISTINCT FROM (OLD.teacher_id, OLD.student_id) THEN
        PERFORM calendar_change('lesson', NEW.teacher_id, NEW.student_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER calendar_added AFTER INSERT OR DELETE ON enrollment_lesson
    FOR EACH ROW EXECUTE FUNCTION enrollment_lesson_changed();
-- What a calendar shows, and nothing else: a note or a count must wake nobody.
CREATE TRIGGER calendar_changed AFTER UPDATE ON enrollment_lesson
    FOR EACH ROW
    WHEN ((OLD.course_id, OLD.teacher_id, OLD.student_id, OLD.enrollment_id, OLD.period, OLD.seats,
           OLD.buffer_before, OLD.buffer_after, OLD.status, OLD.expires_at)
          IS DISTINCT FROM
          (NEW.course_id, NEW.teacher_id, NEW.student_id, NEW.enrollment_id, NEW.period, NEW.seats,
           NEW.buffer_before, NEW.buffer_after, NEW.status, NEW.expires_at))
    EXECUTE FUNCTION enrollment_lesson_changed();
"""

DROP = """
DROP TRIGGER calendar_changed ON enrollment_lesson;
DROP TRIGGER calendar_added ON enrollment_lesson;
DROP FUNCTION enrollment_lesson_changed();
DROP FUNCTION calendar_change(text, bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0007_expand_conflicts")]

    operations = [migrations.RunSQL(CREATE, DROP)]
