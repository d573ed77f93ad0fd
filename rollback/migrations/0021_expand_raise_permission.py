"""A permission to raise, besides the one to change. Undoing leaves it in its table, where nobody asks for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollback", "0020_expand_complaint_done_by")]

    operations = [
        migrations.AlterModelOptions(
            name="flag",
            options={
                "ordering": [models.OrderBy(models.F("requires"), nulls_first=True), "name"],
                "permissions": [("raise_flag", "Can raise feature flag")],
                "verbose_name": "feature flag",
                "verbose_name_plural": "feature flags",
            },
        ),
    ]
