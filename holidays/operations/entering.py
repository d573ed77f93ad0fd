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
    of_teachers, of_courses = Holiday.teachers.through, Holiday.courses.through
    of_teachers.objects.bulk_create(
        of_teachers(holiday=one, teacher=teacher) for one in made for teacher in teachers
    )
    of_courses.objects.bulk_create(
        of_courses(holiday=one, course=course) for one in made for course in courses
    )
    return made
