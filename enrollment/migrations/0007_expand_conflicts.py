"""Conflicts that were found and how they ended, and the lessons that the school owes for cancelled ones.

Undoing loses both. Conflicts are found again; what the school owes stands nowhere else.
"""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import enrollment.domain.states


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0006_expand_group_lessons"),
    ]

    operations = [
        migrations.CreateModel(
            name="Conflict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("key", models.CharField(editable=False, max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("dismissed", "Kept as it is"),
                            ("resolved", "Resolved"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "found_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="found"),
                ),
                (
                    "seen_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="last seen"
                    ),
                ),
                ("resolved_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "resolution",
                    models.TextField(blank=True, verbose_name="what was done, or why it stays"),
                ),
                ("automatic", models.BooleanField(default=False, verbose_name="by a rule")),
                ("facts", models.JSONField(default=dict, verbose_name="facts")),
                (
                    "enrollment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="conflicts",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "lessons",
                    models.ManyToManyField(
                        blank=True,
                        related_name="conflicts",
                        to="enrollment.lesson",
                        verbose_name="lessons",
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="ended by",
                    ),
                ),
                (
                    "student",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="conflicts",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="conflicts",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "conflict",
                "verbose_name_plural": "conflicts",
                "ordering": ["-found_at", "-pk"],
                "default_permissions": ("view", "change"),
                "indexes": [
                    models.Index(fields=["status", "-found_at"], name="conflict_by_status")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("status", enrollment.domain.states.ConflictStatus["RESOLVED"]),
                            _negated=True,
                        ),
                        fields=("kind", "key"),
                        name="conflict_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("resolved_at__isnull", True),
                                ("status", enrollment.domain.states.ConflictStatus["OPEN"]),
                            ),
                            models.Q(
                                models.Q(
                                    ("status", enrollment.domain.states.ConflictStatus["OPEN"]),
                                    _negated=True,
                                ),
                                ("resolved_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="conflict_ended",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MakeUpCredit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="minutes",
                    ),
                ),
                (
                    "granted_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="granted"),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True,
                        help_text="Only the office reads it.",
                        max_length=200,
                        verbose_name="note",
                    ),
                ),
                ("used_at", models.DateTimeField(blank=True, null=True, verbose_name="used")),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credits",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="granted by",
                    ),
                ),
                (
                    "lesson",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit",
                        to="enrollment.lesson",
                        verbose_name="cancelled lesson",
                    ),
                ),
                (
                    "used_lesson",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="makes_up",
                        to="enrollment.lesson",
                        verbose_name="made up in the lesson",
                    ),
                ),
            ],
            options={
                "verbose_name": "make-up credit",
                "verbose_name_plural": "make-up credits",
                "ordering": ["granted_at", "pk"],
                "default_permissions": ("view", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("used_at__isnull", True), ("used_lesson__isnull", True)),
                            models.Q(("used_at__isnull", False), ("used_lesson__isnull", False)),
                            _connector="OR",
                        ),
                        name="credit_used",
                    )
                ],
            },
        ),
    ]
