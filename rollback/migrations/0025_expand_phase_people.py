"""Who asks for a phase and who approves it stays so, and processes say what they are in the middle of. Undoing
keeps the runs, loses whether a machine asked for them, and guards them no more; processes list themselves anew.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

GUARD = """
CREATE FUNCTION rollback_phase_people_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.target, NEW.operator_id, NEW.automatic, NEW.asked_at)
       IS DISTINCT FROM (OLD.target, OLD.operator_id, OLD.automatic, OLD.asked_at)
       OR (OLD.approver_id IS NOT NULL AND NEW.approver_id IS DISTINCT FROM OLD.approver_id)
       OR (OLD.status IN ('done', 'cancelled') AND NEW.status <> OLD.status) THEN
        RAISE EXCEPTION 'Who asked for phase run % and who approved it stays as it was.', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'phase_people_stay';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER phase_people_stay BEFORE UPDATE ON rollback_phaserun
    FOR EACH ROW EXECUTE FUNCTION rollback_phase_people_stay();
"""
UNGUARD = "DROP FUNCTION rollback_phase_people_stay CASCADE"


class Migration(migrations.Migration):
    dependencies = [("rollback", "0024_expand_phases")]

    operations = [
        migrations.AddField(
            model_name="phaserun",
            name="automatic",
            field=models.BooleanField(db_default=False, default=False, verbose_name="automatic"),
        ),
        migrations.AddField(
            model_name="process",
            name="busy",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=100), db_default=[], default=list, size=None
            ),
        ),
        migrations.AlterField(
            model_name="incidentevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("opened", "opened"),
                    ("judged", "a trigger fired"),
                    ("stepped", "a share was changed"),
                    ("killed", "switched off"),
                    ("contained", "off everywhere"),
                    ("plan", "plan"),
                    ("phase", "phase"),
                    ("people", "affected people"),
                    ("verified", "verified"),
                    ("not verified", "verification failed"),
                    ("acknowledged", "acknowledged"),
                    ("decided", "decided"),
                    ("note", "note"),
                    ("trip", "a process lost the database"),
                    ("mailed", "people were told"),
                    ("resolved", "resolved"),
                    ("reviewed", "reviewed"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="phaserun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "done"), ("target", 1), _negated=True),
                    models.Q(("approver__isnull", False), ("operator__isnull", False)),
                    _connector="OR",
                ),
                name="phase_run_tables_by_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="phaserun",
            constraint=models.CheckConstraint(
                condition=models.Q(("automatic", False), ("target__gte", 2), _connector="OR"),
                name="phase_run_tables_by_people",
            ),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
