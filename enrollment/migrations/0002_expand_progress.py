"""Units of a course, and who has done which. Undoing loses every unit and all progress."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0001_expand_school"),
    ]

    operations = [
        migrations.CreateModel(
            name="CourseUnit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=160, verbose_name="title")),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="position",
                    ),
                ),
                (
                    "course",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="units",
                        to="enrollment.course",
                        verbose_name="course",
                    ),
                ),
            ],
            options={
                "verbose_name": "unit",
                "verbose_name_plural": "units",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="UnitDone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "done_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="done"),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="noted by",
                    ),
                ),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="units_done",
                        to="enrollment.enrollment",
                        verbose_name="enrollment",
                    ),
                ),
                (
                    "lesson",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="units_done",
                        to="enrollment.lesson",
                        verbose_name="in the lesson",
                    ),
                ),
                (
                    "unit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="done",
                        to="enrollment.courseunit",
                        verbose_name="unit",
                    ),
                ),
            ],
            options={
                "verbose_name": "unit done",
                "verbose_name_plural": "units done",
                "ordering": ["done_at", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="courseunit",
            constraint=models.UniqueConstraint(
                fields=("course", "title"),
                name="course_unit_once",
                violation_error_message="The course already has a unit of this name.",
            ),
        ),
        migrations.AddConstraint(
            model_name="unitdone",
            constraint=models.UniqueConstraint(
                fields=("enrollment", "unit"),
                name="unit_done_once",
                violation_error_message="This unit is done already.",
            ),
        ),
    ]
