"""The ledger of the archive. Undoing loses it, and refuses while a row lies there that belongs somewhere:
nobody would know then how it comes home.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

REFUSE = """
DO $$
DECLARE entry record; found boolean;
BEGIN
    FOR entry IN SELECT split_part(archived_as, '.', 1) AS place, split_part(archived_as, '.', 2) AS name
                   FROM rollback_ledgerentry WHERE back_at IS NULL
    LOOP
        IF to_regclass(format('%I.%I', entry.place, entry.name)) IS NULL THEN
            CONTINUE;  -- purged
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', entry.place, entry.name) INTO found;
        IF found THEN
            RAISE EXCEPTION '%.% holds rows that only the ledger can bring home. First: manage.py rollback reapply',
                  entry.place, entry.name;
        END IF;
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0022_expand_evaluator_lease"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("app", models.CharField(max_length=100, verbose_name="app")),
                (
                    "kind",
                    models.CharField(
                        choices=[("table", "table"), ("column", "column")],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("table", models.CharField(max_length=63, verbose_name="table")),
                ("column", models.CharField(blank=True, max_length=63, verbose_name="column")),
                (
                    "archived_as",
                    models.CharField(
                        help_text="Schema and table.",
                        max_length=130,
                        verbose_name="in the archive as",
                    ),
                ),
                ("shape", models.JSONField(default=dict, verbose_name="shape")),
                ("foreign_keys", models.JSONField(default=dict, verbose_name="foreign keys")),
                (
                    "archived_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="archived",
                    ),
                ),
                ("rows", models.BigIntegerField(blank=True, null=True, verbose_name="rows")),
                (
                    "digest",
                    models.DecimalField(
                        blank=True,
                        decimal_places=0,
                        max_digits=40,
                        null=True,
                        verbose_name="digest",
                    ),
                ),
                ("sealed_at", models.DateTimeField(blank=True, null=True, verbose_name="counted")),
                ("purged_at", models.DateTimeField(blank=True, null=True, verbose_name="purged")),
                (
                    "back_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="brought back"),
                ),
                ("report", models.JSONField(default=dict, verbose_name="report")),
            ],
            options={
                "verbose_name": "ledger entry",
                "verbose_name_plural": "ledger of the archive",
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("back_at__isnull", True)),
                        fields=("table", "column"),
                        name="ledger_away_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Orphan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("foreign_key", models.CharField(max_length=63, verbose_name="foreign key")),
                ("row", models.JSONField(verbose_name="row")),
                (
                    "found_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="found",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orphans",
                        to="rollback.ledgerentry",
                    ),
                ),
            ],
            options={
                "verbose_name": "orphaned row",
                "verbose_name_plural": "orphaned rows",
                "ordering": ["pk"],
            },
        ),
        # Last, so that it is the first to be undone.
        migrations.RunSQL("SELECT", REFUSE),
    ]
