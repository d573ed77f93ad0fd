"""Rows of a file beside rows of the database: what is new, what differs, written in bulk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import Model

from enrollment.domain.sheets import Record
from enrollment.importing.desk import Counts

BATCH = 1000
M = TypeVar("M", bound=Model)


@dataclass
class Merge(Generic[M]):
    model: type[M]
    new: list[M] = field(default_factory=list)
    changed: list[M] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    unchanged: int = 0

    def take(self, found: M | None, wanted: Mapping[str, Any], record: Record) -> M:
        """The row as it shall be. A column the file does not have leaves a known row as it is.

        wanted: by attribute; a foreign key as `…_id`, so that comparing costs no query.
        """
        if found is None:
            made = self.model(**wanted)
            self.new.append(made)
            return made
        self.change(
            found,
            {name: wanted[name] for name in wanted if record.has(name.removesuffix("_id"))},
        )
        return found

    def change(self, found: M, wanted: Mapping[str, Any]) -> None:
        differing = {name for name, value in wanted.items() if getattr(found, name) != value}
        for name in differing:
            setattr(found, name, wanted[name])
        if differing:
            self.changed.append(found)
            self.fields |= differing
        else:
            self.unchanged += 1

    def write(self) -> None:
        manager = self.model._default_manager
        if self.changed:
            manager.bulk_update(self.changed, sorted(self.fields), batch_size=BATCH)
        manager.bulk_create(self.new, batch_size=BATCH)

    @property
    def counts(self) -> Counts:
        return Counts(created=len(self.new), changed=len(self.changed), unchanged=self.unchanged)
