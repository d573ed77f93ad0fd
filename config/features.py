"""The features, in one table: what each switch covers, and what happens while it is off."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Student
from enrollment.queries.people import student_of, teacher_of
from enrollment.sockets import Actions
from rollback.domain.metrics import Metric
from rollback.doors import gate
from rollback.doors.words import SIMPLIFIED, SWITCHED_OFF
from rollback.registry import Fallback, Feature, NavItem
from scheduling.domain.closures import Closures, Named, Part

if TYPE_CHECKING:
    from enrollment.detectors import Detector
    from holidays.domain.closures import Closure

MASTER = "ENABLE_TEACHER_SCHEDULING"
HOLIDAYS = "ENABLE_HOLIDAY_MANAGEMENT"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
AVAILABILITY = "ENABLE_AVAILABILITY_API"
# As `rollback.models.Incident.Kind` says it; models are not there yet when this is read.
SLOW = "slow"


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


def _feed_behind(token: str) -> Any:
    from scheduling.queries.feeds import feed_behind

    return feed_behind(token)


def _who_waits(user: Any) -> bool:
    from scheduling.queries.waitlist import waits

    return waits(user)


FEATURES = (
    Feature(
        name="scheduling",
        runbook="scheduling",
        flag=MASTER,
        title=_("Teacher scheduling"),
        phases=(3, 2),
        namespaces=("scheduling",),
        admin_apps=("scheduling",),
        task_prefixes=("scheduling.",),
        entries={"enroll": "scheduling:resume", "full_course": "scheduling:wait"},
        actions=_booking,
        nav=(
            NavItem(label=_("My week"), url_name="scheduling:week", shown_to=_teachers),
            NavItem(label=_("Waitlist"), url_name="scheduling:waitlist", shown_to=_who_waits),
        ),
        fallback=Fallback(url_name="enrollment:enroll", words=SWITCHED_OFF, to_draft=True),
        because={SLOW: SIMPLIFIED},
        control=("enrollment:enroll",),
        steps={"calendar:choose": 1, "scheduling:details": 2, "scheduling:confirm": 3},
    ),
    Feature(
        name="calendar",
        runbook="calendar",
        flag=CALENDAR,
        title=_("Calendar"),
        master=MASTER,
        phases=(3,),
        namespaces=("calendar",),
        sockets=("/ws/calendar/",),
        nav=(
            NavItem(label=_("Calendar"), url_name="calendar:month", shown_to=_people_with_lessons),
        ),
        bearers={"calendar:feed": _feed_behind},
        # What names a course is the flow's step: the original form takes its place.
        fallback=Fallback(
            url_name="enrollment:enroll",
            words=_(
                "The calendar is switched off at the moment. Here are your lessons as a plain list."
            ),
            to_draft=True,
        ),
        because={SLOW: SIMPLIFIED},
        # The plain lists of lessons, and the form that stands for the choice of a time.
        control=("enrollment:my_courses", "enrollment:my_lessons", "enrollment:enroll"),
        loads={Metric.CALENDAR_500_MS: 500.0, Metric.CALENDAR_2_S: 2000.0},
        browser_loads={Metric.BROWSER_500_MS: 500.0, Metric.BROWSER_2_S: 2000.0},
    ),
    Feature(
        name="availability",
        runbook="availability",
        flag=AVAILABILITY,
        title=_("Availability API"),
        master=MASTER,
        phases=(2,),
        api_namespaces=("availability-api",),
        fallback=Fallback(url_name="enrollment:home", words=SWITCHED_OFF),
    ),
    Feature(
        name="holidays",
        runbook="holidays",
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
        # As `holidays.queries.inconsistencies` names them, which cannot be imported this early.
        inconsistencies=(
            "closures_contradict",
            "planned_on_holiday",
            "no_public_holidays",
            "next_year_missing",
        ),
    ),
)


def plug_sockets() -> None:
    """Features do not import each other; what one offers the other is connected here."""
    from enrollment import sockets as ground
    from scheduling import sockets

    sockets.plug_closures(_closures, named=_named_closures)
    sockets.plug_has_feature(_has_scheduling)
    ground.plug_reserved_places(_reserved_places)
    ground.plug_became_free(_became_free)
    ground.plug_waited_for(_waited_for)
    plug_detectors()


def plug_detectors() -> None:
    """What the features find contradictory, each through the gate: while one is off, nothing of it is
    asked and nothing moved by itself; what it found before stays open for the office."""
    from enrollment import detectors
    from holidays.queries import displaced as holidays
    from holidays.queries import inconsistencies
    from scheduling.operations import displaced
    from scheduling.queries.elsewhere import offers

    for detector in displaced.DETECTORS:
        detectors.register(_gated(detector, MASTER))
    on_holiday = detectors.Detector(
        kind=holidays.ON_HOLIDAY,
        title=_("Lesson on a holiday"),
        find=holidays.lessons_on_closed_days,
        words=holidays.words_on_holiday,
        resolve=displaced.move_by_itself,
        offers=offers,
        displaces=True,
    )
    # Its master is scheduling: whenever holidays are on, that may move and offer.
    detectors.register(_gated(on_holiday, HOLIDAYS))
    for detector in inconsistencies.DETECTORS:
        detectors.register(_gated(detector, HOLIDAYS))


def _gated(detector: "Detector", flag: str) -> "Detector":
    def through(function: Any) -> Any:
        return function and partial(gate.call, flag, function, instead=None)

    return replace(
        detector,
        find=through(detector.find),
        resolve=through(detector.resolve),
        offers=through(detector.offers),
        links=through(detector.links),
    )


def _closures(
    *, teachers: Collection[int], course: int | None, first: date, last: date
) -> Mapping[int, Closures]:
    if not teachers:
        return {}
    found = _known_closures(first=first, last=last, teachers=teachers)
    if not found:
        return {}
    # Most closures are the whole school's, so most teachers share what they make.
    made: dict[tuple[int, ...], Closures] = {}
    by_teacher = {}
    for teacher in teachers:
        theirs = [one for one in found if one.concerns(teacher=teacher, course=course)]
        key = tuple(one.key for one in theirs)
        if key not in made:
            made[key] = _arranged(theirs, first=first, last=last)
        by_teacher[teacher] = made[key]
    return by_teacher


def _arranged(closures: Collection["Closure"], *, first: date, last: date) -> Closures:
    closed: dict[date, str] = {}
    parts: list[Part] = []
    works_like: dict[date, int] = {}
    for one in closures:
        for day in one.days(first=first, last=last):
            if one.as_weekday is not None:
                works_like[day] = one.as_weekday
            elif one.is_whole:
                closed.setdefault(day, one.name)
            else:
                parts.append(Part(day, one.name, one.starts, one.ends))
    return Closures(closed=closed, parts=parts, works_like=works_like)


def _named_closures(
    *, teachers: Collection[int], courses: Collection[int], first: date, last: date
) -> Sequence[Named]:
    return [
        Named(
            first_on=one.first_on,
            last_on=one.last_on,
            name=one.name,
            note=one.note,
            starts=None if one.is_whole or one.as_weekday is not None else one.starts,
            ends=None if one.is_whole or one.as_weekday is not None else one.ends,
            works_like=one.as_weekday,
        )
        for one in _known_closures(first=first, last=last, teachers=teachers)
        if (one.teachers is None or one.teachers.intersection(teachers))
        and (one.courses is None or one.courses.intersection(courses))
    ]


def _known_closures(*, teachers: Collection[int], **asked: date) -> Sequence["Closure"]:
    from holidays.queries.closures import closures

    nothing: Sequence[Closure] = []
    return gate.call(
        HOLIDAYS,
        closures,
        teachers=teachers,
        instead=nothing,
        # A day that was entered closes the school, whether or not holidays can be managed now.
        even_off=True,
        reads=True,
        **asked,
    )


def _reserved_places(course: Course, apart_from: Student | None, now: datetime) -> int:
    from scheduling.queries import waitlist

    # Off is manual mode: no place is kept for anybody then.
    return gate.call(
        MASTER,
        waitlist.reserved_places,
        course=course,
        apart_from=apart_from,
        now=now,
        instead=0,
    )


def _has_scheduling(user: Any) -> bool:
    return gate.call(MASTER, bool, True, who=user, instead=False, reads=True)


def _became_free() -> None:
    from scheduling.operations import waitlist

    gate.call(MASTER, waitlist.wake, instead=None)


def _waited_for(holds: Collection[int]) -> Collection[int] | None:
    from scheduling.queries import waitlist

    # What was offered before the switch went off is still held for who waited.
    return gate.call(
        MASTER, waitlist.held_for_waiting, holds, instead=None, even_off=True, reads=True
    )
