"""What scheduling keeps about people: a teacher's weekly hours and reminders, and who waits for what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from enrollment.queries.people import teacher_of
from scheduling.domain.waiting import WaitlistStatus
from scheduling.models import AvailabilityRule, TeacherReminder, WaitlistEntry
from scheduling.operations import waitlist


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


def export_waitlist(*, user: User) -> Mapping[str, Any]:
    entries = WaitlistEntry.objects.filter(student__user=user).select_related("course", "teacher")
    return {"entries": [_entry(entry) for entry in entries.order_by("pk")]}


def _entry(entry: WaitlistEntry) -> dict[str, Any]:
    return {
        "course": entry.course.title,
        "teacher": entry.teacher and entry.teacher.display_name,
        "starts_at": entry.starts_at,
        "status": entry.status,
        "waiting_since": entry.created_at,
        "offered_at": entry.offered_at,
        "offered_until": entry.offer_expires_at,
        "offer_mailed_at": entry.offer_sent_at,
        "over_since": entry.ended_at,
    }


def erase_waitlist(*, user: User, now: datetime) -> None:
    """What is held goes with the student's other holds. Nobody can be given a lesson any more with a
    teacher who is deleted; those entries are their students'."""
    WaitlistEntry.objects.filter(student__user=user).delete()
    theirs = WaitlistEntry.objects.filter(teacher__user=user)
    waitlist.end(theirs, WaitlistStatus.EXPIRED, now=now)


def concerns_waitlist(*, user: User) -> bool:
    return WaitlistEntry.objects.filter(student__user=user).exists()


WAITLIST = Contributor(
    name="waitlist",
    kept=_("The times and courses you wait for, and what we offered you"),
    when_erased=_("Deleted."),
    covers=frozenset({"scheduling.WaitlistEntry"}),
    export=export_waitlist,
    erase=erase_waitlist,
    concerns=concerns_waitlist,
)
