"""The switchboard's row and the four flags, all at 0 %. Undoing loses their shares."""

from uuid import uuid4

from django.db import migrations

MASTER = "ENABLE_TEACHER_SCHEDULING"
OTHERS = ("ENABLE_AVAILABILITY_API", "ENABLE_CALENDAR_DISPLAY", "ENABLE_HOLIDAY_MANAGEMENT")


def create(apps, schema_editor):
    apps.get_model("rollback", "Switchboard").objects.create(pk=1, salt=uuid4())
    flags = apps.get_model("rollback", "Flag").objects
    master = flags.create(name=MASTER)
    for name in OTHERS:
        flags.create(name=name, requires=master)


def remove(apps, schema_editor):
    apps.get_model("rollback", "Flag").objects.exclude(requires=None).delete()
    apps.get_model("rollback", "Flag").objects.all().delete()
    apps.get_model("rollback", "Switchboard").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("rollback", "0002_expand_version_triggers")]

    operations = [migrations.RunPython(create, remove)]
