"""Whoever is deleted on the ground floor asks no table of a feature, which may be archived."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import DO_NOTHING, ForeignKey

FEATURES = ("scheduling", "holidays")
KEYS: list[Any] = [
    field
    for app in FEATURES
    for model in apps.get_app_config(app).get_models(include_auto_created=True)
    for field in model._meta.local_fields
    if isinstance(field, ForeignKey) and field.remote_field.model._meta.app_label not in FEATURES
]


@pytest.mark.parametrize("field", KEYS, ids=str)
def test_django_leaves_it_to_the_database(field: Any) -> None:
    assert field.remote_field.on_delete is DO_NOTHING


@pytest.mark.django_db
@pytest.mark.parametrize("field", [one for one in KEYS if one.db_constraint], ids=str)
def test_the_database_does_it(field: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT confdeltype FROM pg_constraint
                 JOIN pg_attribute ON (attrelid, attnum) = (conrelid, conkey[1])
                WHERE conrelid = %s::regclass AND contype = 'f' AND attname = %s""",
            [field.model._meta.db_table, field.column],
        )
        found = cursor.fetchall()
    assert found in ([("c",)], [("n",)])
