"""What the library of public holidays knows. It runs in an interpreter of its own: see `isolated`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils import translation
from django.utils.translation import gettext

from holidays.domain import public
from holidays.domain.rows import Reading

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_name("isolated.py")
# It takes one second; a machine under load may need some more, and a page is not to hang.
SECONDS = 20
DAY = 24 * 3600


class LibraryFailed(Exception):
    """It gave no answer. reason: `missing`, `slow`, `failed`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A country the library knows. subdivisions: (code, its name or an empty text)."""

    code: str
    name: str
    subdivisions: tuple[tuple[str, str], ...]
    categories: tuple[str, ...]
    years: tuple[int, int]

    def called(self, subdivision: str) -> str:
        """“Germany”, “Germany, Bayern”."""
        names = dict(self.subdivisions)
        part = names.get(subdivision) or subdivision
        return f"{self.name}, {part}" if part else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    country: str
    subdivision: str = ""
    categories: tuple[str, ...] = ("public",)
    years: tuple[int, ...]


def version() -> str:
    """Of what is installed, without starting it; empty: nothing is.

    The library's and our app's name are the same, but only the library is a distribution.
    """
    try:
        return version_of("holidays")
    except PackageNotFoundError:
        return ""


def places() -> list[Place]:
    """By name. Kept for a day: starting the library costs a second.

    :raises LibraryFailed:
    """
    key = f"holidays:places:{version()}"
    found = cache.get(key)
    if found is None:
        found = _ask({"places": True})["places"]
        cache.set(key, found, DAY)
    return sorted((_place(one) for one in found), key=lambda one: one.name)


def _place(one: Mapping[str, Any]) -> Place:
    return Place(
        code=one["code"],
        name=one["name"],
        subdivisions=tuple((code, name) for code, name in one["subdivisions"]),
        categories=tuple(one["categories"]),
        years=(one["years"][0], one["years"][1]),
    )


def public_holidays(wanted: Sequence[Wanted]) -> list[Reading]:
    """One start of the library for all of them.

    :raises LibraryFailed:
    """
    languages = our_languages()
    asked = [
        {
            "country": one.country,
            "subdivision": one.subdivision,
            "categories": list(one.categories),
            "years": list(one.years),
            "languages": languages,
        }
        for one in wanted
    ]
    answer = _ask({"holidays": asked})
    working = {language: _working(language) for language in languages}
    return [
        public.reading(found, years=one.years, working=working, version=answer["version"])
        for one, found in zip(wanted, answer["holidays"], strict=True)
    ]


def _working(language: str) -> str:
    with translation.override(language):
        return gettext("Working day instead")


def our_languages() -> list[str]:
    """The school's own first."""
    own = settings.LANGUAGE_CODE
    return [own, *(code for code, _name in settings.LANGUAGES if code != own)]


def _ask(question: Mapping[str, Any]) -> Any:
    """:raises LibraryFailed:"""
    if not version():
        raise LibraryFailed("missing")
    try:
        done = subprocess.run(  # noqa: S603 - our own script, and the question is on its stdin
            [sys.executable, "-I", str(SCRIPT)],
            input=json.dumps(question),
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=True,
            # Secrets stand in the environment; of it a Python needs no more than this.
            env={
                name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
            },
        )
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise LibraryFailed("slow") from error
    except subprocess.CalledProcessError as error:
        log.error("public holidays failed", stderr=error.stderr[-2000:])
        raise LibraryFailed("failed") from error
    except (OSError, ValueError) as error:
        log.error("public holidays failed", error=str(error))
        raise LibraryFailed("failed") from error
