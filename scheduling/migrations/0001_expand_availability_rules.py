"""Teachers' weekly hours. Undoing loses all of them, and which teachers were reminded this week.

Lessons are the ground floor's and stay.
"""

import datetime

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models

import scheduling.models.rules


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("enrollment", "0001_expand_school"),
    ]

    operations = [
        migrations.CreateModel(
            name="AvailabilityRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                (
                    "starts",
                    models.TimeField(
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="from",
                    ),
                ),
                (
                    "ends",
                    models.TimeField(
                        help_text="00:00 is the end of the day.",
                        validators=[scheduling.models.rules.validate_whole_minute],
                        verbose_name="to",
                    ),
                ),
                (
                    "valid_from",
                    models.DateField(
                        blank=True,
                        help_text="Counted in; empty: from always.",
                        null=True,
                        verbose_name="first day",
                    ),
                ),
                (
                    "valid_until",
                    models.DateField(
                        blank=True,
                        help_text="Counted in; empty: without end.",
                        null=True,
                        verbose_name="last day",
                    ),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="availability_rules",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "weekly hours",
                "verbose_name_plural": "weekly hours",
                "ordering": ["teacher", "weekday", "starts", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("weekday__gte", 0), ("weekday__lte", 6)),
                        name="availability_weekday",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends__gt", models.F("starts")),
                            ("ends", datetime.time(0, 0)),
                            _connector="OR",
                        ),
                        name="availability_ends_later",
                        violation_error_message="Hours end later than they begin.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until__gte", models.F("valid_from")),
                            ("valid_from__isnull", True),
                            ("valid_until__isnull", True),
                            _connector="OR",
                        ),
                        name="availability_valid_days",
                        violation_error_message="The last day is not before the first.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("teacher", "="),
                            ("weekday", "="),
                            (
                                models.Func(
                                    django.db.models.functions.comparison.Cast(
                                        django.db.models.functions.datetime.Extract(
                                            "starts", "epoch"
                                        ),
                                        models.IntegerField(),
                                    ),
                                    django.db.models.functions.comparison.Coalesce(
                                        django.db.models.functions.comparison.NullIf(
                                            django.db.models.functions.comparison.Cast(
                                                django.db.models.functions.datetime.Extract(
                                                    "ends", "epoch"
                                                ),
                                                models.IntegerField(),
                                            ),
                                            models.Value(0),
                                        ),
                                        models.Value(86400),
                                    ),
                                    function="int4range",
                                    output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                ),
                                "&&",
                            ),
                            (
                                models.Func(
                                    models.F("valid_from"),
                                    models.F("valid_until"),
                                    models.Value("[]"),
                                    function="daterange",
                                    output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="availability_once",
                        violation_error_message="These hours overlap other hours of this teacher.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TeacherReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "week_on",
                    models.DateField(help_text="The Monday of the week.", verbose_name="week"),
                ),
                (
                    "teacher",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hours_reminders",
                        to="enrollment.teacher",
                        verbose_name="teacher",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
                "verbose_name_plural": "reminders",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("teacher", "week_on"), name="teacher_reminded_once"
                    )
                ],
            },
        ),
    ]
