"""A file's rows beside the school's, in the database: what is new, what is the same, what differs.

Both are compared as texts, written by the same query as the export's: so what an import leaves behind is what
an export would write, and a second import finds nothing to do.
"""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import DataError, IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from enrollment.domain.sheets import Problem
from rollback.domain.errors import without_rows
from rollback.preserving.files import Column, File
from rollback.preserving.reading import Line

BATCH = 5000
# So many rows are found as quickly without an index.
FEW = 500
# Of one file; more are only counted.
MOST_PROBLEMS = 1000
NEW, SAME, DIFFERS, BAD = "new", "same", "differs", "bad"
# Written by us, where the school had it otherwise.
UPDATED = "updated"


@dataclass
class Stage:
    """One file on its way in. unread: by file, the keys of lines that could not be read; nobody
    complains again that they are missing. seen: how many lines there were."""

    file: File
    cursor: CursorWrapper
    unread: dict[str, set[str]]
    problems: list[Problem] = field(default_factory=list)
    untold: int = 0
    seen: int = 0

    def tell(self, problem: Problem) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.untold += 1

    def tell_at(self, line: int, column: str, value: str, hint: str) -> None:
        self.tell(
            Problem(file=self.file.name, line=line, column=column, value=value[:200], hint=hint)
        )

    @property
    def staged(self) -> str:
        return f'"staged_{self.file.stem}"'

    @property
    def school(self) -> str:
        return f'"school_{self.file.stem}"'

    @property
    def is_full(self) -> bool:
        """Enough was told; looking on would take long, and help nobody."""
        return self.untold > 0

    # ------------------------------------------------------------------ in

    def fill(self, lines: Iterable[Line]) -> None:
        columns = ", ".join(
            f'"{column.name}" text COLLATE "C" NOT NULL' for column in self.file.columns
        )
        self._run(
            f"CREATE TEMP TABLE {self.staged} (line bigint, state text DEFAULT '{NEW}', {columns})"
            " ON COMMIT DROP"
        )
        names = ", ".join(f'"{column.name}"' for column in self.file.columns)
        with self.cursor.copy(f"COPY {self.staged} (line, {names}) FROM STDIN") as copy:
            for line in lines:
                self.seen += 1
                if line.problems:
                    self.unread[self.file.name].add(line.key)
                    for problem in line.problems:
                        self.tell(problem)
                else:
                    copy.write_row((line.number, *line.cells))
        if self.seen > FEW:
            self._run(f"ANALYZE {self.staged}")
        self._settle_json()
        self._refuse_repeated()
        self._refuse_other_keys()

    def _settle_json(self) -> None:
        """As the database writes it, so that equal ones are equal texts."""
        for column in self.file.columns:
            if column.kind.value.endswith("::jsonb"):
                change = f'SET "{column.name}" = ("{column.name}"::jsonb)::text'
                self._by_batches(
                    f"UPDATE {self.staged} s {change} WHERE s.state = '{NEW}' AND {{some}}"
                )

    def _refuse_repeated(self) -> None:
        key = f'"{self.file.key}"'
        self._run(
            f"""WITH first AS (SELECT {key} AS key, min(line) AS line FROM {self.staged}
                  WHERE state <> '{BAD}' GROUP BY 1 HAVING count(*) > 1)
                UPDATE {self.staged} s SET state = '{BAD}' FROM first
                 WHERE s.{key} = first.key AND s.line > first.line AND s.state <> '{BAD}'
                RETURNING s.line, s.{key}, first.line"""
        )
        for line, text, first in self.cursor.fetchall():
            hint = f"already stands in line {first}; keep one of the two."
            self.tell_at(line, self.file.key, text, hint)

    def _refuse_other_keys(self) -> None:
        """A row is known again by its key, so the key must be what the row says."""
        made, key = self.file.made_of, f's."{self.file.key}"'
        if not made:
            return
        self._run(
            f"""UPDATE {self.staged} s SET state = '{BAD}'
                 WHERE s.state <> '{BAD}' AND {key} <> {made}
                   AND NOT (starts_with({key}, {made} || ' ')
                            AND substr({key}, length({made}) + 2) ~ '^[1-9][0-9]*$')
                RETURNING s.line, {key}, {made}"""
        )
        for line, text, expected in self.cursor.fetchall():
            self.unread[self.file.name].add(text)
            hint = (
                f"does not fit the line, whose key begins with “{expected}”; correct one of them."
            )
            self.tell_at(line, self.file.key, text, hint)

    # ------------------------------------------------------------------ compared

    def compare(self) -> None:
        """Also again after writing."""
        self._run(f"DROP TABLE IF EXISTS {self.school}")
        query = self.file.query(all_rows=True, pk=True)
        self._run(f"CREATE TEMP TABLE {self.school} ON COMMIT DROP AS {query}")
        if self.cursor.rowcount > FEW:
            self._run(f'CREATE INDEX ON {self.school} ("{self.file.key}"); ANALYZE {self.school}')

    def sort(self) -> None:
        """Each staged row is new, the same, or differs."""
        self._run(
            f"""UPDATE {self.staged} s
                   SET state = CASE WHEN {self._differs()} THEN '{DIFFERS}' ELSE '{SAME}' END
                  FROM {self.school} t WHERE {self._same_key()} AND s.state = '{NEW}'"""
        )

    def _differs(self) -> str:
        mine = ", ".join(f's."{column.name}"' for column in self.file.columns)
        theirs = ", ".join(f't."{column.name}"' for column in self.file.columns)
        return f"({mine}) IS DISTINCT FROM ({theirs})"

    def _same_key(self) -> str:
        return f't."{self.file.key}" = s."{self.file.key}"'

    def tell_differences(self, *, update: bool) -> None:
        """update: only those that no import may change. All of the columns of a row that it may not touch."""
        columns = self.file.columns
        pairs = ", ".join(f's."{column.name}", t."{column.name}"' for column in columns)
        # Else those that may be changed would fill the first thousand, and hide the others.
        never = (
            [f's."{c.name}" <> t."{c.name}"' for c in columns if c.fixed] if update else ["true"]
        )
        self._run(
            f"""SELECT s.line, ({self.file.untouched}), {pairs} FROM {self.staged} s
                  JOIN {self.school} t ON {self._same_key()} JOIN {self.file.table} w ON w.id = t.pk
                 WHERE s.state = '{DIFFERS}' AND ({" OR ".join([self.file.untouched, *never])})
                 ORDER BY s.line LIMIT {MOST_PROBLEMS + 1}"""
        )
        for line, is_untouched, *texts in self.cursor.fetchall():
            for column, mine, theirs in zip(columns, texts[::2], texts[1::2], strict=True):
                if mine != theirs and (is_untouched or column.fixed or not update):
                    why = self.file.untouched_words if is_untouched else ""
                    self.tell_at(line, column.name, mine, _differing(column, theirs, why))

    def refuse_unknown(self) -> None:
        """Rows that name what is neither in the folder nor in the school."""
        for column in self.file.columns:
            if not column.names:
                continue
            cell = f's."{column.name}"'
            self._run(
                f"""UPDATE {self.staged} s SET state = '{BAD}'
                     WHERE s.state IN ('{NEW}', '{DIFFERS}') AND {cell} <> ''
                       AND NOT EXISTS (SELECT FROM {keys(column.names)} k WHERE k.key = {cell})
                    RETURNING s.line, s."{self.file.key}", {cell}"""
            )
            for line, key, text in self.cursor.fetchall():
                self.unread[self.file.name].add(key)
                if text not in self.unread[column.names]:
                    hint = (
                        f"is neither in {column.names} nor in the school; add it or correct this."
                    )
                    self.tell_at(line, column.name, text, hint)

    # ------------------------------------------------------------------ written

    def write(self, *, update: bool) -> tuple[int, int]:
        """:returns: how many were made and changed."""
        made = self._by_batches(self._insert()) if self.count(NEW) else 0
        changed = 0
        if update and self._changing() and self.count(DIFFERS):
            changed = self._by_batches(self._update())
            self._run(f"UPDATE {self.staged} SET state = '{UPDATED}' WHERE state = '{DIFFERS}'")
        return made, changed

    def _values(self) -> dict[str, str]:
        """By the table's column, SQL of its value."""
        values = {column.target: _value(column) for column in self.file.columns if column.target}
        return {**values, **self.file.also}

    def _changing(self) -> dict[str, str]:
        """The same, of what an import may change: neither the key nor what is fixed."""
        kept = {column.target for column in self.file.columns if column.fixed}
        kept.add(self.file.columns[0].target)
        return {name: value for name, value in self._values().items() if name not in kept}

    def _insert(self) -> str:
        values = {**self._values(), **self.file.only_new}
        names = ", ".join(f'"{name}"' for name in values)
        return f"""INSERT INTO {self.file.table} ({names}) SELECT {", ".join(values.values())}
            FROM {self.staged} s WHERE s.state = '{NEW}' AND {{some}} ORDER BY s.line"""

    def _update(self) -> str:
        values = ", ".join(f'"{name}" = {value}' for name, value in self._changing().items())
        return f"""UPDATE {self.file.table} w SET {values}
            FROM {self.staged} s JOIN {self.school} t ON {self._same_key()}
            WHERE w.id = t.pk AND s.state = '{DIFFERS}' AND {{some}}"""

    def _by_batches(self, statement: str) -> int:
        """The database's own guards decide. Where they refuse a batch, its rows are tried one by one, so
        that each that is refused is named. statement: with {some} for which lines."""
        self._run(f"SELECT coalesce(max(line), 0) FROM {self.staged}")
        (last,) = self.cursor.fetchone()
        if last > FEW:
            # Not before: each change of a row would have to be put into it, too.
            self._run(
                f'CREATE INDEX IF NOT EXISTS {self.staged[:-1]}_line" ON {self.staged} (line)'
            )
        done = 0
        for first in range(1, last + 1, BATCH):
            if self.is_full:
                break
            some = f"s.line BETWEEN {first} AND {first + BATCH - 1}"
            found = self._try(statement.replace("{some}", some))
            if isinstance(found, int):
                done += found
            else:
                done += self._one_by_one(statement, some)
        return done

    def _one_by_one(self, statement: str, some: str) -> int:
        self._run(f"SELECT s.line FROM {self.staged} s WHERE {some} AND s.state <> '{BAD}'")
        done = 0
        for (line,) in sorted(self.cursor.fetchall()):
            if self.is_full:
                break
            found = self._try(statement.replace("{some}", f"s.line = {line}"))
            if isinstance(found, int):
                done += found
            else:
                self._refused(line, found)
        return done

    def _try(self, statement: str) -> int | Exception:
        """:returns: how many rows, or why not."""
        try:
            with transaction.atomic():
                self._run(statement)
                return int(self.cursor.rowcount)
        except (IntegrityError, DataError) as error:
            return error

    def _refused(self, line: int, error: Exception) -> None:
        self._run(
            f"UPDATE {self.staged} s SET state = '{BAD}' WHERE line = {line} RETURNING \"{self.file.key}\""
        )
        (key,) = self.cursor.fetchone()
        self.unread[self.file.name].add(key)
        words = _words(self.file, error)
        other = self._in_the_way(line) if "once" in _constraint(error) else ""
        hint = f"{words}{other} Nothing is put where the database refuses it; change this line or the school."
        self.tell_at(line, self.file.key, key, hint)

    def _in_the_way(self, line: int) -> str:
        """Of a lesson: the one that has its time."""
        if self.file.table != "enrollment_lesson":
            return ""
        self._run(
            f"""SELECT lower(wu.email), lower(su.email), c.slug, lower(t.period), t.status
                  FROM {self.staged} s, enrollment_lesson t
                  JOIN enrollment_course c ON c.id = t.course_id
                  JOIN enrollment_student p ON p.id = t.student_id
                  JOIN enrollment_user su ON su.id = p.user_id
                  JOIN enrollment_teacher q ON q.id = t.teacher_id
                  JOIN enrollment_user wu ON wu.id = q.user_id
                 WHERE s.line = {line} AND t.status <> 'cancelled'
                   AND (lower(wu.email) COLLATE "C" = s.teacher OR lower(su.email) COLLATE "C" = s.student)
                   AND t.busy && tstzrange(
                       s.starts_at::timestamptz - s.buffer_before::integer * interval '1 minute',
                       s.ends_at::timestamptz + s.buffer_after::integer * interval '1 minute')
                 LIMIT 1"""
        )
        found = self.cursor.fetchone()
        if not found:
            return ""
        teacher, student, course, starts, status = found
        return (
            f" In its way is {course}, {starts.isoformat()}, {student} with {teacher} ({status})."
        )

    # ------------------------------------------------------------------ afterwards

    def look_again(self) -> None:
        """What was written, read again the way it is exported, is what the file says."""
        self.compare()
        key = f'"{self.file.key}"'
        self._run(
            f"""SELECT s.line, s.{key}, t.pk IS NULL FROM {self.staged} s
                  LEFT JOIN {self.school} t ON {self._same_key()}
                 WHERE s.state IN ('{NEW}', '{SAME}', '{UPDATED}') AND (t.pk IS NULL OR {self._differs()})
                 ORDER BY s.line LIMIT {MOST_PROBLEMS}"""
        )
        for line, text, is_gone in self.cursor.fetchall():
            hint = (
                "could not be found again after it was written: the number at the end of its key does not "
                "follow those of the school. Number the rows that begin alike 1, 2, 3."
                if is_gone
                else "was written, and the school has it otherwise; is something in the database changing it?"
            )
            self.tell_at(line, self.file.key, text, hint)

    def forgive_what_follows(self) -> None:
        """A row that could not be written leaves those that are numbered after it under other keys."""
        key = f'"{self.file.key}"'
        self._run(
            f"""SELECT s.{key} FROM {self.staged} s
                 WHERE NOT EXISTS (SELECT FROM {self.school} t WHERE {self._same_key()})"""
        )
        self.unread[self.file.name].update(text for (text,) in self.cursor.fetchall())

    def keep_keys(self) -> None:
        """For the files that name rows of this one."""
        table = keys(self.file.name)
        self._run(
            f'CREATE TEMP TABLE {table} ON COMMIT DROP AS SELECT "{self.file.key}" AS key, pk'
            f" FROM {self.school}"
        )
        if self.cursor.rowcount > FEW:
            self._run(
                f"CREATE INDEX ON {table} (key); CREATE INDEX ON {table} (pk); ANALYZE {table}"
            )
        self._run(f"DROP TABLE {self.school}")

    def count(self, *states: str) -> int:
        self._run(
            f"SELECT count(*) FROM {self.staged} WHERE state = ANY ('{{{','.join(states)}}}')"
        )
        return int(self.cursor.fetchone()[0])

    def _run(self, statement: str) -> None:
        self.cursor.execute(statement)


def keys(file: str) -> str:
    """The temporary table of a file's keys, and of the rows that have them."""
    return f"keys_{file.partition('.')[0]}"


def _value(column: Column) -> str:
    cell = f's."{column.name}"'
    if column.names:
        return f"(SELECT k.pk FROM {keys(column.names)} k WHERE k.key = {cell})"
    return column.kind.value.format(cell)


def _differing(column: Column, theirs: str, why: str) -> str:
    there = f"the school has “{theirs[:200]}”"
    if why:
        return (
            f"{there}, {why}, and an import never changes one; correct the line, or leave it out."
        )
    if column.fixed:
        return f"{there}, and an import never changes that; correct the line, or leave it out."
    return f"{there}; with --update the school takes over what the file says."


def _constraint(error: Exception) -> str:
    diagnosis: Any = getattr(error.__cause__, "diag", None)
    return (diagnosis and diagnosis.constraint_name) or ""


def _words(file: File, error: Exception) -> str:
    """Of the constraint, as the school's pages say it."""
    name = _constraint(error)
    for model in apps.get_models():
        if model._meta.db_table != file.table:
            continue
        for constraint in model._meta.constraints:
            if constraint.name == name:
                return str(constraint.get_violation_error_message())
    first = without_rows(error).partition("\n")[0]
    return f"The database refuses it: {first}."


def problems_of(stages: Sequence[Stage]) -> Iterator[Problem]:
    for stage in stages:
        yield from sorted(stage.problems, key=lambda problem: problem.line)
        if stage.untold:
            yield Problem(file=stage.file.name, hint=f"has more than {MOST_PROBLEMS} problems.")


def begin(file: File, unread: dict[str, set[str]]) -> Stage:
    return Stage(file=file, cursor=connection.cursor(), unread=unread)
