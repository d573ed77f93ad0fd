"""The features, in one table: what each switch covers, and what happens while it is off."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from enrollment.queries.people import student_of, teacher_of
from enrollment.sockets import Actions
from rollback.doors import gate
from rollback.doors.words import SWITCHED_OFF
from rollback.registry import Fallback, Feature, NavItem

MASTER = "ENABLE_TEACHER_SCHEDULING"
HOLIDAYS = "ENABLE_HOLIDAY_MANAGEMENT"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
AVAILABILITY = "ENABLE_AVAILABILITY_API"


def _students(user: Any) -> bool:
    return student_of(user) is not None


def _teachers(user: Any) -> bool:
    return teacher_of(user) is not None


def _people_with_lessons(user: Any) -> bool:
    return _students(user) or _teachers(user)


def _logged_in(user: Any) -> bool:
    return bool(user.is_authenticated)


def _booking(**asked: Any) -> Actions:
    # Read when it is asked for: the views need the URLs, and those need the apps.
    from scheduling.views.actions import actions_for

    return actions_for(**asked)


FEATURES = (
    Feature(
        name="scheduling",
        flag=MASTER,
        title=_("Teacher scheduling"),
        phases=(3, 2),
        namespaces=("scheduling",),
        admin_apps=("scheduling",),
        task_prefixes=("scheduling.",),
        entries={"enroll": "scheduling:resume"},
        actions=_booking,
        nav=(NavItem(label=_("My hours"), url_name="scheduling:hours", shown_to=_teachers),),
        fallback=Fallback(url_name="enrollment:enroll", words=SWITCHED_OFF, to_draft=True),
    ),
    Feature(
        name="calendar",
        flag=CALENDAR,
        title=_("Calendar"),
        master=MASTER,
        phases=(3,),
        namespaces=("calendar",),
        nav=(
            NavItem(label=_("Calendar"), url_name="calendar:month", shown_to=_people_with_lessons),
        ),
        fallback=Fallback(
            url_name="enrollment:home",
            words=_(
                "The calendar is switched off at the moment. Here are your lessons as a plain list."
            ),
        ),
    ),
    Feature(
        name="availability",
        flag=AVAILABILITY,
        title=_("Availability API"),
        master=MASTER,
        phases=(2,),
        api_namespaces=("availability-api",),
        fallback=Fallback(url_name="enrollment:home", words=SWITCHED_OFF),
    ),
    Feature(
        name="holidays",
        flag=HOLIDAYS,
        title=_("Holidays"),
        master=MASTER,
        phases=(3, 2),
        namespaces=("holidays",),
        admin_apps=("holidays",),
        task_prefixes=("holidays.",),
        nav=(NavItem(label=_("Holidays"), url_name="holidays:list", shown_to=_logged_in),),
        fallback=Fallback(
            url_name="enrollment:home",
            words=_("Holidays are switched off at the moment. Days already entered still count."),
        ),
    ),
)


def plug_sockets() -> None:
    """Features do not import each other; what one offers the other is connected here."""
    from scheduling import sockets

    sockets.plug_closed_days(_closed_days)


def _closed_days(teacher_id: int, first: date, last: date) -> Mapping[date, str]:
    from holidays import queries

    return gate.call(
        HOLIDAYS,
        queries.closed_days,
        first=first,
        last=last,
        instead={},
        # A day that was entered closes the school, whether or not holidays can be managed now.
        even_off=True,
    )
