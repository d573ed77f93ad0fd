"""The engine: samples, sessions, complaints, triggers, plans, timelines, verifications. Undoing loses all of these.

What the schema before knows of incidents and flags stays.
"""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0010_expand_cancelled_lessons"),
        ("rollback", "0016_expand_incident_kind"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Baseline",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                ("facts", models.JSONField(verbose_name="facts")),
                (
                    "measured_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="measured",
                    ),
                ),
            ],
            options={
                "verbose_name": "baseline",
                "verbose_name_plural": "baselines",
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                (
                    "beat_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="last evaluated",
                    ),
                ),
                ("by", models.CharField(max_length=150, verbose_name="by")),
                (
                    "milliseconds",
                    models.PositiveIntegerField(default=0, verbose_name="took, in ms"),
                ),
                ("verdicts", models.JSONField(default=dict, verbose_name="verdicts")),
            ],
            options={
                "verbose_name": "heartbeat",
                "verbose_name_plural": "heartbeats",
            },
        ),
        migrations.AddField(
            model_name="incident",
            name="acknowledged_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="acknowledged"),
        ),
        migrations.AddField(
            model_name="incident",
            name="acknowledged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="acknowledged by (person)",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="contained_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="off everywhere"),
        ),
        migrations.AddField(
            model_name="incident",
            name="first_bad_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="first bad sample"),
        ),
        migrations.AddField(
            model_name="incident",
            name="impact",
            field=models.JSONField(db_default={}, default=dict, verbose_name="impact"),
        ),
        migrations.AddField(
            model_name="incident",
            name="is_not_the_feature",
            field=models.BooleanField(
                db_default=False, default=False, verbose_name="not caused by the feature"
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="lessons",
            field=models.TextField(blank=True, db_default="", verbose_name="lessons learned"),
        ),
        migrations.AddField(
            model_name="incident",
            name="reviewed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="reviewed"),
        ),
        migrations.AddField(
            model_name="incident",
            name="root_cause",
            field=models.TextField(blank=True, db_default="", verbose_name="root cause"),
        ),
        migrations.AddField(
            model_name="incident",
            name="severity",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (1, "1: nobody can enroll, or data is in danger"),
                    (2, "2: a feature is off"),
                    (3, "3: some are troubled"),
                    (4, "4: to be looked at"),
                ],
                db_default=2,
                default=2,
                verbose_name="severity",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="trigger_name",
            field=models.CharField(
                blank=True, db_default="", max_length=60, verbose_name="trigger"
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="verified_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="verified"),
        ),
        migrations.AlterField(
            model_name="incident",
            name="kind",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "anything else"),
                    ("slow", "too slow"),
                    ("errors", "errors"),
                    ("database", "database lost"),
                    ("incomplete", "enrollments not completed"),
                    ("case", "to be decided"),
                ],
                db_default="",
                default="",
                max_length=20,
                verbose_name="kind",
            ),
        ),
        migrations.CreateModel(
            name="IncidentAction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.CharField(max_length=300, verbose_name="what is to be done")),
                (
                    "who",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by whom (person)",
                    ),
                ),
                ("who_name", models.CharField(blank=True, max_length=150, verbose_name="by whom")),
                ("due_on", models.DateField(blank=True, null=True, verbose_name="until")),
                ("done_on", models.DateField(blank=True, null=True, verbose_name="done")),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "action after an incident",
                "verbose_name_plural": "actions after incidents",
                "ordering": ["incident", "pk"],
            },
        ),
        migrations.CreateModel(
            name="LocalTrip",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=20, verbose_name="process")),
                ("host", models.CharField(max_length=200, verbose_name="host")),
                ("pid", models.PositiveIntegerField(verbose_name="process number")),
                ("failures", models.PositiveIntegerField(verbose_name="failed connections")),
                ("tripped_at", models.DateTimeField(verbose_name="off since")),
                ("back_at", models.DateTimeField(verbose_name="database back")),
            ],
            options={
                "verbose_name": "local trip",
                "verbose_name_plural": "local trips",
                "ordering": ["-tripped_at"],
                "indexes": [models.Index(fields=["back_at"], name="local_trip_back")],
                "constraints": [
                    models.UniqueConstraint(fields=("uuid", "number"), name="local_trip_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[("down", "down"), ("up", "up")],
                        max_length=5,
                        verbose_name="direction",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("kill", "all at once in each step"),
                            ("drain", "who is enrolling moves last"),
                        ],
                        default="kill",
                        max_length=5,
                        verbose_name="mode",
                    ),
                ),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        size=None,
                        verbose_name="features",
                    ),
                ),
                (
                    "drain_seconds",
                    models.PositiveIntegerField(default=600, verbose_name="patience in seconds"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("paused", "paused"),
                            ("done", "done"),
                            ("aborted", "aborted"),
                        ],
                        default="running",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("actor_name", models.CharField(max_length=150, verbose_name="by")),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "a person"),
                            ("automatic", "automatic"),
                            ("unexplained", "without a reason"),
                        ],
                        default="person",
                        max_length=20,
                        verbose_name="started by",
                    ),
                ),
                ("reason", models.TextField(verbose_name="reason")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="begun",
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("lease_owner", models.CharField(blank=True, editable=False, max_length=100)),
                ("lease_until", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plans",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "plan",
                "verbose_name_plural": "plans",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="PlanStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveSmallIntegerField(verbose_name="number")),
                (
                    "percent",
                    models.DecimalField(decimal_places=2, max_digits=5, verbose_name="share in %"),
                ),
                (
                    "dwell_seconds",
                    models.PositiveIntegerField(default=0, verbose_name="then wait, in seconds"),
                ),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="done")),
                (
                    "drained_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="everybody moved"),
                ),
                ("blast", models.JSONField(default=dict, verbose_name="whom it concerned")),
                (
                    "people",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="frozen list",
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="rollback.plan",
                        verbose_name="plan",
                    ),
                ),
            ],
            options={
                "verbose_name": "step of a plan",
                "verbose_name_plural": "steps of a plan",
                "ordering": ["plan", "number"],
            },
        ),
        migrations.CreateModel(
            name="Sample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("metric", models.CharField(max_length=40, verbose_name="metric")),
                ("feature", models.CharField(blank=True, max_length=100, verbose_name="feature")),
                ("is_on", models.BooleanField(verbose_name="on")),
                ("begins_at", models.DateTimeField(verbose_name="from")),
                (
                    "seconds",
                    models.PositiveSmallIntegerField(default=10, verbose_name="length in seconds"),
                ),
                ("total", models.PositiveIntegerField(default=0, verbose_name="total")),
                ("bad", models.PositiveIntegerField(default=0, verbose_name="bad")),
            ],
            options={
                "verbose_name": "sample",
                "verbose_name_plural": "samples",
                "indexes": [models.Index(fields=["seconds", "begins_at"], name="sample_times")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("metric", "feature", "is_on", "begins_at", "seconds"),
                        name="sample_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bad__lte", models.F("total"))),
                        name="sample_bad_among_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seconds__in", (10, 60, 3600))), name="sample_slot"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Trigger",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=60, unique=True, verbose_name="name")),
                ("title", models.CharField(max_length=120, verbose_name="title")),
                (
                    "metric",
                    models.CharField(
                        choices=[
                            ("requests", "requests"),
                            ("api", "api"),
                            ("calendar over 500 ms", "calendar over 500 ms"),
                            ("calendar over 2 s", "calendar over 2 s"),
                            ("browser loads over 500 ms", "browser loads over 500 ms"),
                            ("browser loads over 2 s", "browser loads over 2 s"),
                            ("queries over 100 ms", "queries over 100 ms"),
                            ("failed connections", "failed connections"),
                            ("completion", "completion"),
                            ("abandoned", "abandoned"),
                            ("complaints", "complaints"),
                            ("availability conflicts", "availability conflicts"),
                            ("holiday inconsistencies", "holiday inconsistencies"),
                            ("payment issues", "payment issues"),
                            ("processes without database", "processes without database"),
                        ],
                        max_length=40,
                        verbose_name="metric",
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("sustained share", "sustained share"),
                            ("95th percentile", "95th percentile"),
                            ("share below", "share below"),
                            ("share above", "share above"),
                            ("more than", "more than"),
                        ],
                        max_length=20,
                        verbose_name="method",
                    ),
                ),
                ("feature", models.CharField(blank=True, max_length=100, verbose_name="feature")),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="takes away",
                    ),
                ),
                (
                    "threshold",
                    models.FloatField(
                        validators=[django.core.validators.MinValueValidator(0.0)],
                        verbose_name="threshold",
                    ),
                ),
                ("window_seconds", models.PositiveIntegerField(verbose_name="window in seconds")),
                (
                    "held_seconds",
                    models.PositiveIntegerField(default=0, verbose_name="must last, in seconds"),
                ),
                (
                    "min_total",
                    models.PositiveIntegerField(default=0, verbose_name="at least so many"),
                ),
                (
                    "min_bad",
                    models.PositiveIntegerField(
                        default=0, verbose_name="at least so many bad ones"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("alert", "alert"),
                            ("case", "put before a person"),
                            ("kill", "roll back at once"),
                            ("plan", "roll back step by step"),
                        ],
                        max_length=10,
                        verbose_name="action",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "anything else"),
                            ("slow", "too slow"),
                            ("errors", "errors"),
                            ("database", "database lost"),
                            ("incomplete", "enrollments not completed"),
                            ("case", "to be decided"),
                        ],
                        default="",
                        max_length=20,
                        verbose_name="kind of incident",
                    ),
                ),
                ("severity", models.PositiveSmallIntegerField(default=2, verbose_name="severity")),
                (
                    "cooldown_seconds",
                    models.PositiveIntegerField(
                        default=1800, verbose_name="pause after it, in seconds"
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="evaluated")),
                (
                    "is_shadow",
                    models.BooleanField(
                        default=False,
                        help_text="Is judged and written down, and does nothing.",
                        verbose_name="shadow",
                    ),
                ),
                (
                    "version",
                    models.PositiveIntegerField(default=1, editable=False, verbose_name="version"),
                ),
            ],
            options={
                "verbose_name": "trigger",
                "verbose_name_plural": "triggers",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("severity__range", (1, 4))), name="trigger_severity"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("threshold__gte", 0)), name="trigger_threshold"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("window_seconds__gte", 10)), name="trigger_window"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("action__in", ("kill", "plan")), _negated=True),
                            models.Q(("flags", []), _negated=True),
                            _connector="OR",
                        ),
                        name="trigger_action_takes_something",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TriggerVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("trigger_name", models.CharField(max_length=60, verbose_name="trigger")),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("rule", models.JSONField(verbose_name="as it was")),
                ("actor_name", models.CharField(max_length=150, verbose_name="by")),
                ("reason", models.TextField(verbose_name="reason")),
                (
                    "saved_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="when",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "trigger version",
                "verbose_name_plural": "trigger versions",
                "ordering": ["-saved_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Verification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("by_name", models.CharField(max_length=150, verbose_name="by")),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="started"
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("passed", models.BooleanField(blank=True, null=True, verbose_name="passed")),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="verifications",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "verification",
                "verbose_name_plural": "verifications",
                "ordering": ["-started_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="ProbeResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("probe", models.CharField(max_length=60, verbose_name="probe")),
                ("passed", models.BooleanField(verbose_name="passed")),
                ("words", models.TextField(verbose_name="found")),
                ("milliseconds", models.PositiveIntegerField(verbose_name="took, in ms")),
                ("limit_milliseconds", models.PositiveIntegerField(verbose_name="limit in ms")),
                ("facts", models.JSONField(default=dict, verbose_name="facts")),
                (
                    "verification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="rollback.verification",
                        verbose_name="run",
                    ),
                ),
            ],
            options={
                "verbose_name": "result of a probe",
                "verbose_name_plural": "results of probes",
                "ordering": ["verification", "pk"],
            },
        ),
        migrations.CreateModel(
            name="AffectedPerson",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        size=None,
                        verbose_name="reasons",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="people",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "affected person",
                "verbose_name_plural": "affected people",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("incident", "user"), name="affected_person_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Complaint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("broken", "Something does not work"),
                            ("slow", "Something is slow"),
                            ("wrong", "A lesson or a time is wrong"),
                            ("payment", "A payment"),
                            ("other", "Something else"),
                        ],
                        max_length=10,
                        verbose_name="what it is about",
                    ),
                ),
                ("text", models.TextField(max_length=2000, verbose_name="what happened")),
                ("path", models.CharField(blank=True, max_length=300, verbose_name="page")),
                ("reporter", models.CharField(editable=False, max_length=60)),
                (
                    "features",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="features on",
                    ),
                ),
                (
                    "reported_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="reported",
                    ),
                ),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="done")),
                (
                    "done_by_name",
                    models.CharField(blank=True, max_length=150, verbose_name="done by"),
                ),
                ("answer", models.TextField(blank=True, verbose_name="what was done")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "complaint",
                "verbose_name_plural": "complaints",
                "ordering": [
                    models.OrderBy(models.F("done_at"), descending=True, nulls_first=True),
                    "-reported_at",
                    "-pk",
                ],
                "indexes": [models.Index(fields=["reported_at"], name="complaint_times")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answer", ""), ("done_at", None), ("done_by_name", "")),
                            models.Q(
                                ("done_at__isnull", False),
                                models.Q(("done_by_name", ""), _negated=True),
                                models.Q(("answer", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="complaint_done_in_words",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Draining",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flag_name", models.CharField(max_length=100, verbose_name="flag")),
                ("until", models.DateTimeField(verbose_name="until")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "draining",
                "verbose_name_plural": "draining",
                "constraints": [
                    models.UniqueConstraint(fields=("flag_name", "user"), name="draining_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="EnrollmentSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_on", models.BooleanField(verbose_name="new flow on")),
                (
                    "began_in",
                    models.CharField(
                        choices=[("new", "new"), ("original", "original")],
                        max_length=10,
                        verbose_name="began in",
                    ),
                ),
                (
                    "flow",
                    models.CharField(
                        choices=[("new", "new"), ("original", "original")],
                        max_length=10,
                        verbose_name="flow",
                    ),
                ),
                (
                    "furthest_step",
                    models.PositiveSmallIntegerField(default=1, verbose_name="furthest step"),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("changed_at", models.DateTimeField(verbose_name="last change")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                ("is_open", models.BooleanField(default=True, verbose_name="open")),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
            ],
            options={
                "verbose_name": "enrollment session",
                "verbose_name_plural": "enrollment sessions",
                "indexes": [models.Index(fields=["started_at"], name="enrollment_session_starts")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_open", True)),
                        fields=("student", "course"),
                        name="one_open_enrollment_session",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("finished_at", None), ("is_open", False), _connector="OR"
                        ),
                        name="enrollment_session_over_when_finished",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.PositiveIntegerField(
                        db_default=0, editable=False, verbose_name="number"
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="when",
                    ),
                ),
                ("actor_name", models.CharField(max_length=150, verbose_name="by")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("opened", "opened"),
                            ("judged", "a trigger fired"),
                            ("stepped", "a share was changed"),
                            ("killed", "switched off"),
                            ("contained", "off everywhere"),
                            ("plan", "plan"),
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
                ("payload", models.JSONField(default=dict, verbose_name="facts")),
                ("prev_hash", models.CharField(db_default="", editable=False, max_length=64)),
                ("hash", models.CharField(db_default="", editable=False, max_length=64)),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "timeline",
                "ordering": ["incident", "number"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("incident", "number"), name="incident_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Judgment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("trigger_name", models.CharField(max_length=60, verbose_name="trigger")),
                ("version", models.PositiveIntegerField(verbose_name="version of the trigger")),
                ("verdict", models.CharField(max_length=10, verbose_name="verdict")),
                ("words", models.TextField(verbose_name="in words")),
                ("evidence", models.JSONField(verbose_name="evidence")),
                (
                    "first_bad_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="first bad sample"),
                ),
                ("action", models.CharField(blank=True, max_length=10, verbose_name="done")),
                (
                    "why_not",
                    models.CharField(blank=True, max_length=200, verbose_name="not done because"),
                ),
                ("is_shadow", models.BooleanField(default=False, verbose_name="shadow")),
                (
                    "judged_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="when",
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgments",
                        to="rollback.incident",
                        verbose_name="incident",
                    ),
                ),
            ],
            options={
                "verbose_name": "judgment",
                "verbose_name_plural": "judgments",
                "ordering": ["-judged_at", "-pk"],
                "indexes": [
                    models.Index(fields=["trigger_name", "-judged_at"], name="judgment_history")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["running", "paused"])),
                fields=("direction",),
                name="one_live_plan_a_direction",
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("flags", []), _negated=True), models.Q(("reason", ""), _negated=True)
                ),
                name="plan_has_flags_and_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state__in", ["running", "paused"])),
                    models.Q(
                        models.Q(("state__in", ["running", "paused"]), _negated=True),
                        ("ended_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="plan_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="planstep",
            constraint=models.UniqueConstraint(fields=("plan", "number"), name="plan_step_once"),
        ),
        migrations.AddConstraint(
            model_name="planstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("percent__gte", 0), ("percent__lte", 100)),
                name="plan_step_share",
            ),
        ),
        migrations.AddConstraint(
            model_name="triggerversion",
            constraint=models.UniqueConstraint(
                fields=("trigger_name", "version"), name="trigger_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="triggerversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason", ""), _negated=True),
                    models.Q(("actor_name", ""), _negated=True),
                ),
                name="trigger_version_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="verification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("passed", None)),
                    models.Q(("ended_at__isnull", False), ("passed__isnull", False)),
                    _connector="OR",
                ),
                name="verification_over_when_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="proberesult",
            constraint=models.UniqueConstraint(
                fields=("verification", "probe"), name="probe_result_once"
            ),
        ),
    ]
