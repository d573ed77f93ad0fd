"""What scheduling keeps about people: a teacher's weekly hours, and when they were reminded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from enrollment.queries.people import teacher_of
from scheduling.models import AvailabilityRule, TeacherReminder


def export(*, user: User) -> Mapping[str, Any]:
    rules = AvailabilityRule.objects.filter(teacher__user=user).select_related("teacher")
    reminders = TeacherReminder.objects.filter(teacher__user=user).order_by("week_on")
    return {
        "weekly_hours": [_hours(rule) for rule in rules],
        "reminded_in_the_weeks_of": list(reminders.values_list("week_on", flat=True)),
    }


def _hours(rule: AvailabilityRule) -> dict[str, Any]:
    return {
        "weekday": str(WEEKDAYS[rule.weekday]),
        "from": rule.starts,
        "to": rule.ends,
        "zone": rule.teacher.zone,
        "first_day": rule.valid_from,
        "last_day": rule.valid_until,
    }


def erase(*, user: User, now: datetime) -> None:
    AvailabilityRule.objects.filter(teacher__user=user).delete()
    TeacherReminder.objects.filter(teacher__user=user).delete()


def concerns(*, user: User) -> bool:
    return teacher_of(user) is not None


TEACHING_HOURS = Contributor(
    name="teaching_hours",
    kept=_("The weekly hours at which you teach, and when we reminded you of them"),
    when_erased=_("Deleted."),
    covers=frozenset({"scheduling.AvailabilityRule", "scheduling.TeacherReminder"}),
    export=export,
    erase=erase,
    concerns=concerns,
)
