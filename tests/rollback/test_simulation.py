"""Five hundred students in the middle of enrolling, while everything is taken away under them.

By the kill, by the shares from 100 to 0 %, and by web processes that are really killed and come back.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from enrollment.models import Course, Lesson, Student, User
from rollback import runner
from rollback.models import EnrollmentDraft, Flag
from rollback.runner import Actor
from tests.conftest import make_teacher
from tests.rollback import simulated
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import address_of_this_test
from tests.rollback.simulated import LONGEST, Story
from tests.rollback.web import Web

STUDENTS, AT_ONCE, COURSES = 500, 24, 20
ACTOR = Actor(name="a test")
FIRST = datetime(2030, 1, 1, tzinfo=UTC)
# What a student may lose: the rhythm's 1.5 s, and the way to the server.
MOST_LOST = 2.0
SLACK = 0.1

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[Web]:
    seed_flags()
    restore()
    with (tmp_path / "web.log").open("wb") as log:
        web = Web(log, database_url=address_of_this_test())
        try:
            web.wait_until_it_answers()
            yield web
        finally:
            web.kill()


def restore() -> None:
    Flag.objects.update(everyone=None, percent=100)


def kill() -> None:
    runner.kill(actor=ACTOR, reason="simulated")


def share(percent: int) -> None:
    for name in Flag.objects.values_list("name", flat=True):
        runner.set_share(flag=name, percent=Decimal(percent), actor=ACTOR, reason="simulated")


def make_school() -> list[dict[str, Any]]:
    """:returns: for each student what the simulated one must know."""
    teacher = make_teacher()
    courses = [
        Course.objects.create(title=f"Course {n}", slug=f"course-{n}", capacity=STUDENTS)
        for n in range(COURSES)
    ]
    for course in courses:
        course.teachers.add(teacher)
    users = User.objects.bulk_create(
        User(email=f"s{n}@school.example", password="!") for n in range(STUDENTS)
    )
    students = Student.objects.bulk_create(
        Student(user=user, zone="Europe/Berlin") for user in users
    )
    chosen = [
        Lesson(
            student=student,
            course=courses[n % COURSES],
            teacher=teacher,
            period=DateTimeTZRange(start, start + timedelta(minutes=45)),
            local_on=start.date(),
            local_start=start.time(),
            zone="UTC",
            status=Lesson.Status.HELD,
            expires_at=timezone.now() + timedelta(days=1),
        )
        for n, student in enumerate(students)
        for start in [FIRST + timedelta(hours=n)]
    ]
    Lesson.objects.bulk_create(chosen)
    drafts = EnrollmentDraft.objects.bulk_create(
        EnrollmentDraft(
            student=hold.student,
            course=hold.course,
            answers={"teacher": str(teacher.pk), "slot": f"{hold.starts_at:%Y-%m-%dT%H:%M:%SZ}"},
            step="details",
            saved_at=timezone.now(),
        )
        for hold in chosen
    )
    return [
        {"session": log_in(user), "course": draft.course.slug, "chosen": draft.answers}
        for user, draft in zip(users, drafts, strict=True)
    ]


def log_in(user: User) -> str:
    store = SessionStore()
    key = f"simulated{user.pk:023}"
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "enrollment.known.KnownPeople",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    expires = timezone.now() + timedelta(days=1)
    Session.objects.create(session_key=key, session_data=store.encode(data), expire_date=expires)
    return key


class Begun:
    """How many students have begun; whoever waits for one of them is woken."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def another(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait_for(self, count: float) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, timeout=300)


@contextmanager
def events(web: Web, begun: Begun) -> Iterator[list[BaseException]]:
    """When so many percent have begun; each time two dozen students are somewhere in the middle."""
    script: list[tuple[float, Callable[[], None]]] = [
        (10, kill),
        (20, restore),
        (26, lambda: share(50)),
        (33, lambda: share(25)),
        (40, lambda: share(0)),
        (47, restore),
        (54, web.kill_workers),
        (66, web.restart),
        (80, web.restart),
        (90, kill),
    ]
    broken: list[BaseException] = []

    def run() -> None:
        try:
            for percent, event in script:
                begun.wait_for(STUDENTS * percent / 100)
                event()
        except BaseException as error:
            broken.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield broken
    thread.join(60)


def test_five_hundred_students_lose_nothing_that_was_acknowledged(web: Web) -> None:
    people, begun = make_school(), Begun()

    def live(number: int) -> Story:
        begun.another()
        return simulated.Student(port=web.port, seed=number, **people[number]).live()

    started = time.monotonic()
    with events(web, begun) as broken, ThreadPoolExecutor(AT_ONCE) as pool:
        stories = list(pool.map(live, range(STUDENTS)))
    report(stories, seconds=time.monotonic() - started)
    assert broken == []
    assert [(n, story.wrong) for n, story in enumerate(stories) if story.wrong] == []
    # That a busy machine lets a save wait says nothing about the rhythm.
    too_much = [
        (n, story.lost, story.waited)
        for n, story in enumerate(stories)
        if story.lost > max(MOST_LOST, LONGEST + story.waited + SLACK)
    ]
    assert too_much == []
    assert sum(story.failed_saves for story in stories) > 0, "the kills must have met somebody"


def report(stories: list[Story], *, seconds: float) -> None:
    undisturbed = [story.slowest for story in stories if not story.failed_saves]
    disturbed = [story.slowest for story in stories if story.failed_saves]
    sys.stdout.write(
        f"\n{len(stories)} students in {seconds:.0f} s: "
        f"{sum(story.saves for story in stories)} saves acknowledged, "
        f"{sum(len(story.wrong) for story in stories)} things wrong, "
        f"{sum(story.failed_saves for story in stories)} saves without an answer, tried again; "
        f"most typing lost {max(story.lost for story in stories):.2f} s; from typing to "
        f"acknowledgement at most {max(undisturbed):.2f} s (of which this machine made a save wait "
        f"{max(story.waited for story in stories if not story.failed_saves):.2f} s), "
        f"with the server gone meanwhile {max(disturbed, default=0.0):.2f} s\n"
    )
