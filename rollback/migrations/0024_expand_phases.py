"""Phase runs, backups, rehearsals and schema changes as people see them. Undoing loses these records; backups and
their receipts are files, and stay.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0023_expand_archive"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "under way"),
                            ("verified", "verified"),
                            ("failed", "failed"),
                            ("pruned", "removed"),
                        ],
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="started",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("as_of", models.DateTimeField(blank=True, null=True, verbose_name="state of")),
                ("size", models.BigIntegerField(blank=True, null=True, verbose_name="bytes")),
                ("rows", models.BigIntegerField(blank=True, null=True, verbose_name="rows")),
                ("seconds", models.JSONField(default=dict, verbose_name="seconds")),
                ("error", models.TextField(blank=True, verbose_name="error")),
            ],
            options={
                "verbose_name": "backup",
                "verbose_name_plural": "backups",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Rehearsal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="started",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("passed", models.BooleanField(null=True, verbose_name="passed")),
                ("graph", models.CharField(max_length=64, verbose_name="migrations")),
                ("backup", models.CharField(max_length=100, verbose_name="backup")),
                ("figures", models.JSONField(default=dict, verbose_name="figures")),
                ("report", models.TextField(blank=True, verbose_name="report")),
                ("picture", models.TextField(blank=True, verbose_name="timeline")),
                ("error", models.TextField(blank=True, verbose_name="error")),
            ],
            options={
                "verbose_name": "rehearsal",
                "verbose_name_plural": "rehearsals",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="SchemaChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("plan", models.JSONField(verbose_name="plan")),
                ("plan_hash", models.CharField(max_length=64, verbose_name="plan's hash")),
                ("receipt", models.CharField(blank=True, max_length=100, verbose_name="backup")),
                (
                    "broken_glass",
                    models.CharField(
                        blank=True, max_length=500, verbose_name="without a backup because"
                    ),
                ),
                ("actor_name", models.CharField(max_length=254, verbose_name="who")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="started",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("succeeded", models.BooleanField(null=True, verbose_name="succeeded")),
                ("report", models.JSONField(default=dict, verbose_name="report")),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rollback.incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "schema change",
                "verbose_name_plural": "schema changes",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="PhaseRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "target",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "tables brought back"),
                            (1, "phase 1: tables archived"),
                            (2, "phase 2: API and tasks off"),
                            (3, "phase 3: pages off"),
                        ],
                        verbose_name="how far",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("kill", "at once"),
                            ("drain", "whoever is in the middle of something finishes first"),
                        ],
                        default="kill",
                        max_length=10,
                        verbose_name="how",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "waits for approval"),
                            ("ready", "ready"),
                            ("running", "under way"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                ("operator_name", models.CharField(max_length=254, verbose_name="operator")),
                (
                    "approver_name",
                    models.CharField(blank=True, max_length=254, verbose_name="approver"),
                ),
                (
                    "asked_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="asked",
                    ),
                ),
                (
                    "approved_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="approved"),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("progress", models.JSONField(default=list, verbose_name="progress")),
                ("before", models.JSONField(default=dict, verbose_name="before")),
                ("proof", models.JSONField(default=dict, verbose_name="proof")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("lease_owner", models.CharField(blank=True, editable=False, max_length=80)),
                ("lease_until", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="approver",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="phase_runs",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="operator",
                    ),
                ),
            ],
            options={
                "verbose_name": "phase run",
                "verbose_name_plural": "phase runs",
                "ordering": ["-pk"],
                "permissions": [("approve_phase", "Can approve that tables are archived")],
                "constraints": [
                    models.UniqueConstraint(
                        models.Value(1),
                        condition=models.Q(("status__in", ("asked", "ready", "running"))),
                        name="phase_run_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("operator__isnull", True),
                            ("approver__isnull", True),
                            models.Q(("operator", models.F("approver")), _negated=True),
                            _connector="OR",
                        ),
                        name="phase_run_two_people",
                    ),
                ],
            },
        ),
    ]
