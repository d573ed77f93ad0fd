"""Indexes: mails that were given up, and mails to addresses. Undoing loses nothing; both are slower to find."""

from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    dependencies = [("rollback", "0031_expand_stakeholders")]

    operations = [
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("state", "dead")),
                fields=["id"],
                name="notification_given_up",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                Lower("email"),
                condition=models.Q(("channel", None), ("user", None)),
                name="notification_address",
            ),
        ),
    ]
