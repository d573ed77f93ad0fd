"""Rows of a file beside rows of the database: what is new, what differs, written in bulk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import Model

from enrollment.domain.cells import as_read
from enrollment.domain.sheets import Record
from enrollment.importing.desk import Counts, Touched

BATCH = 1000
M = TypeVar("M", bound=Model)


@dataclass
class Merge(Generic[M]):
    model: type[M]
    new: list[M] = field(default_factory=list)
    changed: list[M] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    unchanged: int = 0
    lines: dict[int, int] = field(default_factory=dict)

    def take(self, found: M | None, wanted: Mapping[str, Any], record: Record) -> M:
        """The row as it shall be. A column the file does not have leaves a known row as it is.

        wanted: by attribute; a foreign key as `…_id`, so that comparing costs no query.
        """
        if found is None:
            return self.add(self.model(**wanted), record)
        self.change(
            found,
            {name: wanted[name] for name in wanted if record.has(name.removesuffix("_id"))},
            record,
        )
        return found

    def add(self, made: M, record: Record) -> M:
        self.new.append(made)
        self.lines[id(made)] = record.line
        return made

    def change(self, found: M, wanted: Mapping[str, Any], record: Record) -> None:
        differing = {name for name in wanted if not same(getattr(found, name), wanted[name])}
        for name in differing:
            setattr(found, name, wanted[name])
        if differing:
            self.changed.append(found)
            self.lines[id(found)] = record.line
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
        """After `write`: before it, what is new has no id."""
        return counted(
            [self._touched(made, is_new=True) for made in self.new]
            + [self._touched(found, is_new=False) for found in self.changed],
            of=len(self.new) + len(self.changed) + self.unchanged,
        )

    def _touched(self, row: M, *, is_new: bool) -> Touched:
        return Touched(line=self.lines[id(row)], pk=row.pk, is_new=is_new)


def counted(touched: Iterable[Touched], *, of: int) -> Counts:
    """of: how many rows were dealt with."""
    in_order = sorted(touched, key=lambda one: one.line)
    created = sum(one.is_new for one in in_order)
    return Counts(
        created=created,
        changed=len(in_order) - created,
        unchanged=of - len(in_order),
        touched=in_order,
    )


def same(found: Any, wanted: Any) -> bool:
    """A text with other blanks or line breaks is the file's text, when that is how it is read."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted or wanted in as_read(found)
    return bool(found == wanted)
