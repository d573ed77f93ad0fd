"""The whole request for one teacher's slots of a week, beside an empty one of the same stack: through
Django's WSGI handler, with middleware, session, user and permissions, without the server around it.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as wall_clock

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.local.sample import LOGINS
from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.models import AvailabilityRule, BookingPolicy
from tests.bench import empty_api, schools
from tests.bench.figures import Row, at_most, ratio_at_most, span
from tests.bench.gate import asking, handler

REQUESTS, WARM_UP = 600, 30
LESSONS, DAYS = 20, 7
ZONE = "Europe/Berlin"
MINUTES = 30
# Counted as ever, but so many that nobody is turned away.
UNHINDERED = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"user": "1000000/minute"}}


def rows() -> Iterator[Row]:
    teacher, course = _taught()
    client = Client()
    client.force_login(get_user_model()._default_manager.get(email=LOGINS[0].email))
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    slots = f"{reverse('availability-api:slots', args=[teacher.pk])}?course={course.slug}"
    with override_settings(ROOT_URLCONF="tests.bench.empty_api", REST_FRAMEWORK=UNHINDERED):
        pages = [asking(handler(without=()), path, cookies) for path in (slots, empty_api.PATH)]
        taken: list[list[float]] = [[], []]
        for number in range(WARM_UP + REQUESTS):
            for show, list_of in zip(pages, taken, strict=True):
                start = time.perf_counter()
                show()
                if number >= WARM_UP:
                    list_of.append(time.perf_counter() - start)
        asked = []
        for show in pages:
            with CaptureQueriesContext(connection) as captured:
                show()
            asked.append(len(captured))
    # The quickest of each: what slows one down is somebody else.
    ours, empty = min(taken[0]), min(taken[1])
    yield ratio_at_most(
        "slots of a teacher, one week, the whole request",
        ours / empty,
        1.25,
        ours=span(ours),
        beside=f"an empty endpoint, logged in, {span(empty)}",
    )
    yield at_most(
        "  queries of its own",
        asked[0] - asked[1],
        3,
        ours=str(asked[0] - asked[1]),
        goal_words="3",
        beside=f"{asked[1]} of the empty one",
    )


def _taught() -> tuple[Teacher, Course]:
    """One who works every day of the next week, with lessons spread evenly over it."""
    course = Course.objects.create(title="Viola", slug="bench-viola", lesson_minutes=MINUTES)
    BookingPolicy.objects.create(course=course, horizon_days=DAYS)
    (teacher,), students = schools.people(course, teachers=1, students=1, zone=ZONE)
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(teacher=teacher, weekday=day, starts=wall_clock(9), ends=wall_clock(14))
        for day in range(7)
    )
    tomorrow = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(1)
    Lesson.objects.bulk_create(
        _lesson(course, teacher, students[0], tomorrow + timedelta(days=day, hours=hour))
        for hour in range(-(-LESSONS // DAYS))
        for day in range(DAYS)
        if hour * DAYS + day < LESSONS
    )
    return teacher, course


def _lesson(course: Course, teacher: Teacher, student: Student, start: datetime) -> Lesson:
    return Lesson(
        course=course,
        teacher=teacher,
        student=student,
        period=(start, start + timedelta(minutes=MINUTES)),
        local_on=start.date(),
        local_start=start.time(),
        zone="UTC",
    )
