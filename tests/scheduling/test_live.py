"""Open calendars are told of every change: the database's triggers, one listener, real websockets."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_clock
from typing import Any

import pytest
from django.db import connection, transaction
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from enrollment.known import as_of
from enrollment.models import Course, Lesson, Student, Teacher, User
from holidays.models import Holiday
from rollback import runner, switchboard
from rollback.doors.sockets import SWITCHED_OFF_CODE
from rollback.models import Flag
from rollback.runner import Actor
from rollback.switchboard import Switchboard
from scheduling.domain.changes import Change, Ring, of_student, of_teacher, read
from scheduling.live import application, hub, listening
from scheduling.live.application import CalendarSocket
from scheduling.models import AvailabilityException, AvailabilityRule, BookingPolicy, TimeOff
from tests.conftest import make_student, make_teacher
from tests.rollback.others import eventually, other_session
from tests.rollback.serving import opened, served

START = datetime(2030, 1, 7, 15, tzinfo=UTC)
LENGTH = timedelta(minutes=45)
CALENDAR = "ENABLE_CALENDAR_DISPLAY"


def lesson(student: Student, teacher: Teacher, course: Course, **fields: Any) -> Lesson:
    fields = {
        "period": (START, START + LENGTH),
        "local_on": START.date(),
        "local_start": START.time(),
        "zone": "UTC",
        "status": Lesson.Status.PLANNED,
    } | fields
    return Lesson(student=student, teacher=teacher, course=course, **fields)


# ---------------------------------------------------------------- what the database says


class Heard:
    """What is said after COMMIT, as (what, teacher, student)."""

    def __init__(self) -> None:
        self.connection = other_session(autocommit=True)
        self.connection.execute(f"LISTEN {listening.CHANNEL}")

    def now(self) -> list[tuple[str, int | None, int | None]]:
        self.connection.execute("SELECT 1")
        said = [read(n.payload) for n in self.connection.notifies(timeout=0.1)]
        return sorted(
            ((one.what, one.teacher, one.student) for one in said), key=lambda one: str(one)
        )


@pytest.fixture
def heard(transactional_db: Any) -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.connection.close()


def test_each_visible_change_of_a_lesson_is_told_to_both_sides(
    heard: Heard, student: Student, teacher: Teacher, course: Course
) -> None:
    other_teacher, other = make_teacher("other@school.example"), make_student("o@school.example")
    own = ("lesson", teacher.pk, student.pk)
    made = lesson(student, teacher, course)
    made.save()
    assert heard.now() == [own]
    made.save()
    assert heard.now() == [], "nothing changed that could be seen"
    Lesson.objects.update(period=(START + LENGTH, START + 2 * LENGTH))
    assert heard.now() == [own]
    Lesson.objects.update(teacher=other_teacher, student=other)
    assert heard.now() == sorted([own, ("lesson", other_teacher.pk, other.pk)], key=str)
    with transaction.atomic():
        made.refresh_from_db()
        made.status = Lesson.Status.CANCELLED
        made.save()
        transaction.set_rollback(True)
    assert heard.now() == [], "what was taken back has not happened"
    made.delete()
    assert heard.now() == [("lesson", other_teacher.pk, other.pk)]


def test_equal_changes_of_one_transaction_are_one_message(
    heard: Heard, student: Student, teacher: Teacher, course: Course
) -> None:
    with transaction.atomic():
        Lesson.objects.bulk_create(
            lesson(student, teacher, course, period=(START + n * LENGTH, START + (n + 1) * LENGTH))
            for n in range(50)
        )
        assert heard.now() == []
    assert heard.now() == [("lesson", teacher.pk, student.pk)]


def test_hours_and_closures_are_told_too(heard: Heard, teacher: Teacher) -> None:
    hours = ("hours", teacher.pk, None)
    rule = AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=wall_clock(9), ends=wall_clock(12)
    )
    assert heard.now() == [hours]
    rule.save()
    assert heard.now() == []
    AvailabilityRule.objects.update(ends=wall_clock(13))
    AvailabilityException.objects.create(teacher=teacher, day_on=date(2030, 1, 7))
    TimeOff.objects.create(teacher=teacher, period=(START, START + LENGTH))
    assert heard.now() == [hours, hours, hours]
    other = make_teacher("other@school.example")
    TimeOff.objects.update(teacher=other)
    assert heard.now() == sorted([hours, ("hours", other.pk, None)], key=str)
    BookingPolicy.objects.create(horizon_days=30)
    assert heard.now() == [("hours", None, None)], "the school's policy concerns everybody"
    Holiday.objects.create(name="Rain", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7))
    assert heard.now() == [("closure", None, None)]
    Holiday.objects.all().delete()
    assert heard.now() == [("closure", None, None)]


def test_no_message_names_anybody(heard: Heard, student: Student, teacher: Teacher) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT calendar_change('lesson', %s, %s)", [teacher.pk, student.pk])
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        after = cursor.fetchone()[0]
    [notice] = heard.connection.notifies(timeout=5, stop_after=1)
    said = json.loads(notice.payload)
    assert set(said) == {"v", "w", "t", "s"}
    assert int(said["v"]) < after


# ---------------------------------------------------------------- what may have been missed


def change(version: int, **whose: int) -> Change:
    return Change(version=version, what="lesson", **whose)


def test_the_ring_knows_what_it_does_not_know() -> None:
    ring = Ring(complete_from=100, most=3, seconds=60)
    mine = frozenset({of_student(1)})
    assert ring.since(99, mine) is None
    assert list(ring.since(100, mine) or ()) == []
    for at, one in enumerate([change(105, student=1), change(102, student=2, teacher=1)]):
        ring.add(one, at=at)
    assert [c.version for c in ring.since(100, mine) or ()] == [105]
    assert [c.version for c in ring.since(100, {of_teacher(1)}) or ()] == [102]
    assert list(ring.since(106, mine) or ()) == []
    ring.add(change(106, student=1), at=2)
    ring.add(change(107, student=1), at=3)
    # 105 was forgotten first, though it is not the oldest number.
    assert ring.since(105, mine) is None
    assert [c.version for c in ring.since(106, mine) or ()] == [106, 107]
    ring.add(change(108, student=1), at=63.5)
    assert ring.since(107, mine) is None, "too long ago"


# ---------------------------------------------------------------- real sockets


@pytest.fixture
def socket(real_switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch) -> CalendarSocket:
    monkeypatch.setattr(hub, "APART", 0.1)
    monkeypatch.setattr(listening, "RETRY", 0.1)
    Flag.objects.update(percent=100)
    switchboard.board.refresh()
    return CalendarSocket()


@pytest.fixture
def server(socket: CalendarSocket) -> Iterator[str]:
    with served(socket.stop, calendar=socket) as url:
        yield f"{url}/ws/calendar/"


def said(opened: ClientConnection, within: float = 10) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(opened.recv(timeout=within))
    return answer


def hello(opened: ClientConnection, **words: Any) -> dict[str, Any]:
    opened.send(json.dumps(words))
    return said(opened)


NOTHING: dict[str, Any] = {"changes": []}


def all_older_ones_ended() -> None:
    """Waits for what runs in the whole cluster, also in the databases of other tests: while a transaction is
    older than LISTEN, a page's version is too, and it has to look again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        [next_one] = cursor.fetchone()
    assert eventually(lambda: int(as_of(None)) >= next_one, within=60)


def test_a_page_is_told_what_concerns_it_and_nothing_else(
    server: str, student: Student, teacher: Teacher, course: Course
) -> None:
    stranger = make_student("stranger@school.example")
    with (
        opened(server, student.user) as mine,
        opened(server, stranger.user) as watching,
        opened(server, make_student("third@school.example").user) as third,
        opened(server, teacher.user) as teaching,
    ):
        assert hello(mine) == hello(third) == hello(teaching) == NOTHING
        assert hello(watching, teachers=[teacher.pk]) == NOTHING
        lesson(student, teacher, course).save()
        for one in (mine, watching, teaching):
            assert said(one) == {"changes": ["lesson"]}
        Holiday.objects.create(name="Rain", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7))
        for one in (mine, watching, teaching, third):
            assert said(one) == {"changes": ["closure"]}


def test_nothing_falls_between_page_and_socket(
    server: str, student: Student, teacher: Teacher, course: Course
) -> None:
    """A booking that began before the page was read and is committed after it: the page has not seen
    it, and its number is older than others that the page has seen."""
    with opened(server, student.user) as first:
        assert hello(first) == NOTHING  # somebody listens already
        all_older_ones_ended()
        with other_session() as slow:
            slow.execute(
                """INSERT INTO enrollment_lesson
                     (course_id, teacher_id, student_id, period, local_on, local_start, zone, status)
                   VALUES (%s, %s, %s, tstzrange(%s, %s), %s, %s, 'UTC', 'planned')""",
                (course.pk, teacher.pk, student.pk, START, START + LENGTH, START.date(), "15:00"),
            )
            # Younger, and seen by the page.
            Holiday.objects.create(name="R", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7))
            assert said(first) == {"changes": ["closure"]}
            page = as_of(None)
            assert not Lesson.objects.exists()
            slow.commit()
        assert said(first) == {"changes": ["lesson"]}
        with opened(server, student.user) as late:
            # The closure is said once more, which costs an answer of 304; the lesson is there.
            assert hello(late, since=page) == {"changes": ["closure", "lesson"]}
        with opened(server, student.user) as later:
            assert hello(later, since=as_of(None)) == NOTHING


def test_who_was_there_before_we_listened_looks_again(server: str, student: Student) -> None:
    """Whatever ended before LISTEN is not in the ring, also when an older transaction still runs."""
    with other_session() as old:
        old.execute("SELECT pg_current_xact_id()")
        page = as_of(None)
        Holiday.objects.create(name="R", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7))
        with opened(server, student.user) as late:
            assert hello(late, since=page) == {"resync": True}
            Holiday.objects.all().delete()
            assert said(late) == {"changes": ["closure"]}


def test_after_a_lost_connection_all_look_again(
    server: str, student: Student, socket: CalendarSocket
) -> None:
    with opened(server, student.user) as mine:
        assert hello(mine) == NOTHING
        before = as_of(None)
        with other_session(autocommit=True) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                "'calendar' AND datname = current_database()"
            )
        heard = [said(mine)]
        if heard == [{"deaf": True}]:
            heard = [said(mine)]
        assert heard == [{"resync": True}]
        Holiday.objects.create(name="R", first_on=date(2030, 1, 7), last_on=date(2030, 1, 7))
        assert said(mine) == {"changes": ["closure"]}
        assert hello(mine, since=before) in ({"resync": True}, {"changes": ["closure"]})


def test_an_import_is_a_few_messages(
    server: str, student: Student, teacher: Teacher, course: Course
) -> None:
    with opened(server, teacher.user) as mine:
        assert hello(mine) == NOTHING
        began = time.monotonic()
        for n in range(200):  # each a transaction of its own
            lesson(
                student, teacher, course, period=(START + n * LENGTH, START + (n + 1) * LENGTH)
            ).save()
        messages = 0
        try:
            while said(mine, within=1) == {"changes": ["lesson"]}:
                messages += 1
        except TimeoutError:
            pass
        # One in each pause at most, however long the machine takes.
        assert 1 <= messages <= min(100, (time.monotonic() - began) / hub.APART + 2)


def test_off_the_socket_is_refused_and_closed(server: str, student: Student) -> None:
    with opened(server, student.user) as mine:
        assert hello(mine) == NOTHING
        runner.kill(flag=CALENDAR, actor=Actor(name="a test"), reason="test")
        assert closed(mine) == SWITCHED_OFF_CODE
    with opened(server, student.user) as mine:
        assert closed(mine) == SWITCHED_OFF_CODE


def _until_closed(opened: ClientConnection) -> None:
    while True:
        opened.recv(timeout=10)


def closed(opened: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as found:
        _until_closed(opened)
    assert found.value.rcvd is not None
    assert found.value.rcvd.reason
    return found.value.rcvd.code


def test_what_makes_no_sense_is_refused_with_a_reason(
    server: str, student: Student, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad: list[str | bytes] = [
        "nonsense",
        "[1]",
        '{"since": 1}',
        '{"since": "-1"}',
        '{"since": "' + "9" * 30 + '"}',
        '{"teachers": "all"}',
        '{"teachers": [true]}',
        '{"teachers": [-1]}',
        json.dumps({"teachers": list(range(1, 30))}),
        '{"what": 1}',
        "[" * 1_500,
        b"bytes",
    ]
    refusals: list[tuple[User | None, str | bytes, int]] = [
        (student.user, one, application.BAD) for one in bad
    ]
    refusals += [
        (student.user, "x" * 5_000, application.TOO_BIG),
        (student.user, '{"teachers": [999999]}', application.FORBIDDEN),
        (staff, "{}", application.FORBIDDEN),
        (None, "{}", application.LOGIN),
    ]
    for who, words, code in refusals:
        # Nobody has no feature; what the socket itself says is asked without its door.
        with opened(server, who) as mine:
            if who is None:
                assert closed(mine) in (SWITCHED_OFF_CODE, code)
                continue
            with suppress(ConnectionClosed):  # refused before anything was said
                mine.send(words)
            assert closed(mine) == code, words
    with monkeypatch.context() as patched:
        patched.setattr(application, "HELLO_SECONDS", 0.1)
        with opened(server, student.user) as silent:
            assert closed(silent) == application.SILENT
    monkeypatch.setattr(application, "MOST_WORDS", 2)
    with opened(server, student.user) as talkative:
        assert hello(talkative) == NOTHING
        talkative.send("{}")
        assert closed(talkative) == application.POLICY


def test_behind_a_pooler_the_page_is_told_to_ask_by_itself(
    server: str, student: Student, settings: Any
) -> None:
    settings.DATABASE_POOLED = True
    with opened(server, student.user) as mine:
        assert closed(mine) == application.TRY_LATER
