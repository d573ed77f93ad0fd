"""Writing what may be booked."""

from django.db import connection

from scheduling.models import BookingPolicy
from scheduling.operations.hours import one_at_a_time


def one_policy_at_a_time(*, teacher_id: str) -> None:
    """Whoever else saves a policy waits until this transaction ends. Reading goes on.

    teacher_id: of one teacher's policy, whose row comes first as everywhere; empty for the school's.
    """
    one_at_a_time(teacher_id=teacher_id)
    table = connection.ops.quote_name(BookingPolicy._meta.db_table)
    with connection.cursor() as cursor:
        # The school's and a course's own have no teacher to lock.
        cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
