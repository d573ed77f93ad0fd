"""Two indexes for cancelled lessons, which the exclusion constraints leave out. Undoing loses nothing."""

import django.contrib.postgres.indexes
from django.db import migrations, models

import enrollment.domain.states


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0008_expand_calendar_changes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="lesson",
            index=django.contrib.postgres.indexes.GistIndex(
                condition=models.Q(("status", enrollment.domain.states.LessonStatus["CANCELLED"])),
                fields=["student", "period"],
                name="lesson_student_cancelled",
            ),
        ),
        migrations.AddIndex(
            model_name="lesson",
            index=django.contrib.postgres.indexes.GistIndex(
                condition=models.Q(("status", enrollment.domain.states.LessonStatus["CANCELLED"])),
                fields=["teacher", "busy"],
                name="lesson_teacher_cancelled",
            ),
        ),
    ]
