"""Group lessons, minutes kept free around a lesson, and what happened to each since it was agreed.

Undoing loses the history of changes, which lessons were for a group, and those minutes. It is refused by the
database while two students share a lesson: the old guard allows a teacher one lesson at a time.
"""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import enrollment.domain.states
import enrollment.models.lessons


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0005_expand_api_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="LessonChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("booked", "Booked"),
                            ("moved", "Moved"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=10,
                        verbose_name="what",
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="when"),
                ),
                (
                    "period_before",
                    django.contrib.postgres.fields.ranges.DateTimeRangeField(
                        blank=True, null=True, verbose_name="period before"
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
            ],
            options={
                "verbose_name": "change of a lesson",
                "verbose_name_plural": "changes of lessons",
                "ordering": ["at", "pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="lesson",
            name="lesson_teacher_once",
        ),
        migrations.AddField(
            model_name="course",
            name="seats",
            field=models.PositiveSmallIntegerField(
                db_default=1,
                default=1,
                help_text="1: each student alone. More: a group, which is full with so many.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
                verbose_name="students in one lesson",
            ),
        ),
        migrations.AddField(
            model_name="lesson",
            name="buffer_after",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, editable=False, verbose_name="minutes kept free after"
            ),
        ),
        migrations.AddField(
            model_name="lesson",
            name="buffer_before",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, editable=False, verbose_name="minutes kept free before"
            ),
        ),
        migrations.AddField(
            model_name="lesson",
            name="busy",
            field=models.GeneratedField(
                db_persist=True,
                expression=enrollment.models.lessons.BusyPeriod(),
                output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                verbose_name="teacher's time",
            ),
        ),
        migrations.AddField(
            model_name="lesson",
            name="seats",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, editable=False, verbose_name="seats"
            ),
        ),
        migrations.AddConstraint(
            model_name="course",
            constraint=models.CheckConstraint(
                condition=models.Q(("seats__gte", 1), ("seats__lte", 100)),
                name="course_seats_sane",
                violation_error_message="A lesson has between 1 and 100 students.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(
                    ("status", enrollment.domain.states.LessonStatus["CANCELLED"]), _negated=True
                ),
                expressions=[
                    ("teacher", "="),
                    ("busy", "&&"),
                    (enrollment.models.lessons.OwnTime(), "<>"),
                ],
                name="lesson_teacher_once",
                violation_error_message="The teacher already has a lesson at this time.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lesson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("buffer_after__lte", 240),
                    ("buffer_before__lte", 240),
                    ("seats__gte", 1),
                    ("seats__lte", 100),
                ),
                name="lesson_seats_and_buffers",
            ),
        ),
        migrations.AddField(
            model_name="lessonchange",
            name="by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="by",
            ),
        ),
        migrations.AddField(
            model_name="lessonchange",
            name="lesson",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="enrollment.lesson",
                verbose_name="lesson",
            ),
        ),
        migrations.AddField(
            model_name="lessonchange",
            name="teacher_before",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="enrollment.teacher",
                verbose_name="teacher before",
            ),
        ),
    ]
