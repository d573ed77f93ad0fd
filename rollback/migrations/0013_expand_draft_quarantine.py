"""Unreadable drafts can be set aside. Undoing forgets when and why; the drafts stay."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("rollback", "0012_expand_draft_reminders")]

    operations = [
        migrations.AddField(
            model_name="enrollmentdraft",
            name="quarantined_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="set aside"
            ),
        ),
        migrations.AddField(
            model_name="enrollmentdraft",
            name="problem",
            field=models.CharField(
                blank=True,
                choices=[
                    ("too_large", "It is larger than anything we save."),
                    ("unknown_version", "Another release of the school wrote it."),
                    ("not_by_name", "The answers are not sorted by name."),
                    ("not_text", "Some of the answers are no text."),
                    ("not_aside", "What waits for a choice cannot be read."),
                ],
                db_default="",
                default="",
                editable=False,
                max_length=20,
                verbose_name="problem",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrollmentdraft",
            constraint=models.CheckConstraint(
                condition=Q(quarantined_at__isnull=True, problem="")
                | (Q(quarantined_at__isnull=False) & ~Q(problem="")),
                name="draft_set_aside_with_a_problem",
            ),
        ),
    ]
