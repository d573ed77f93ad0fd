"""django-appointment: a StaffMember for each teacher, asked date by date, as its own pages ask."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.bench.workloads import (
    CLOSES,
    GAP_MINUTES,
    LESSON_MINUTES,
    OPENS,
    WORKDAYS,
    ZONE,
    Answer,
    Workload,
)

LENGTH = timedelta(minutes=LESSON_MINUTES)


def fill(asked: Workload) -> None:
    from appointment.models import Config, Service, StaffMember
    from django.contrib.auth import get_user_model

    # Without one its cache never keeps the answer, and each question costs a query more.
    Config.objects.get_or_create(pk=1)
    service, _made = Service.objects.get_or_create(name="Violin", duration=LENGTH, price=0)
    users: Any = get_user_model()._default_manager
    for number, lessons in enumerate(asked.lessons):
        user = users.create(username=f"{asked.name}{number}")
        staff = StaffMember.objects.create(
            user=user,
            slot_duration=asked.step_minutes,
            slot_gap_time=GAP_MINUTES,
            appointment_buffer_time=0,
        )
        staff.services_offered.add(service)
        _hours(staff)
        _appointments(staff, service, user, lessons)


def _hours(staff: Any) -> None:
    from appointment.models import WorkingHours

    # Its week begins with Sunday, 0.
    WorkingHours.objects.bulk_create(
        WorkingHours(staff_member=staff, day_of_week=day + 1, start_time=OPENS, end_time=CLOSES)
        for day in WORKDAYS
    )


def _appointments(staff: Any, service: Any, client: Any, lessons: Any) -> None:
    from appointment.models import Appointment, AppointmentRequest

    starts = [datetime.fromtimestamp(start, ZoneInfo(ZONE)) for start in lessons]
    requests = AppointmentRequest.objects.bulk_create(
        AppointmentRequest(
            date=start.date(),
            start_time=start.time(),
            end_time=(start + LENGTH).time(),
            service=service,
            staff_member=staff,
            id_request=f"{staff.pk}-{start:%s}",
        )
        for start in starts
    )
    Appointment.objects.bulk_create(
        Appointment(client=client, appointment_request=one, phone="", address="", amount_to_pay=0)
        for one in requests
    )


def ways() -> dict[str, Any]:
    return {"functions": functions}


def functions(asked: Workload) -> Answer:
    """What its page of the next available date does for each date until it has found one."""
    service, staff = _known(asked.name)
    return [
        [start for day in asked.dates for start in _free(day, member, service)] for member in staff
    ]


@cache
def _known(name: str) -> tuple[Any, list[Any]]:
    """Whom it is asked about costs nobody a query."""
    from appointment.models import Service, StaffMember

    staff = StaffMember.objects.filter(user__username__startswith=name).order_by("pk")
    return Service.objects.get(name="Violin"), list(staff)


def _free(day: date, member: Any, service: Any) -> Iterator[int]:
    from appointment.services import get_available_slots_for_staff
    from appointment.utils.db_helpers import get_weekday_num_from_date

    weekday = get_weekday_num_from_date(day)
    for slot in get_available_slots_for_staff(day, member, weekday, service=service):
        yield int(slot.replace(tzinfo=ZoneInfo(ZONE)).timestamp())
