"""The main pages of the sample school through the server that `make run` starts."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.local.sample import LOGINS
from enrollment.models import Course, Student
from enrollment.operations.enroll import EnrollmentRefused, check_can_enroll
from scheduling.queries.availability import free_slots
from tests.bench import server
from tests.bench.figures import Row, at_most, median, percentile, span

WORKERS = 2
WARM_UP = 8
REQUESTS = 60
GOAL = 0.100


@dataclass(frozen=True, kw_only=True)
class Page:
    """who: the role of a sample login, or empty for a visitor."""

    name: str
    path: str
    who: str = ""


def rows(log: Path) -> Iterator[Row]:
    for page, list_of in timed(_pages(), log).items():
        yield at_most(
            page.name,
            percentile(list_of, 95),
            GOAL,
            ours=f"p50 {span(median(list_of))}, p95 {span(percentile(list_of, 95))}",
            goal_words="100 ms (p95)",
        )


def timed(pages: Sequence[Page], log: Path) -> dict[Page, list[float]]:
    """In seconds, by turns."""
    cookies = {login.role: _cookies(login.email) for login in LOGINS} | {"": ""}
    taken: dict[Page, list[float]] = {page: [] for page in pages}
    with server.running(workers=WORKERS, log=log) as (port, _pid):
        connection = HTTPConnection(server.HOST, port, timeout=30)
        for number in range(WARM_UP + REQUESTS):
            for page, list_of in taken.items():
                seconds = _seconds(connection, page, cookies[page.who])
                if number >= WARM_UP:
                    list_of.append(seconds)
        connection.close()
    return taken


def _cookies(email: str) -> str:
    client = Client()
    client.force_login(get_user_model()._default_manager.get(email=email))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


def _pages() -> list[Page]:
    course = _course_with_slots().slug
    return [
        Page(name="catalog, a visitor", path=reverse("enrollment:catalog")),
        Page(name="catalog", path=reverse("enrollment:catalog"), who="Student"),
        Page(name="course", path=reverse("enrollment:course", args=[course]), who="Student"),
        Page(name="my courses", path=reverse("enrollment:my_courses"), who="Student"),
        Page(
            name="enroll, original flow",
            path=reverse("enrollment:enroll", args=[course]),
            who="Student",
        ),
        Page(
            name="choose a time, new flow",
            path=reverse("calendar:choose", args=[course]),
            who="Student",
        ),
        Page(name="my lessons, a teacher", path=reverse("enrollment:my_lessons"), who="Teacher"),
        Page(name="my hours, a teacher", path=reverse("scheduling:hours"), who="Teacher"),
        Page(name="office: start", path=reverse("admin:index"), who="Admin"),
        Page(
            name="office: switchboard", path=reverse("admin:rollback_flag_changelist"), who="Admin"
        ),
        Page(
            name="office: lessons",
            path=reverse("admin:enrollment_lesson_changelist"),
            who="Admin",
        ),
    ]


def _course_with_slots() -> Course:
    """One the sample's student may still enroll in, with something to choose from."""
    student = Student.objects.get(user__email=LOGINS[0].email)
    now = timezone.now()
    for course in Course.objects.prefetch_related("teachers"):
        try:
            check_can_enroll(student=student, course=course, teacher=None, now=now)
        except EnrollmentRefused:
            continue
        if any(free_slots(teacher=one, course=course, now=now) for one in course.teachers.all()):
            return course
    raise LookupError("The sample school has no course with a free time for its student.")


def _seconds(connection: HTTPConnection, page: Page, cookies: str) -> float:
    start = time.perf_counter()
    connection.request("GET", page.path, headers={"Cookie": cookies} if cookies else {})
    response = connection.getresponse()
    response.read()
    taken = time.perf_counter() - start
    if response.status != 200:
        raise server.ServerProblem(f"{page.name}: {page.path} answered {response.status}.")
    return taken
