"""What scheduling keeps about people: when a teacher teaches and does not, what may be booked with
them, when they were reminded, and who waits for what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from enrollment.queries.people import teacher_of
from scheduling.domain.policy import NAMES
from scheduling.domain.waiting import WaitlistStatus
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TeacherReminder,
    TimeOff,
    WaitlistEntry,
)
from scheduling.operations import waitlist

MODELS = (AvailabilityRule, AvailabilityException, TimeOff, BookingPolicy, TeacherReminder)


def export(*, user: User) -> Mapping[str, Any]:
    teacher = teacher_of(user)
    if teacher is None:
        return {}
    zone = ZoneInfo(teacher.zone)
    policies = BookingPolicy.objects.filter(teacher=teacher).select_related("course")
    reminders = TeacherReminder.objects.filter(teacher=teacher).order_by("week_on")
    return {
        "zone": teacher.zone,
        "weekly_hours": [_hours(rule) for rule in teacher.availability_rules.all()],
        "different_hours": [_date(one) for one in teacher.availability_exceptions.all()],
        "time_off": [_time_off(one, zone) for one in teacher.time_off.all()],
        "booking_policies": [_policy(one) for one in policies],
        "reminded_in_the_weeks_of": list(reminders.values_list("week_on", flat=True)),
    }


def _hours(rule: AvailabilityRule) -> dict[str, Any]:
    return {
        "weekday": str(WEEKDAYS[rule.weekday]),
        "from": rule.starts,
        "to": rule.ends,
        "ends_on_the_next_day": rule.ends_next_day,
        "every_weeks": rule.every_weeks,
        "first_day": rule.valid_from,
        "last_day": rule.valid_until,
    }


def _date(one: AvailabilityException) -> dict[str, Any]:
    return {
        "date": one.day_on,
        "kind": one.kind,
        "from": one.starts,
        "to": one.ends,
        "ends_on_the_next_day": one.ends_next_day,
        "note": one.note,
    }


def _time_off(one: TimeOff, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "from": one.starts_at.astimezone(zone),
        "until": one.ends_at.astimezone(zone),
        "reason": one.reason,
    }


def _policy(one: BookingPolicy) -> dict[str, Any]:
    """Only what is said; what is not counts as for everybody."""
    said = {name: getattr(one, name) for name in NAMES}
    return {"course": str(one.course) if one.course else None} | {
        name: value for name, value in said.items() if value is not None
    }


def erase(*, user: User, now: datetime) -> None:
    for model in MODELS:
        model._default_manager.filter(teacher__user=user).delete()


def concerns(*, user: User) -> bool:
    return teacher_of(user) is not None


TEACHING_HOURS = Contributor(
    name="teaching_hours",
    kept=_(
        "The hours at which you teach, the days on which they differ, your time off with its "
        "reasons, what may be booked with you, and when we reminded you of missing hours"
    ),
    when_erased=_("Deleted."),
    covers=frozenset(model._meta.label for model in MODELS),
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
