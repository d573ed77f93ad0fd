"""Runbooks: one for each feature and phase, found from the pages that need them, with commands that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError
from django.test import Client

from rollback import registry, runbooks
from rollback.console import report

LINK = re.compile(r"\]\(([^)]+)\)")
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(manage\.py [^`]+)`")
NEEDED = (
    "database-lost",
    "mails-not-going-out",
    "nobody-on-call",
    "restore-from-backup",
    "privacy-leak",
)


def commands() -> list[tuple[str, str]]:
    """(runbook, what is typed after `manage.py`)"""
    found = []
    for name in runbooks.names():
        text = runbooks.text_of(name)
        typed = [
            line.removeprefix("$ ")
            for block in BLOCK.findall(text)
            for line in block.splitlines()
            if line.startswith("$ manage.py ")
        ]
        found += [(name, one.removeprefix("manage.py ")) for one in [*typed, *INLINE.findall(text)]]
    return found


@pytest.mark.parametrize(("name", "typed"), commands())
def test_each_command_is_one_that_the_program_takes(name: str, typed: str) -> None:
    word, *arguments = shlex.split(typed)
    app = get_commands()[word]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, word)
    # It raises what at a terminal would end the process.
    command.create_parser("manage.py", word).parse_args(arguments)


def test_a_command_that_does_not_exist_would_be_found() -> None:
    parser = load_command_class("rollback", "rollback").create_parser("manage.py", "rollback")
    with pytest.raises(CommandError):
        parser.parse_args(["kill", "--never", "x"])


def test_the_runbooks_have_commands() -> None:
    assert len(commands()) > 50


def test_each_feature_and_each_phase_has_one() -> None:
    names = set(runbooks.names())
    assert {feature.runbook for feature in registry.features()} <= names
    assert len({feature.runbook for feature in registry.features()}) == len(registry.features())
    phases = {phase for feature in registry.features() for phase in feature.phases} | {1}
    assert {f"phase-{phase}" for phase in phases} <= names
    assert set(NEEDED) <= names


def test_every_one_is_linked_from_the_index_and_every_link_leads_somewhere() -> None:
    names = set(runbooks.names())
    for name in names:
        for address in LINK.findall(runbooks.text_of(name)):
            assert address.removesuffix(".md") in names, f"{name}: {address}"
    linked = {one.removesuffix(".md") for one in LINK.findall(runbooks.text_of(runbooks.INDEX))}
    assert linked == names - {runbooks.INDEX}


@pytest.mark.parametrize("name", [name for name in runbooks.names() if name != runbooks.INDEX])
def test_each_says_what_to_decide_how_one_sees_it_and_how_back(name: str) -> None:
    headings = re.findall(r"^## (.+)$", runbooks.text_of(name), re.MULTILINE)
    words = [heading.split(":")[0] for heading in headings]
    assert words == ["Decide first", "Do", "How do I see that it worked", "How back"]


@pytest.mark.parametrize(
    "name",
    ["..", "../../etc/passwd", "index.md", "Index", "", "a/b", "index\n", "in\0dex", "%2e%2e"],
)
def test_a_name_is_no_way_out_of_the_folder(name: str) -> None:
    with pytest.raises(runbooks.NoRunbook):
        runbooks.text_of(name)


def test_addresses_by_flag_and_phase(settings: Any) -> None:
    settings.SITE_URL = "https://school.example"
    calendar = "/admin/rollback/flag/runbook/calendar/"
    assert runbooks.url_of("ENABLE_CALENDAR_DISPLAY") == calendar
    assert runbooks.url_of("NOBODYS") == "/admin/rollback/flag/runbook/index/"
    assert runbooks.of_phase(1) == "/admin/rollback/flag/runbook/phase-1/"
    flags = ["NOBODYS", "ENABLE_CALENDAR_DISPLAY"]
    assert runbooks.address_of(flags) == f"https://school.example{calendar}"
    assert runbooks.address_of([]).endswith("/runbook/index/")


def test_only_links_to_other_runbooks_become_links() -> None:
    text = (
        "[a](calendar.md) [b](../x.md) [c](javascript:alert(1)) [d](https://x.example) "
        "<b>e</b> ![f](g.png)"
    )
    page = report.html(text, leads=lambda address: "/there/" if address == "calendar.md" else None)
    assert page.count("<a ") == 1
    assert '<a href="/there/">a</a>' in page
    assert "<b>" not in page
    assert "<img" not in page
    assert "<a" not in report.html(text)


@pytest.mark.django_db
@pytest.mark.parametrize("name", runbooks.names())
def test_each_is_a_page_of_the_office(name: str, client: Client, admin_user: Any) -> None:
    client.force_login(admin_user)
    page = client.get(runbooks.page_of(name))
    assert page.status_code == 200
    text = page.content.decode()
    for address in LINK.findall(runbooks.text_of(name)):
        assert f'href="{runbooks.page_of(address.removesuffix(".md"))}"' in text
    assert "<h1" in text
    assert client.get("/admin/rollback/flag/runbook/nothing/").status_code == 404


@pytest.mark.django_db
def test_where_docs_were_not_deployed_it_says_so(
    client: Client, admin_user: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runbooks, "folder", lambda: tmp_path)
    client.force_login(admin_user)
    page = client.get(runbooks.page_of("calendar"))
    assert page.status_code == 200
    assert "docs/runbooks/calendar.md" in page.content.decode()
