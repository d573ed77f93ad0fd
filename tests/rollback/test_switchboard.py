"""The switchboard on a real database: every way a flag can be written, every trap of stock waffle."""

import os
import threading
import time
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import waffle
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.template import engines
from django.test import RequestFactory

from enrollment.models import User
from rollback import runner, switchboard
from rollback.domain.shares import OFF, Snapshot
from rollback.models import Flag
from rollback.runner import Actor, ChangeRefused
from rollback.switchboard import Switchboard, _Known, is_on
from tests.conftest import make_user
from tests.rollback.flag_rows import changes
from tests.rollback.others import other_session

MASTER = "ENABLE_TEACHER_SCHEDULING"
CHILD = "ENABLE_CALENDAR_DISPLAY"
ACTOR = Actor(name="a test")

pytestmark = pytest.mark.django_db(transaction=True)


def set_share(name: str, percent: str) -> None:
    runner.set_share(flag=name, percent=Decimal(percent), actor=ACTOR, reason="test")


@pytest.fixture
def user(real_switchboard: Switchboard) -> User:
    return make_user("u@school.example")


@pytest.fixture
def on(user: User) -> None:
    for name in Flag.objects.values_list("name", flat=True):
        set_share(name, "100")
    assert is_on(MASTER, user)


def eventually_off(user: User, within: float = 1.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not is_on(MASTER, user):
            return True
        time.sleep(0.005)
    return False


def test_a_new_installation_has_everything_off(user: User) -> None:
    assert not any(is_on(name, user) for name in Flag.objects.values_list("name", flat=True))


def test_100_percent_can_be_stored_and_means_everybody(on: None, user: User) -> None:
    assert Flag.objects.filter(percent=100).count() == 4
    assert is_on(CHILD, user)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    "write",
    [
        lambda: Flag.objects.filter(name=MASTER).update(everyone=False),
        lambda: Flag.objects.filter(name=MASTER).update(percent=0),
        lambda: _save(everyone=False),
        lambda: connection.cursor().execute("UPDATE rollback_flag SET everyone = false"),
        lambda: connection.cursor().execute("DELETE FROM rollback_flag WHERE requires_id > 0"),
    ],
    ids=["update-kill", "update-share", "save", "sql", "sql-delete"],
)
def test_every_way_of_writing_reaches_the_process(user: User, write: Any) -> None:
    before = switchboard.board.snapshot().version
    write()
    assert switchboard.board.wait_for(before + 1, timeout=1.0)


def _save(**fields: Any) -> None:
    row = Flag.objects.get(name=MASTER)
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()


def test_the_list_of_early_users_counts_and_clearing_it_too(user: User) -> None:
    set_share(MASTER, "0.01")
    row = Flag.objects.get(name=MASTER)
    version = switchboard.board.snapshot().version
    row.users.add(user)
    assert switchboard.board.wait_for(version + 1, timeout=1.0)
    assert is_on(MASTER, user)
    row.users.clear()
    assert eventually_off(user)


@pytest.mark.usefixtures("on")
def test_a_change_that_is_rolled_back_is_never_seen(user: User) -> None:
    before = switchboard.board.snapshot().version
    with transaction.atomic():
        Flag.objects.filter(name=MASTER).update(everyone=False)
        transaction.set_rollback(True)
    time.sleep(0.1)
    assert switchboard.board.snapshot().version == before
    assert is_on(MASTER, user)


@pytest.mark.usefixtures("on")
def test_kill_beats_superuser_staff_lists_query_string_headers_and_cookies(user: User) -> None:
    runner.set_early(
        flag=MASTER, staff=True, superusers=True, users=[user], actor=ACTOR, reason="early"
    )
    runner.kill(actor=ACTOR, reason="test")
    boss = User.objects.create_superuser("boss@school.example")
    request = RequestFactory().get(
        f"/?{MASTER}=1&dwft_{MASTER}=1",
        headers={f"dwft-{MASTER}": "1"},
    )
    request.COOKIES = {f"dwf_{MASTER}": "True", f"dwft_{MASTER}": "True"}
    for who in (user, boss):
        request.user = who
        assert not is_on(MASTER, request)
        assert not waffle.flag_is_active(request, MASTER)


@pytest.mark.usefixtures("on")
def test_waffles_own_ways_of_asking_give_the_switchboards_answer(user: User) -> None:
    request = RequestFactory().get("/")
    request.user = user
    template = engines["django"].from_string(
        f"{{% load waffle_tags %}}{{% flag {MASTER} %}}on{{% else %}}off{{% endflag %}}"
    )
    for expected in (True, False):
        assert waffle.flag_is_active(request, MASTER) is expected
        assert Flag.get(MASTER).is_active_for_user(user) is expected
        assert template.render({"request": request}, request) == ("on" if expected else "off")
        runner.kill(actor=ACTOR, reason="test")


def test_the_forged_visitor_cookie_is_not_believed() -> None:
    cookie = switchboard.visitor_cookie("abc")
    assert switchboard.visitor_from_cookie(cookie) == "abc"
    assert switchboard.visitor_from_cookie(cookie[:-1] + "x") is None
    assert switchboard.visitor_from_cookie("abc") is None
    assert switchboard.visitor_from_cookie(None) is None


def test_a_warm_check_does_no_query(on: None, user: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert is_on(MASTER, user)
        assert is_on(CHILD, user)


def test_nobody_is_off(on: None) -> None:
    assert not is_on(MASTER, None)
    assert not is_on(MASTER, AnonymousUser())


def reading(version: int, asked: float, answered: float) -> _Known:
    """Times in seconds from now."""
    now = time.monotonic()
    return _Known(Snapshot(version=version, salt=b"s"), now + asked, now + answered)


def test_of_two_readings_at_the_same_time_the_older_version_never_replaces_the_newer() -> None:
    board = Switchboard()
    newer = reading(10_000, -0.2, -0.1)
    board._accept(newer)
    board._accept(reading(9_999, -0.3, 0.0))
    assert board._known is newer


def test_a_later_reading_counts_though_its_version_went_back() -> None:
    board = Switchboard()
    board._accept(reading(10_000, -0.2, -0.1))
    restored = reading(3, -0.05, 0.0)
    board._accept(restored)
    assert board._known is restored


def test_an_answer_counts_from_its_question_so_that_a_nap_in_between_is_no_confirmation() -> None:
    board = Switchboard()
    board._thread = threading.current_thread()  # nobody else reads
    board._accept(reading(1, -switchboard.STALE - 1, 0.0))
    assert board.snapshot() is OFF
    board._accept(reading(1, -switchboard.STALE + 1, 0.0))
    assert board.snapshot().version == 1


@pytest.mark.usefixtures("on")
def test_a_version_that_went_back_with_a_restore_is_believed(user: User) -> None:
    connection.cursor().execute(
        "UPDATE rollback_switchboard SET version = version + 1000; NOTIFY rollback_flags"
    )
    version = switchboard.board.snapshot().version
    assert switchboard.board.wait_for(version + 1000, timeout=2.0)
    with connection.cursor() as cursor:
        # What a restored backup looks like: older rows, an older version, no notification.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE rollback_flag SET everyone = false")
        cursor.execute("UPDATE rollback_switchboard SET version = 3")
        cursor.execute("SET session_replication_role = DEFAULT")
    assert eventually_off(user, within=3.0)
    assert switchboard.board.snapshot().version == 3


@pytest.mark.usefixtures("on")
def test_a_lost_listening_connection_comes_back_by_itself(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'switchboard' AND datname = current_database()"
        )
    time.sleep(switchboard.RETRY * 3)
    assert is_on(MASTER, user)
    runner.kill(actor=ACTOR, reason="test")
    assert eventually_off(user)


def test_stale_is_off(on: None, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped, or whose thread hangs, must not go on with an old answer."""
    monkeypatch.setattr(switchboard, "STALE", -1.0)
    assert switchboard.board.snapshot() is OFF


def test_a_cold_process_without_a_database_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: Switchboard) -> Any:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(Switchboard, "_connect", gone)
    cold = Switchboard()
    assert cold.snapshot() is OFF
    cold.stop()


@pytest.mark.usefixtures("on")
def test_a_forked_child_has_a_thread_of_its_own(user: User) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b"on" if is_on(MASTER, user) else b"off"
        runs = any(t.name == "switchboard" and t.is_alive() for t in threading.enumerate())
        os.write(writing, answer + (b" with thread" if runs else b""))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"on with thread"


# ---------------------------------------------------------------- the runner


def test_each_change_has_actor_reason_before_and_after(user: User) -> None:
    runner.set_share(
        flag=MASTER, percent=Decimal("12.34"), actor=runner.actor_of(user), reason=" first step "
    )
    change = changes().get()
    assert (change.actor, change.actor_name) == (user, "u@school.example")
    assert change.reason == "first step"
    assert change.before["share"] == "0.00"
    assert change.after["share"] == "12.34"


def test_nothing_changed_leaves_no_row(on: None) -> None:
    count = changes().count()
    assert runner.set_share(flag=MASTER, percent=Decimal(100), actor=ACTOR, reason="again") == []
    assert changes().count() == count


@pytest.mark.usefixtures("on")
def test_restore_brings_the_share_from_before_back_or_a_smaller_one(user: User) -> None:
    set_share(MASTER, "60")
    runner.kill(flag=MASTER, actor=ACTOR, reason="test")
    runner.restore(flag=MASTER, actor=ACTOR, reason="fixed")
    assert Flag.objects.get(name=MASTER).percent == 60
    runner.kill(flag=MASTER, actor=ACTOR, reason="test")
    runner.restore(flag=MASTER, percent=Decimal(5), actor=ACTOR, reason="carefully")
    assert Flag.objects.get(name=MASTER).percent == 5


@pytest.mark.parametrize("percent", ["-0.01", "100.01", "NaN", "Infinity", "1.005"])
def test_a_share_out_of_range_is_refused(real_switchboard: Switchboard, percent: str) -> None:
    with pytest.raises(ChangeRefused):
        set_share(MASTER, percent)


@pytest.mark.usefixtures("on")
def test_refusals_say_what_to_do() -> None:
    with pytest.raises(ChangeRefused, match="There are: ENABLE_"):
        runner.kill(flag="NO_SUCH", actor=ACTOR, reason="test")
    with pytest.raises(ChangeRefused, match="reason"):
        runner.kill(actor=ACTOR, reason="  ")
    with pytest.raises(ChangeRefused, match="not killed"):
        runner.restore(flag=MASTER, actor=ACTOR, reason="test")
    runner.kill(actor=ACTOR, reason="test")
    with pytest.raises(ChangeRefused, match="Restore it first"):
        set_share(MASTER, "50")


def test_changes_from_many_sides_at_once_do_not_deadlock(real_switchboard: Switchboard) -> None:
    names = list(Flag.objects.values_list("name", flat=True))
    problems: list[Exception] = []

    def toggle(order: list[str]) -> None:
        try:
            for n in range(10):
                for name in order:
                    set_share(name, str(n))
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=toggle, args=(order,))
        for order in (names, names[::-1], names[1:] + names[:1], names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_change_behind_a_long_one_is_refused_in_words(real_switchboard: Switchboard) -> None:
    with other_session() as other:
        other.execute("UPDATE rollback_flag SET percent = 1")
        with pytest.raises(ChangeRefused, match="try again"):
            set_share(MASTER, "5")
        other.rollback()
    set_share(MASTER, "5")


@pytest.mark.usefixtures("on")
def test_a_kill_waits_for_nobody(user: User) -> None:
    """A forgotten transaction at some terminal holds the flags; its session is ended."""
    other = other_session()
    other.execute("UPDATE rollback_flag SET percent = 1")
    started = time.monotonic()
    assert len(runner.kill(actor=ACTOR, reason="test")) == 4
    assert time.monotonic() - started < 3
    assert eventually_off(user)
    with pytest.raises(psycopg.OperationalError):
        other.execute("SELECT 1")


def test_a_locked_table_does_not_hang_a_new_process(real_switchboard: Switchboard) -> None:
    with other_session() as other:
        other.execute("LOCK TABLE rollback_flag IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        assert real_switchboard.snapshot() is OFF
        assert real_switchboard.snapshot() is OFF
        assert time.monotonic() - started < switchboard.PATIENCE + 1
