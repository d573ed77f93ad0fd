"""Writing a teacher's weekly hours; and what every change of hours has in common."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher
from enrollment.operations import look_again
from enrollment.operations.lessons import lock_people
from scheduling.models import AvailabilityRule
from scheduling.queries.given import Given, lessons_outside


@dataclass(kw_only=True)
class Impact:
    """What a change of hours did. hit: planned lessons that lay in the hours before and do not any
    more; nothing happens to them here."""

    hit: Sequence[Given] = ()


def one_at_a_time(*, teacher_id: str) -> None:
    """Whoever else saves hours of this teacher waits until this transaction ends."""
    if teacher_id.isdecimal() and len(teacher_id) < 19:
        Teacher.objects.select_for_update(no_key=True).filter(pk=int(teacher_id)).first()


@contextmanager
def changing_hours(*, teacher: Teacher, now: datetime) -> Iterator[Impact]:
    """A transaction in which nobody else changes them.

    :raises PersonDeleted: (enrollment.operations.lessons) the teacher, a moment ago.
    """
    with transaction.atomic():
        lock_people(students=(), teachers=(teacher.pk,))
        before = {one.period for one in lessons_outside(teacher=teacher, now=now)}
        impact = Impact()
        yield impact
        after = lessons_outside(teacher=teacher, now=now)
        impact.hit = [one for one in after if one.period not in before]
        look_again.after_commit()


def save_hours(*, rule: AvailabilityRule, now: datetime) -> Impact:
    """New ones, or others instead of those with the same id.

    :raises ValidationError: with the message at the field.
    :raises AvailabilityRule.DoesNotExist: the id is no longer there, or another teacher's.
    """
    # Two tabs at once: the second waits, and is told which window it overlaps.
    with changing_hours(teacher=rule.teacher, now=now) as impact:
        before = None
        if rule.pk is not None:
            before = AvailabilityRule.objects.get(pk=rule.pk, teacher=rule.teacher_id).valid_until
        rule.full_clean()
        try:
            check_not_over(rule.valid_until, before=before, zone=rule.teacher.zone, now=now)
        except ValidationError as error:
            raise ValidationError({"valid_until": error}) from error
        rule.save()
    return impact


def delete_hours(*, teacher: Teacher, rule_id: int, now: datetime) -> Impact:
    """Lessons already agreed stay.

    :raises AvailabilityRule.DoesNotExist: it is not there, or not this teacher's.
    """
    with changing_hours(teacher=teacher, now=now) as impact:
        AvailabilityRule.objects.get(pk=rule_id, teacher=teacher).delete()
    return impact


def check_not_over(day: date | None, *, before: date | None, zone: str, now: datetime) -> None:
    """What is stored may be long over, and stay so; a new day is none of the past.

    before: the day so far. zone: whose today counts.

    :raises ValidationError:
    """
    if day is not None and day != before and day < now.astimezone(ZoneInfo(zone)).date():
        raise ValidationError(_("This day is over. Choose today or a later one."), code="over")


def change_hours(
    *, teacher: Teacher, rule_id: int, said: Mapping[str, Any], now: datetime
) -> AvailabilityRule:
    """Only what is `said` changes, of the hours as they are now.

    :raises ValidationError: with the message at the field.
    :raises AvailabilityRule.DoesNotExist: it is not there, or not this teacher's.
    """
    with transaction.atomic():
        one_at_a_time(teacher_id=str(teacher.pk))
        rule = AvailabilityRule.objects.select_related("teacher").get(pk=rule_id, teacher=teacher)
        for name, value in said.items():
            setattr(rule, name, value)
        save_hours(rule=rule, now=now)
        return rule
