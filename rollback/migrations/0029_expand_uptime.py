"""The days of the status page. Undoing loses how much of each day before the last thirty was up by the minute: of
those days only the hours are known then.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollback", "0028_expand_letters_stay"),
    ]

    operations = [
        migrations.CreateModel(
            name="UptimeDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("part", models.CharField(max_length=50, verbose_name="part")),
                ("on_date", models.DateField(verbose_name="day")),
                ("known_minutes", models.PositiveSmallIntegerField(verbose_name="known minutes")),
                ("down_minutes", models.PositiveSmallIntegerField(verbose_name="minutes down")),
            ],
            options={
                "verbose_name": "day of the status page",
                "verbose_name_plural": "days of the status page",
                "default_permissions": (),
                "indexes": [models.Index(fields=["on_date"], name="uptime_days")],
                "constraints": [
                    models.UniqueConstraint(fields=("part", "on_date"), name="uptime_day_once"),
                    models.CheckConstraint(
                        condition=models.Q(("down_minutes__lte", models.F("known_minutes"))),
                        name="uptime_down_among_known",
                    ),
                ],
            },
        ),
    ]
