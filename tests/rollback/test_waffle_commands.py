"""waffle's commands know neither kills nor the audit: ours stand in their place."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands

from rollback import runner
from rollback.models import Flag, FlagChange

NAME = "ENABLE_CALENDAR_DISPLAY"
ASKED = [
    ("waffle_flag", NAME, "--percent", "100"),
    ("waffle_flag", NAME, "--staff", "--create"),
    ("waffle_flag",),
    ("waffle_delete", "everything", "--flags", NAME),
    ("waffle_switch", "anything", "on", "--create"),
    ("waffle_sample", "anything", "50", "--create"),
]


@pytest.mark.parametrize("asked", ASKED)
def test_each_refuses_and_undoes_no_kill(asked: tuple[str, ...], flag_rows: None) -> None:
    runner.kill(flag=NAME, actor=runner.actor_at_the_terminal(), reason="broken")
    before = list(Flag.objects.order_by("pk").values())
    changes = FlagChange.objects.count()
    with pytest.raises(CommandError, match=r"use manage\.py rollback set, kill or restore"):
        call_command(*asked)
    assert list(Flag.objects.order_by("pk").values()) == before
    assert FlagChange.objects.count() == changes


def test_a_command_that_waffle_adds_is_noticed() -> None:
    """get_commands() says who serves a name; none may be waffle itself."""
    assert [name for name, app in get_commands().items() if app == "waffle"] == []


def test_the_terminal_gets_the_sentence_whatever_was_asked() -> None:
    asked = [sys.executable, "manage.py", "waffle_delete", "--flags", NAME]
    answer = subprocess.run(
        asked, capture_output=True, text=True, cwd=settings.BASE_DIR, check=False
    )
    assert answer.returncode == 1
    assert "use manage.py rollback set" in answer.stderr
