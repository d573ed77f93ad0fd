"""My calendar: each view on the sample school and its queries, what a question costs whose answer is known
already, and a month among 1,000 lessons and among 200,000.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.local.sample import LOGINS
from enrollment.models import Course
from rollback import switchboard
from scheduling.queries.calendar import Reader, list_of, month_of, week_of
from tests.bench import pages, schools
from tests.bench.figures import (
    TRANSACTION,
    Row,
    at_most,
    median,
    percentile,
    ratio_at_least,
    ratio_at_most,
    span,
)

VIEWS = ("month", "week", "list")
MOST_QUERIES, GOAL = 8, 0.100
OK = 200
ROUNDS, WARM_UP = 200, 20
SMALL, LARGE = 1_000, 200_000
# Everybody has as many lessons: what grows is the school.
EACH = 20
WRITE_LESSONS = """
    INSERT INTO enrollment_lesson
           (course_id, teacher_id, student_id, period, local_on, local_start, zone, status)
    SELECT %(course)s, t.id, s.id, tstzrange(start, start + '45 min'), start::date, '10:00', 'UTC',
           CASE WHEN n %% 10 = 0 THEN 'cancelled' ELSE 'planned' END
      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM enrollment_teacher) t
      JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM enrollment_student) s USING (n)
     CROSS JOIN generate_series(date_trunc('month', now()) + interval '10 h',
                                date_trunc('month', now()) + interval '10 h'
                                + (%(each)s - 1) * interval '1 day', interval '1 day') AS start
"""


def database_names() -> tuple[str, ...]:
    return tuple(_name(lessons) for lessons in (SMALL, LARGE))


def _name(lessons: int) -> str:
    return f"calendar_{lessons}"


def rows(log: Path) -> Iterator[Row]:
    asked = [
        pages.Page(name=f"calendar: {view}, a {who.lower()}", path=_path(view), who=who)
        for view in VIEWS
        for who in ("Student", "Teacher")
    ]
    plain = pages.Page(name="", path=reverse("enrollment:my_data"), who="Student")
    timed = pages.timed([plain, *asked], log)
    beside = f"a plain page p50 {span(median(timed.pop(plain)))}"
    for page, taken in timed.items():
        yield at_most(
            page.name,
            percentile(taken, 95),
            GOAL,
            ours=f"p50 {span(median(taken))}, p95 {span(percentile(taken, 95))}",
            goal_words="100 ms (p95)",
            beside=beside,
        )
        count = _queries(page)
        yield at_most("  its queries", count, MOST_QUERIES, ours=str(count), goal_words="8")
    yield _known_already()
    yield from _in_a_large_school()
    switchboard.board.stop()


def _path(view: str) -> str:
    return reverse(f"calendar:{view}")


def _client(role: str) -> Client:
    client = Client(SERVER_NAME="localhost")
    email = next(login.email for login in LOGINS if login.role == role)
    client.force_login(get_user_model()._default_manager.get(email=email))
    return client


def _queries(page: pages.Page) -> int:
    client = _client(page.who)
    assert client.get(page.path).status_code == OK
    with CaptureQueriesContext(connection) as captured:
        client.get(page.path)
    return sum(not query["sql"].startswith(TRANSACTION) for query in captured)


def _known_already() -> Row:
    """What every open page asks again and again; beside the whole page."""
    client, path = _client("Teacher"), _path("month")
    part = {"HX-Request": "true"}
    tag = client.get(path, headers=part)["ETag"]
    known = _best(lambda: client.get(path, headers={**part, "If-None-Match": tag}))
    whole = _best(lambda: client.get(path))
    return ratio_at_least(
        "  a month that is known already (304), beside the whole page",
        whole / known,
        1.5,
        ours=span(known),
        beside=span(whole),
    )


def _in_a_large_school() -> Iterator[Row]:
    """The queries and what is made of them, by turns in a small school and a large one."""
    people = {lessons: _filled(lessons) for lessons in (SMALL, LARGE)}
    for number, role in enumerate(("student", "teacher")):
        for view in VIEWS:
            taken: dict[int, list[float]] = {SMALL: [], LARGE: []}
            for turn in range(WARM_UP + ROUNDS):
                for lessons, list_of_times in taken.items():
                    with schools.inside(_name(lessons)):
                        start = time.perf_counter()
                        _read(people[lessons][number], view)
                        if turn >= WARM_UP:
                            list_of_times.append(time.perf_counter() - start)
            small, large = (min(times) for times in taken.values())
            yield ratio_at_most(
                f"  {view} of a {role} among {LARGE:,} lessons, beside {SMALL:,}",
                large / small,
                1.2,
                ours=span(large),
                beside=span(small),
            )


def _read(person: Reader, view: str) -> None:
    now = timezone.now()
    today = timezone.localdate(now)
    if view == "month":
        found = month_of(person=person, year=today.year, month=today.month, now=now).lessons
    elif view == "week":
        found = week_of(person=person, on=today.replace(day=10), now=now).lessons
    else:
        found = list_of(person=person, first=today.replace(day=1), now=now)[0].lessons
    assert found


def _filled(lessons: int) -> tuple[Reader, Reader]:
    """:returns: a student and a teacher from the middle, who have lessons."""
    with schools.inside(_name(lessons)):
        course = Course.objects.create(title="Violin", slug="violin", lesson_minutes=45)
        count = lessons // EACH
        teachers, students = schools.people(course, teachers=count, students=count, zone="UTC")
        with connections["default"].cursor() as cursor:
            cursor.execute(WRITE_LESSONS, {"course": course.pk, "each": EACH})
            cursor.execute("VACUUM ANALYZE")
        return students[count // 2], teachers[count // 2]


def _best(ask: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return min(taken)
