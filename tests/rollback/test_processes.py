"""Who has a version, who waits and who is silent; and how that is told."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback import processes, switchboard
from rollback.domain.processes import SILENT, RollCall, Seen, call_the_roll, kind_of

NOW = datetime(2026, 3, 2, 13, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["/venv/bin/granian", "--interface", "wsgi"], "web"),
        (["/site-packages/granian/__main__.py"], "web"),
        (["gunicorn", "config.wsgi"], "web"),
        (["manage.py", "runserver"], "web"),
        (["manage.py", "rollback", "status"], "command"),
        (["/venv/bin/uvicorn", "config.asgi:application"], "socket"),
        (["/venv/bin/celery", "-A", "config", "worker"], "worker"),
        (["/site-packages/celery/__main__.py", "-A", "config", "beat"], "beat"),
        (["celery", "-A", "config", "inspect", "ping"], "command"),
        (["-c"], "process"),
        ([""], "process"),
        ([], "process"),
    ],
)
def test_the_command_line_tells_the_kind(words: list[str], kind: str) -> None:
    assert kind_of(words) == kind


def seen(
    version: int, *, reached: float = -1.0, last: float = 0.0, started: float = -60.0, pid: int = 1
) -> Seen:
    """Times in seconds from NOW."""
    at = [NOW + timedelta(seconds=seconds) for seconds in (started, reached, last)]
    return Seen("web", "x", pid, at[0], version, at[1], at[2])


def roll(*found: Seen, version: int = 42, newest: int = 42) -> RollCall:
    changed_at = NOW - timedelta(seconds=2)
    return call_the_roll(found, version=version, newest=newest, changed_at=changed_at, now=NOW)


def test_all_have_it_and_the_slowest_counts() -> None:
    found = roll(seen(42, reached=-1.999), seen(42, reached=-1.986))
    assert (len(found.reached), found.alive, found.slowest) == (2, 2, timedelta(milliseconds=14))
    assert processes.sentences(found, word="Off") == ["Off in 2 of 2 processes, slowest 14 ms."]


def test_who_started_after_the_change_was_not_slow() -> None:
    found = roll(seen(42, started=-1.5, reached=-1))
    assert found.slowest is None
    assert processes.sentences(found, word="Version 42") == ["Version 42 in 1 of 1 process."]


def test_a_delay_is_never_below_zero_and_never_told_shorter_than_it_was() -> None:
    assert roll(seen(42, reached=-2.5)).slowest == timedelta(0)
    assert processes.span(timedelta(microseconds=13_001)) == "14 ms"
    assert processes.span(timedelta(seconds=1.26)) == "1.3 s"


def test_an_older_version_waits_and_one_from_before_a_restore_too() -> None:
    found = roll(seen(41, pid=7), seen(99), seen(42))
    assert (len(found.reached), found.alive) == (1, 3)
    assert (
        "Not yet: web, host x, pid 7: still at version 41; "
        in processes.sentences(found, word="Off")[1]
    )


def test_a_change_that_came_after_the_kill_does_not_hide_that_the_kill_arrived() -> None:
    found = roll(seen(42), seen(43), seen(41), version=42, newest=43)
    assert (len(found.reached), len(found.waiting)) == (2, 1)


def test_the_silent_are_named_and_not_counted_among_the_living() -> None:
    found = roll(seen(42), seen(42, last=-6, pid=123))
    assert found.alive == 1
    said = processes.sentences(found, word="Off")
    assert said[0].startswith("Off in 1 of 1 process")
    assert said[1].endswith("web, host x, pid 123: silent since 14:01:59.")  # Berlin


def test_silence_begins_when_a_process_would_have_switched_itself_off() -> None:
    assert timedelta(seconds=switchboard.STALE) == SILENT
    assert roll(seen(42, last=-SILENT.total_seconds())).alive == 1
