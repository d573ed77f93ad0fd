"""Flags, their audit, drafts and door counts. Undoing loses all of them."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("enrollment", "0001_expand_school"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DoorCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("feature", models.CharField(max_length=100, verbose_name="feature")),
                ("door", models.CharField(max_length=10, verbose_name="door")),
                ("on_date", models.DateField(verbose_name="day")),
                ("turned_away", models.PositiveIntegerField(default=0, verbose_name="turned away")),
            ],
            options={
                "verbose_name": "door count",
                "verbose_name_plural": "door counts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("feature", "door", "on_date"), name="door_count_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Switchboard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.BigIntegerField(default=1)),
                ("salt", models.UUIDField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("pk", 1)), name="switchboard_one_row"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EnrollmentDraft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("answers", models.JSONField(default=dict, verbose_name="answers")),
                ("answers_version", models.PositiveSmallIntegerField(default=1, editable=False)),
                ("heard", models.JSONField(default=dict, editable=False)),
                ("step", models.CharField(blank=True, max_length=20, verbose_name="furthest step")),
                (
                    "started_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="started"),
                ),
                ("saved_at", models.DateTimeField(verbose_name="saved")),
                (
                    "turned_away_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="turned away"),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
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
                    "enrollment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
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
                "verbose_name": "enrollment draft",
                "verbose_name_plural": "enrollment drafts",
                "ordering": ["-saved_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=("student", "course"),
                        name="one_live_draft",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Flag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="The human/computer readable name.",
                        max_length=100,
                        unique=True,
                        verbose_name="Name",
                    ),
                ),
                (
                    "everyone",
                    models.BooleanField(
                        blank=True,
                        help_text="Flip this flag on (Yes) or off (No) for everyone, overriding all other settings. Leave as Unknown to use normally.",
                        null=True,
                        verbose_name="Everyone",
                    ),
                ),
                (
                    "note",
                    models.TextField(
                        blank=True, help_text="Note where this Flag is used.", verbose_name="Note"
                    ),
                ),
                (
                    "created",
                    models.DateTimeField(
                        db_index=True,
                        default=django.utils.timezone.now,
                        help_text="Date when this Flag was created.",
                        verbose_name="Created",
                    ),
                ),
                (
                    "modified",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        help_text="Date when this Flag was last modified.",
                        verbose_name="Modified",
                    ),
                ),
                (
                    "percent",
                    models.DecimalField(
                        decimal_places=2,
                        default=Decimal("0"),
                        help_text="0.00 to 100.00 % of the users; who is off at 50 is off at 25.",
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="share in %",
                    ),
                ),
                (
                    "superusers",
                    models.BooleanField(
                        default=False,
                        help_text="While the share is above 0.",
                        verbose_name="early for superusers",
                    ),
                ),
                (
                    "staff",
                    models.BooleanField(
                        default=False,
                        help_text="While the share is above 0.",
                        verbose_name="early for staff",
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Activate this flag for these user groups.",
                        to="auth.group",
                        verbose_name="Groups",
                    ),
                ),
                (
                    "requires",
                    models.ForeignKey(
                        blank=True,
                        help_text="While the master is off for a user, so is this flag.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.WAFFLE_FLAG_MODEL,
                        verbose_name="master",
                    ),
                ),
                (
                    "users",
                    models.ManyToManyField(
                        blank=True,
                        help_text="They have it while the share is above 0.",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="early for these users",
                    ),
                ),
            ],
            options={
                "verbose_name": "feature flag",
                "verbose_name_plural": "feature flags",
                "ordering": [models.OrderBy(models.F("requires"), nulls_first=True), "name"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("percent__gte", 0), ("percent__lte", 100)),
                        name="flag_share_0_to_100",
                        violation_error_message="The share is between 0 and 100 %.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("everyone", True), _negated=True),
                        name="flag_everyone_only_kills",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FlagChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flag_name", models.CharField(max_length=100, verbose_name="flag")),
                ("actor_name", models.CharField(max_length=150, verbose_name="by")),
                ("action", models.CharField(max_length=20, verbose_name="action")),
                ("reason", models.TextField(verbose_name="reason")),
                ("before", models.JSONField(verbose_name="before")),
                ("after", models.JSONField(verbose_name="after")),
                (
                    "changed_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="when"
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
                "verbose_name": "flag change",
                "verbose_name_plural": "flag changes",
                "ordering": ["-changed_at", "-pk"],
                "indexes": [models.Index(fields=["flag_name", "-changed_at"], name="flag_history")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(("actor_name", ""), _negated=True),
                        ),
                        name="flag_change_has_a_reason",
                    )
                ],
            },
        ),
    ]
