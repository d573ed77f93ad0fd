"""Who put a stakeholder on the list, and when. Undoing loses both; the list itself stays."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("rollback", "0030_expand_channels_told")]

    operations = [
        migrations.AddField(
            model_name="stakeholder",
            name="added_at",
            field=models.DateTimeField(db_default=Now(), editable=False, verbose_name="added"),
        ),
        migrations.AddField(
            model_name="stakeholder",
            name="added_by_name",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=150,
                verbose_name="added by",
            ),
        ),
    ]
