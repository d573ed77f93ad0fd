"""Whose logins what was brought in is for: their groups; and nobody who signed up with another's address."""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db import connection

from enrollment.models import User
from enrollment.operations.import_school.logins import close_doubtful, dealt_with, teaching
from rollback.preserving import ground
from rollback.preserving.files import File
from rollback.preserving.ground import GROUND
from rollback.preserving.staging import BATCH, NEW, UPDATED, keys

# By file whose rows are somebody's: each row's id, and whose login it is.
WHOSE = {
    ground.PEOPLE: "SELECT id, id AS user_id FROM enrollment_user",
    ground.TEACHERS: "SELECT id, user_id FROM enrollment_teacher",
    ground.STUDENTS: "SELECT id, user_id FROM enrollment_student",
    ground.ENROLLMENTS: "SELECT e.id, s.user_id FROM enrollment_enrollment e"
    " JOIN enrollment_student s ON s.id = e.student_id",
    ground.LESSONS: "SELECT l.id, s.user_id FROM enrollment_lesson l"
    " JOIN enrollment_student s ON s.id = l.student_id",
}


@dataclass(frozen=True, kw_only=True)
class Known:
    """Logins the office had to do with before the import."""

    teachers: set[int]
    all: set[int]


def known() -> Known:
    return Known(teachers=teaching(), all=dealt_with())


def settle(before: Known) -> int:
    """The groups that their pages ask for; and nobody who signed up with somebody else's address finds
    that person's life under it: who signs up is a student at once, so it is not the new students alone.

    :returns: how many logins lost their password.
    """
    for name, group in ((ground.TEACHERS, "teacher"), (ground.STUDENTS, "student")):
        _give_group(name, group)
    teachers = _got([ground.BY_NAME[ground.TEACHERS]]) - before.teachers
    closed = _close(teachers, before.teachers)
    return closed + _close(_got(GROUND) - before.all, before.all)


def _close(asked: set[int], known: set[int]) -> int:
    """A statement takes no more than 65535 parameters."""
    ids = sorted(asked)
    parts = [ids[first : first + BATCH] for first in range(0, len(ids), BATCH)]
    return sum(close_doubtful(User.objects.filter(pk__in=part), known=known) for part in parts)


def _give_group(name: str, group: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO enrollment_user_groups (user_id, group_id)
                SELECT p.pk, %s FROM {_staged(name)} s
                  JOIN {keys(ground.PEOPLE)} p ON p.key = s.email
                  JOIN enrollment_user u ON u.id = p.pk AND u.deleted_at IS NULL
                 WHERE s.state = '{NEW}' ON CONFLICT DO NOTHING""",
            [Group.objects.get_or_create(name=group)[0].pk],
        )


def _got(files: Sequence[File]) -> set[int]:
    """To whom these files brought anything: a row that names them, or one of what is theirs."""
    found: set[int] = set()
    with connection.cursor() as cursor:
        for file in files:
            for query in _queries(file):
                cursor.execute(query)
                found.update(pk for (pk,) in cursor.fetchall())
    return found


def _queries(file: File) -> Iterator[str]:
    for column in file.columns:
        # The row of a person is theirs, too.
        names = file.name if column.name == file.key and not column.names else column.names
        if names in WHOSE:
            yield f"""SELECT DISTINCT w.user_id FROM {_staged(file.name)} s
                JOIN {keys(names)} k ON k.key = s."{column.name}"
                JOIN ({WHOSE[names]}) w ON w.id = k.pk
               WHERE s.state IN ('{NEW}', '{UPDATED}')"""


def _staged(name: str) -> str:
    return f'"staged_{name.partition(".")[0]}"'
