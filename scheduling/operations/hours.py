"""Writing a teacher's weekly hours."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from enrollment.models import Teacher
from scheduling.models import AvailabilityRule


def one_at_a_time(*, teacher_id: str) -> None:
    """Whoever else saves hours of this teacher waits until this transaction ends."""
    if teacher_id.isdecimal() and len(teacher_id) < 19:
        Teacher.objects.select_for_update(no_key=True).filter(pk=int(teacher_id)).first()


@transaction.atomic
def save_hours(*, rule: AvailabilityRule) -> AvailabilityRule:
    """:raises ValidationError: with the message at the field."""
    # Two tabs at once: the second waits, and is told which window it overlaps.
    one_at_a_time(teacher_id=str(rule.teacher_id))
    rule.full_clean()
    rule.save()
    return rule


def delete_hours(*, teacher: Teacher, rule_id: int) -> bool:
    """False when it is not there, or not this teacher's. Lessons already agreed stay."""
    deleted, _by_model = AvailabilityRule.objects.filter(pk=rule_id, teacher=teacher).delete()
    return bool(deleted)


@transaction.atomic
def change_hours(*, teacher: Teacher, rule_id: int, said: Mapping[str, Any]) -> AvailabilityRule:
    """Only what is `said` changes, of the hours as they are now.

    :raises ValidationError: with the message at the field.
    :raises AvailabilityRule.DoesNotExist: it is not there, or not this teacher's.
    """
    one_at_a_time(teacher_id=str(teacher.pk))
    rule = AvailabilityRule.objects.select_related("teacher").get(pk=rule_id, teacher=teacher)
    for name, value in said.items():
        setattr(rule, name, value)
    return save_hours(rule=rule)
