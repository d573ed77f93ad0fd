"""How long the pages of each feature take, by the minute. Undoing loses what was measured of thirty days."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0014_expand_one_readable_draft"),
    ]

    operations = [
        migrations.CreateModel(
            name="TimingMinute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("feature", models.CharField(max_length=100, verbose_name="feature")),
                (
                    "kind",
                    models.CharField(
                        choices=[("server", "Server"), ("browser", "Browser")],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("minute", models.DateTimeField(verbose_name="minute")),
                (
                    "counts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), size=49, verbose_name="counts"
                    ),
                ),
                ("errors", models.PositiveIntegerField(default=0, verbose_name="server errors")),
            ],
            options={
                "verbose_name": "measured times",
                "verbose_name_plural": "measured times",
                "indexes": [models.Index(fields=["minute"], name="timing_minutes")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("feature", "kind", "minute"), name="timing_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("counts__len", 49)), name="timing_classes"
                    ),
                ],
            },
        ),
    ]
