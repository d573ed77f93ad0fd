"""Holidays. Undoing loses all of them: days that were closed can be booked again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Holiday",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("first_on", models.DateField(verbose_name="first day")),
                ("last_on", models.DateField(help_text="Counted in.", verbose_name="last day")),
                ("note", models.TextField(blank=True, max_length=1000, verbose_name="note")),
            ],
            options={
                "verbose_name": "holiday",
                "verbose_name_plural": "holidays",
                "ordering": ["first_on", "last_on", "name"],
                "indexes": [models.Index(fields=["last_on", "first_on"], name="holiday_days")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last_on__gte", models.F("first_on"))),
                        name="holiday_last_not_before_first",
                        violation_error_message="The last day is not before the first.",
                    ),
                    models.UniqueConstraint(
                        fields=("name", "first_on", "last_on"),
                        name="holiday_once",
                        violation_error_message="This holiday is already entered.",
                    ),
                ],
            },
        ),
    ]
