from typing import Any

from django.db import models


class Unreadable:
    """Stands for JSON that the database holds and Python cannot read."""


class AnyJSONField(models.JSONField):
    """Loading a row never fails: PostgreSQL nests deeper, and counts further, than Python reads."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        try:
            return super().from_db_value(value, expression, connection)
        except (ValueError, RecursionError):
            return Unreadable()

    def deconstruct(self) -> Any:
        """In migrations a JSONField: the column is the same."""
        name, _path, arguments, named = super().deconstruct()
        return name, "django.db.models.JSONField", arguments, named
