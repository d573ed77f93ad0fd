"""What all tests share: people, a course, and the switches (all on unless a test says otherwise)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from enrollment.models import Course, Student, Teacher, User
from rollback import registry, sessions, switchboard, timings, trips, watch
from rollback.console import engine
from rollback.domain.shares import OFF, FlagState, Snapshot
from rollback.doors import counting
from rollback.oncall import delivering
from rollback.public import board
from rollback.public.status import kept
from rollback.schema import prepared
from tests import emptying, pristine
from tests.rollback.flag_rows import seed_flags

SALT = b"a salt for tests"
# Each holds some hundred megabytes of models.
MOST_PLANS = 6
# Between the tests as well: each query is counted, and nothing may be written or evaluated by itself.
start_watching = watch.Ring._start
send_pages_soon = delivering.soon
setattr(watch.Ring, "_start", lambda ring: None)  # noqa: B010  mypy refuses to assign a method


class Switches:
    """The flags of this test, held in memory: `switches.share(50)`, `switches.kill("ENABLE_…")`."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(version=1, salt=SALT, flags={})
        for feature in registry.features():
            self._set(FlagState(name=feature.flag, share=10_000, requires=feature.master))

    def share(self, percent: float, *names: str) -> None:
        for name in names or tuple(self.snapshot.flags):
            self._set(replace(self.snapshot.flags[name], share=round(percent * 100)))

    def kill(self, *names: str) -> None:
        for name in names or tuple(self.snapshot.flags):
            self._set(replace(self.snapshot.flags[name], killed=True))

    def early_for_staff(self, name: str) -> None:
        self._set(replace(self.snapshot.flags[name], staff=True))

    def _set(self, state: FlagState) -> None:
        flags = {**self.snapshot.flags, state.name: state}
        self.snapshot = replace(self.snapshot, version=self.snapshot.version + 1, flags=flags)
        switchboard.board._pinned = self.snapshot


@pytest.fixture(autouse=True)
def switches(request: pytest.FixtureRequest) -> Iterator[Switches | None]:
    """All on. A test that asks for `real_switchboard` reads the database instead."""
    if "real_switchboard" in request.fixturenames:
        yield None
        return
    with switchboard.board.pinned(OFF):
        yield Switches()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Transactional tests end with TRUNCATE, which the audit's tables else refuse. Before any has: a copy of
    what the migrations have made and filled, for the test that undoes them.
    """
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            cursor.execute(f"ALTER DATABASE {name} SET rollback.may_forget = 'on'")
        # The sessions to come say so too; and what is copied is used by nobody.
        connection.close()
        pristine.keep(connection.settings_dict["NAME"])
    TransactionTestCase._fixture_teardown = emptying.empty  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def plans_worked_out_once() -> Iterator[None]:
    """Django renders the models of a hundred states for each way to the archive and home: seconds, and the
    same ones for whoever goes it from the same place with the same migrations. Nothing changes them.
    """
    known: dict[object, prepared.Prepared] = {}
    work_out = prepared.prepare

    def prepare(targets: prepared.Targets) -> prepared.Prepared:
        modules = tuple(sorted(settings.MIGRATION_MODULES.items()))
        key = (tuple(targets), prepared._applied(), modules)
        if key not in known:
            if len(known) == MOST_PLANS:
                known.pop(next(iter(known)))
            known[key] = work_out(targets)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "prepare", prepare)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_file_is_looked_for() -> Iterator[None]:
    """Where a school has been started from here, each test's client would look at all its files anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files", lambda *_self, **_options: None)
        yield


@pytest.fixture
def flag_rows(db: Any) -> None:
    """The four flags at 0 %, also where a transactional test before has emptied the tables."""
    seed_flags()


@pytest.fixture
def real_switchboard(transactional_db: Any) -> Iterator[switchboard.Switchboard]:
    """The real thing on this test's database: a thread, LISTEN, the version poll."""
    seed_flags()

    switchboard.board.stop()
    yield switchboard.board
    switchboard.board.stop()


@pytest.fixture(autouse=True)
def counts_at_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is written behind a test's back; `counting.write()` does it when it is asked for."""
    monkeypatch.setattr(counting, "_write_soon", lambda: None)
    monkeypatch.setattr(timings, "_write_soon", lambda: None)
    monkeypatch.setattr(delivering, "soon", lambda: None)
    yield
    counting._counts.clear()
    timings._counts.clear()
    watch.ring.clear()
    trips.forget()
    sessions.forget_told()
    engine._kept.clear()
    board.clear()


@pytest.fixture(autouse=True)
def status_page_of_its_own(
    settings: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Each test begins with none, and finds none that was made from another's rows."""
    settings.STATUS_DIR = tmp_path_factory.getbasetemp() / "status" / uuid4().hex
    yield
    kept.forget()


@pytest.fixture(autouse=True)
def cheap_passwords_and_english(settings: Any) -> Iterator[None]:
    """A slow hash is right for people, and half the run time here; a language must not leak."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with translation.override("en"):
        yield


def make_user(email: str, role: str = "", **fields: Any) -> User:
    user = User.objects.create_user(email=email, password="correct horse", **fields)
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def make_student(email: str = "ada@school.example", zone: str = "Europe/Berlin") -> Student:
    user = make_user(email, "student", first_name="Ada", last_name="Vogel")
    return Student.objects.create(user=user, zone=zone)


def make_teacher(email: str = "marta@school.example", zone: str = "Europe/Berlin") -> Teacher:
    user = make_user(email, "teacher", first_name="Marta", last_name="Rossi")
    return Teacher.objects.create(user=user, display_name="Marta Rossi", zone=zone)


@pytest.fixture
def student(db: Any) -> Student:
    return make_student()


@pytest.fixture
def teacher(db: Any) -> Teacher:
    return make_teacher()


@pytest.fixture
def course(teacher: Teacher) -> Course:
    course = Course.objects.create(
        title="Violin for beginners", slug="violin", lesson_minutes=45, capacity=10
    )
    course.teachers.add(teacher)
    return course


@pytest.fixture
def staff(db: Any) -> User:
    return make_user("staff@school.example", "staff", is_staff=True)


@pytest.fixture
def admin(db: Any) -> User:
    return User.objects.create_superuser("admin@school.example", "correct horse")
