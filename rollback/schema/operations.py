"""Migration operations whose reverse keeps the data, for what the features add to the schema.

In place of `migrations.CreateModel` and `migrations.AddField`. Backwards they move into the schema `archive`
what Django would drop; forwards they bring it back if it is there.
"""

from collections.abc import Mapping
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import Field, ManyToManyField, Model

from rollback.schema import archive, catalog, copying, ledger, returning


class ArchivingCreateModel(migrations.CreateModel):
    """Constraints and indexes belong into `options`: they move along with the table then, and are not
    built again over all rows when it comes back.

    db_on_delete: field → "CASCADE" or "SET NULL", done by the database to rows whose parent on the ground
    floor is deleted. The model says DO_NOTHING: Django would ask this table first, and it may be archived.
    """

    def __init__(
        self,
        name: str,
        fields: "list[tuple[str, Field[Any, Any]]]",
        options: dict[str, Any] | None = None,
        bases: tuple[Any, ...] | None = None,
        managers: list[tuple[str, Any]] | None = None,
        db_on_delete: Mapping[str, str] | None = None,
    ) -> None:
        """Every argument by its name: Django writes into a migration what it finds in this list."""
        super().__init__(name, fields, options, bases, managers)
        self.db_on_delete = dict(db_on_delete or {})

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        name, args, options = super().deconstruct()
        if self.db_on_delete:
            options["db_on_delete"] = self.db_on_delete
        return name, list(args), options

    def reduce(self, operation: Any, app_label: str) -> bool:
        """Squashing would make a plain CreateModel of this and whatever alters it."""
        return False

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        schema_editor.create_model(model)
        self.set_on_delete(schema_editor, model)
        if schema_editor.collect_sql:
            return
        for table in tables_of(model):
            with schema_editor.connection.cursor() as cursor:
                entry = ledger.waiting(cursor, table=table)
            if entry:
                returning.bring_back(schema_editor, entry=entry, table=table)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = from_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        for table in reversed(tables_of(model)):
            put_table_away(schema_editor, app_label, table)

    def describe(self) -> str:
        return f"{super().describe()} (kept in the archive when it is undone)"

    def set_on_delete(self, editor: BaseDatabaseSchemaEditor, model: type[Model]) -> None:
        for name, clause in self.db_on_delete.items():
            field = model._meta.get_field(name)
            if isinstance(field, ManyToManyField):
                returning.on_delete(
                    editor, table_between(field), {field.m2m_reverse_name(): clause}
                )
            elif isinstance(field, Field):
                returning.on_delete(editor, model._meta.db_table, {str(field.column): clause})


class ArchivingAddField(migrations.AddField):
    """Backwards the column's values wait in a table of the archive, each with its row's primary key."""

    def reduce(self, operation: Any, app_label: str) -> bool:
        return False

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.collect_sql or not self.allow_migrate_model(
            schema_editor.connection.alias, model
        ):
            return
        field = model._meta.get_field(self.name)
        with schema_editor.connection.cursor() as cursor:
            if isinstance(field, ManyToManyField):
                table = table_between(field)
                if entry := ledger.waiting(cursor, table=table):
                    returning.bring_back(schema_editor, entry=entry, table=table)
                return
            table, column = model._meta.db_table, field.column
            if entry := ledger.waiting(cursor, table=table, column=column):
                parent = None
                if field.is_relation:
                    target = field.target_field
                    parent = (target.model._meta.db_table, target.column)
                copying.fill_column(cursor, entry=entry, pk=model._meta.pk.column, parent=parent)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        field = model._meta.get_field(self.name)
        if isinstance(field, ManyToManyField):
            put_table_away(schema_editor, app_label, table_between(field))
            return
        if schema_editor.collect_sql:
            schema_editor.execute(
                archive.copy_of_column(model._meta.db_table, model._meta.pk.column, field.column)
            )
        else:
            with schema_editor.connection.cursor() as cursor:
                archive.put_column_away(
                    cursor,
                    app=app_label,
                    table=model._meta.db_table,
                    pk=model._meta.pk.column,
                    column=field.column,
                )
        super().database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return f"{super().describe()} (its values kept in the archive when it is undone)"


def tables_of(model: type[Model]) -> list[str]:
    """The model's own, then those between it and others, which refer to it."""
    between = [
        table_between(field)
        for field in model._meta.local_many_to_many
        if (through := field.remote_field.through) is not None and through._meta.auto_created
    ]
    return [model._meta.db_table, *between]


def table_between(field: "ManyToManyField[Any, Any]") -> str:
    through = field.remote_field.through
    assert through is not None, f"{field} has no table yet"
    return through._meta.db_table


def put_table_away(editor: BaseDatabaseSchemaEditor, app: str, table: str) -> None:
    if not editor.collect_sql:
        with editor.connection.cursor() as cursor:
            archive.put_away(cursor, app=app, table=table)
        return
    # `sqlmigrate`: what would be done, as far as it can be said without doing it.
    with editor.connection.cursor() as cursor:
        keys = (
            catalog.foreign_keys(cursor, catalog.PUBLIC, table)
            if catalog.exists(cursor, catalog.PUBLIC, table)
            else []
        )
    for key in keys:
        editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{key.name}"')
    editor.execute(f"CREATE SCHEMA IF NOT EXISTS {catalog.ARCHIVE}")
    editor.execute(f'ALTER TABLE "{table}" SET SCHEMA {catalog.ARCHIVE}')
