"""The small decisions around a start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import statics
from config.local import browser, place, ports, run
from config.local.children import Child
from config.local.command import needs_database


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        ("", False),
        ("help", False),
        ("migrate --help", False),
        ("--version", False),
        ("check", False),
        ("check --deploy", False),
        ("check --database default", True),
        ("makemigrations --check --dry-run", False),
        ("makemigrations", True),
        ("collectstatic --noinput", False),
        ("migrate", True),
        ("rollback status", True),
        ("setup", True),
    ],
)
def test_which_commands_need_a_database(words: str, needs: bool) -> None:
    assert needs_database(words.split()) is needs


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_missing_browser_is_a_notice_on_a_desk_and_a_failure_in_ci(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(browser, "find", lambda: None)
    monkeypatch.setattr(browser, "_install", lambda: False)
    assert browser.prepare() == code
    assert "BROWSER TESTS WILL BE SKIPPED" in capsys.readouterr().err


def test_a_second_school_and_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCHOOL_VAR", "")
    assert place.var() == place.BASE_DIR / "var"
    monkeypatch.setenv("SCHOOL_VAR", str(tmp_path))
    assert place.var() == tmp_path


def test_production_never_starts_the_embedded_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("SCHOOL_ENV", "production")
    assert not place.uses_embedded_database()
    monkeypatch.setenv("SCHOOL_ENV", "desk")
    assert place.uses_embedded_database()


def child(tmp_path: Path, code: str) -> Child:
    return Child("test", [sys.executable, "-c", code], tmp_path / "log" / "test.log", os.environ)


def test_a_program_that_fails_waits_longer_each_time_and_is_quoted(tmp_path: Path) -> None:
    failing = child(tmp_path, "import sys; print('the reason'); sys.exit(3)")
    pauses = []
    for _ in range(3):
        failing.start()
        assert failing.process is not None
        assert failing.process.wait(30) == 3
        failing.bury()
        pauses.append(failing.pause)
    assert pauses == [1.0, 2.0, 4.0]
    assert failing.last_lines(1) == "the reason"


def test_who_ignores_the_request_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.local.children.STOP_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {deaf!r}]); "
    code += "print(p.pid, flush=True); " + deaf
    stubborn = child(tmp_path, code)
    stubborn.start()
    while not (said := stubborn.last_lines()):
        time.sleep(0.02)
    stubborn.stop()
    assert stubborn.process is None
    assert _ends(int(said))


def test_a_log_that_has_grown_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.local.children.LARGEST_LOG", 3)
    talking = child(tmp_path, "print('hello')")
    for _ in range(2):
        talking.start()
        assert talking.process is not None
        talking.process.wait(30)
    assert (tmp_path / "log" / "test.old.log").read_text() == "hello\n"
    assert talking.last_lines() == "hello"


def test_an_old_python_is_named() -> None:
    for script in ("manage.py", "config/local/check_python.py"):
        source = (place.BASE_DIR / script).read_text()
        old = source.replace("sys.version_info < (3, 11)", "sys.version_info < (9, 0)")
        done = subprocess.run(
            [sys.executable, "-c", old], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("Python 3.11 or newer is needed; this is 3.")


def test_static_files_are_collected_again_only_when_one_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.VAR", tmp_path)
    monkeypatch.setattr("django.conf.settings.STATIC_ROOT", tmp_path / "static")
    monkeypatch.setattr(statics, "call_command", lambda *_, **__: (tmp_path / "static").mkdir())
    assert statics.changed()
    statics.collect()
    assert not statics.changed()
    monkeypatch.setattr(statics, "_digest", lambda: "another")
    assert statics.changed()


def _ends(pid: int) -> bool:
    """A dead process nobody collects still has a number, but no command line."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if not Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


def test_sockets_and_mails_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the ports of the mails are taken they move up, to where the sockets would be."""
    for name in ("EMAIL_URL", "MAIL_READER_URL", "SITE_URL", "SOCKET_URL"):
        monkeypatch.setenv(name, "")
    port = 17_300
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.next_free(port + run.MAIL_ABOVE)))
        taken.listen()
        mail_ports = run._name_addresses(port)
        sockets = run._name_sockets(port, mail_ports)
    assert mail_ports
    assert sockets
    assert sockets not in mail_ports
