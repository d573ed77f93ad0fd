"""Incidents, latches, and what the audit says of each change. Undoing loses all of these.

Changes without a reason get the words "(without a reason)" for one, which the schema before wants.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("rollback", "0003_backfill_flags"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                ("cause", models.TextField(blank=True, verbose_name="cause")),
                (
                    "opened_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="opened",
                    ),
                ),
                ("opened_by_name", models.CharField(max_length=150, verbose_name="opened by")),
                (
                    "resolved_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="resolved"
                    ),
                ),
                (
                    "resolved_by_name",
                    models.CharField(blank=True, max_length=150, verbose_name="resolved by"),
                ),
                ("resolution", models.TextField(blank=True, verbose_name="how it was resolved")),
            ],
            options={
                "verbose_name": "incident",
                "verbose_name_plural": "incidents",
                "ordering": [
                    models.OrderBy(models.F("resolved_at"), descending=True, nulls_first=True),
                    "-opened_at",
                    "-pk",
                ],
            },
        ),
        migrations.CreateModel(
            name="Latch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flag_name", models.CharField(max_length=100, verbose_name="flag")),
                (
                    "set_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="set",
                    ),
                ),
            ],
            options={
                "verbose_name": "latch",
                "verbose_name_plural": "latches",
            },
        ),
        migrations.RemoveConstraint(
            model_name="flagchange",
            name="flag_change_has_a_reason",
        ),
        migrations.AddField(
            model_name="flagchange",
            name="actor_kind",
            field=models.CharField(
                choices=[
                    ("person", "a person"),
                    ("automatic", "automatic"),
                    ("unexplained", "without a reason"),
                ],
                db_default="person",
                default="person",
                max_length=20,
                verbose_name="changed by",
            ),
        ),
        migrations.AddField(
            model_name="flagchange",
            name="session",
            field=models.JSONField(db_default={}, default=dict, verbose_name="database session"),
        ),
        migrations.AlterField(
            model_name="flagchange",
            name="changed_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                editable=False,
                verbose_name="when",
            ),
        ),
        migrations.AddIndex(
            model_name="flagchange",
            index=models.Index(fields=["flag_name", "-id"], name="flag_newest"),
        ),
        migrations.AddConstraint(
            model_name="flag",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", "*"), _negated=True), name="flag_name_not_all"
            ),
        ),
        migrations.AddConstraint(
            model_name="flagchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("actor_kind", "unexplained"),
                        models.Q(("reason", ""), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(("actor_name", ""), _negated=True),
                ),
                name="flag_change_has_a_reason",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="opened_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="opened by (person)",
            ),
        ),
        migrations.AddField(
            model_name="incident",
            name="resolved_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="resolved by (person)",
            ),
        ),
        migrations.AddField(
            model_name="latch",
            name="incident",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="latches",
                to="rollback.incident",
                verbose_name="incident",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("title", ""), _negated=True),
                    models.Q(("opened_by_name", ""), _negated=True),
                ),
                name="incident_has_title_and_opener",
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("resolution", ""),
                        ("resolved_at", None),
                        ("resolved_by", None),
                        ("resolved_by_name", ""),
                    ),
                    models.Q(
                        ("resolved_at__isnull", False),
                        models.Q(("resolved_by_name", ""), _negated=True),
                        models.Q(("resolution", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="incident_resolved_in_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="latch",
            constraint=models.UniqueConstraint(fields=("flag_name", "incident"), name="latch_once"),
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop,
            "UPDATE rollback_flagchange SET reason = '(without a reason)' WHERE reason = '';",
        ),
    ]
