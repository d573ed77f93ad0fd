"""What a file of the export holds: where its rows come from, and where they go."""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollback.preserving.kinds import Kind


@dataclass(frozen=True, kw_only=True)
class Column:
    """of: SQL of its value; "": the table's column of this name. into: the table's column that it is
    written to; None: the one of this name, "": none. empty: the cell may be. names: the file one of
    whose keys it is. fixed: an import never changes it in a row that is there. later: files of the first
    release do not have it, and say nothing of it.
    """

    name: str
    kind: Kind
    about: str
    of: str = ""
    into: str | None = None
    empty: bool = False
    names: str = ""
    fixed: bool = False
    later: bool = False

    @property
    def target(self) -> str:
        return self.name if self.into is None else self.into

    @property
    def text(self) -> str:
        """SQL of the cell. By bytes it is compared and sorted several times faster than by a language."""
        return f"coalesce({self.kind.text.format(self.of or f't.{self.name}')}, '') COLLATE \"C\""


@dataclass(frozen=True, kw_only=True)
class File:
    """The first column is the key: it means the same row in every school.

    source: what follows FROM, with the table itself as `t`. where: which rows are exported. order:
    of the rows, where it is not that of their keys. with_: named queries that `source` uses.
    made_of: SQL of what the key begins with, of a row `s` of the file; "": nothing to compare.
    also: columns of the table → SQL of what is written there, of a row `s` of the file. only_new: the
    same, of rows that are made. untouched: SQL, which rows `w` of the table no import changes.
    untouched_words: what they are.
    """

    name: str
    table: str
    about: str
    columns: Sequence[Column]
    source: str
    where: str = "true"
    order: str = ""
    with_: Sequence[str] = ()
    made_of: str = ""
    also: Mapping[str, str] = field(default_factory=dict)
    only_new: Mapping[str, str] = field(default_factory=dict)
    untouched: str = "false"
    untouched_words: str = ""

    @property
    def key(self) -> str:
        return self.columns[0].name

    @property
    def stem(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_json(self) -> bool:
        return self.name.endswith(".jsonl")

    def query(self, *, all_rows: bool = False, pk: bool = False) -> str:
        """Of its cells, each a text, in the order of its columns. all_rows: also what is not exported."""
        named = "WITH " + ", ".join(self.with_) if self.with_ else ""
        cells = [f'{column.text} AS "{column.name}"' for column in self.columns]
        if pk:
            cells.append("t.id AS pk")
        by = self.order or self.columns[0].text
        ordered = "" if all_rows else f"ORDER BY {by}"
        where = "true" if all_rows else self.where
        return f"{named} SELECT {', '.join(cells)} FROM {self.source} WHERE {where} {ordered}"
