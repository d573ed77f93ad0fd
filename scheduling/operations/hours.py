"""Writing a teacher's weekly hours."""

from django.db import transaction

from enrollment.models import Teacher
from scheduling.models import AvailabilityRule


@transaction.atomic
def save_hours(*, rule: AvailabilityRule) -> AvailabilityRule:
    """:raises ValidationError: with the message at the field."""
    # Two tabs at once: the second waits, and is told which window it overlaps.
    Teacher.objects.select_for_update(no_key=True).get(pk=rule.teacher_id)
    rule.full_clean()
    rule.save()
    return rule


def delete_hours(*, teacher: Teacher, rule_id: int) -> bool:
    """False when it is not there, or not this teacher's. Lessons already agreed stay."""
    deleted, _by_model = AvailabilityRule.objects.filter(pk=rule_id, teacher=teacher).delete()
    return bool(deleted)
