"""Reminders of unfinished enrollments. Undoing loses who was reminded and who wants no reminders."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollment", "0001_expand_school"),
        ("rollback", "0009_expand_draft_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="enrollmentdraft",
            name="reminded_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="reminded"
            ),
        ),
        migrations.AddField(
            model_name="enrollmentdraft",
            name="reminder_tries",
            field=models.PositiveSmallIntegerField(
                default=0, db_default=0, editable=False, verbose_name="tries to mail the reminder"
            ),
        ),
        migrations.AddField(
            model_name="enrollmentdraft",
            name="reminder_next_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="reminder tried again"
            ),
        ),
        migrations.CreateModel(
            name="NoReminders",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField(verbose_name="since")),
                (
                    "student",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="enrollment.student",
                        verbose_name="student",
                    ),
                ),
            ],
            options={
                "verbose_name": "student without reminders",
                "verbose_name_plural": "students without reminders",
            },
        ),
    ]
