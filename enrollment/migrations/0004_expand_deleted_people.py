"""When somebody was deleted. Undoing loses that moment; who was made anonymous stays so."""

from django.db import migrations, models

import enrollment.models.people


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0003_expand_messages")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="deleted_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="deleted"
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.EmailField(
                max_length=254,
                unique=True,
                validators=[enrollment.models.people.validate_address],
                verbose_name="e-mail address",
            ),
        ),
    ]
