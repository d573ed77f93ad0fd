"""A warning at the start when Python and PostgreSQL disagree about a time zone in use.

`manage.py check --database default` and `migrate` say it, `manage.py setup`, which every start runs,
and once a night `enrollment.tasks.compare_zone_data` does in the log. No page asks.
"""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connection
from django.utils import timezone

from enrollment.models import Lesson
from enrollment.queries import zones


@checks.register(checks.Tags.database)
def zone_data(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    # Before the first migration there is nobody who could have a zone.
    if not databases or Lesson._meta.db_table not in connection.introspection.table_names():
        return []
    found = zones.differences(now=timezone.now())
    if not found:
        return []
    return [
        checks.Warning(
            f"Python and PostgreSQL disagree about: {', '.join(map(str, found))}.",
            hint=(
                "Update the older of the two time zone databases: PostgreSQL's, or Python's (the "
                "system's, else the package tzdata). Lessons are planned by Python's."
            ),
            id="school.W001",
        )
    ]
