"""What to do, written down before: the files of docs/runbooks, by name.

Who shows a feature, a phase or an incident links to its runbook; the pages are the console's.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.urls import reverse

from rollback import registry

INDEX = "index"
# A name is a name and never a way: no dot, no slash.
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class NoRunbook(LookupError):
    """There is none of this name, or the folder was not deployed; `is_deployed` says which."""


def folder() -> Path:
    return Path(settings.BASE_DIR, "docs", "runbooks")


def is_deployed() -> bool:
    return Path(folder(), f"{INDEX}.md").is_file()


def names() -> list[str]:
    return sorted(file.stem for file in folder().glob("*.md") if NAME.fullmatch(file.stem))


def text_of(name: str) -> str:
    """As Markdown. :raises NoRunbook:"""
    if not NAME.fullmatch(name):
        raise NoRunbook(name)
    try:
        return Path(folder(), f"{name}.md").read_text(encoding="utf-8")
    except FileNotFoundError as missing:
        raise NoRunbook(name) from missing


def page_of(name: str) -> str:
    """The path of its page in the office."""
    return reverse("admin:rollback_flag_runbook", args=[name])


def url_of(flag: str) -> str:
    """The path of this feature's runbook; of a flag that is no feature's, the index's."""
    feature = registry.get(flag)
    return page_of(feature.runbook if feature else INDEX)


def address_of(flags: Iterable[str]) -> str:
    """The whole address, for a mail: of the first feature among these, else of all runbooks."""
    known = [flag for flag in flags if registry.get(flag)]
    return settings.SITE_URL + (url_of(known[0]) if known else page_of(INDEX))


def of_phase(phase: int) -> str:
    return page_of(f"phase-{phase}")
