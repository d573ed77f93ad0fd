"""Entering closures, by one person at a time."""

from collections.abc import Collection, Sequence

from django.db import connection, transaction

from enrollment.models import Course, Teacher
from holidays.models import Holiday

# Any number that no other advisory lock has.
ENTERING = 0x686F6C79


def one_at_a_time() -> None:
    """Inside a transaction, before anything is looked at: whoever enters something too has saved it by
    then, and what is entered twice is refused in words. Where it is not asked for, the database's
    constraint refuses."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ENTERING])


@transaction.atomic
def enter(
    *, holidays: Sequence[Holiday], teachers: Collection[Teacher], courses: Collection[Course]
) -> Sequence[Holiday]:
    """teachers, courses: of each of them.

    :raises IntegrityError: one is entered already; nothing was written.
    """
    made = Holiday.objects.bulk_create(holidays)
    for link, pks in (
        (Holiday.teachers.through, [("teacher_id", one.pk) for one in teachers]),
        (Holiday.courses.through, [("course_id", one.pk) for one in courses]),
    ):
        link.objects.bulk_create(
            link(holiday_id=holiday.pk, **{name: pk}) for holiday in made for name, pk in pks
        )
    return made
