"""What the channels were told of a page. Undoing loses that: they are told once more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollback", "0029_expand_uptime")]

    operations = [
        migrations.AddField(
            model_name="page",
            name="channels_told",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                max_length=12,
                verbose_name="channels were told",
            ),
        ),
        migrations.AlterModelOptions(
            name="channel",
            options={
                "ordering": ["name"],
                "verbose_name": "on-call channel",
                "verbose_name_plural": "on-call channels",
            },
        ),
        migrations.AlterModelOptions(
            name="page",
            options={
                "default_permissions": ("view",),
                "ordering": ["-opened_at", "-pk"],
                "verbose_name": "on-call page",
                "verbose_name_plural": "on-call pages",
            },
        ),
    ]
