"""manage.py rollback status-page: the public status page as files, for another web server."""

from argparse import _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management.base import CommandError, CommandParser
from django.db import Error
from django.urls import reverse

from rollback.domain.errors import without_rows
from rollback.domain.standing import Facts
from rollback.public.status import kept, shown
from rollback.public.status.saying import whole

# Laid beside the pages, so that nothing of them is asked of the school.
BESIDE = ("enrollment/school.css", "rollback/status.css", "enrollment/logo.svg")


def add_arguments(commands: "_SubParsersAction[CommandParser]") -> None:
    page = commands.add_parser("status-page", help="write the public status page into a folder")
    page.add_argument(
        "folder", type=Path, help="made if it is not there; each file is replaced whole"
    )


def answer(folder: Path) -> Iterator[str]:
    """:raises CommandError: nothing was written, or not all of it; the sentence says why"""
    try:
        found = kept.read_facts()
        texts = {name: text.replace(shown.STALE_MARK, "") for name, text in _texts(found).items()}
        kept.write(folder, texts | _beside(), as_of=found.as_of.timestamp())
    except Error as error:
        raise CommandError(
            f"The database does not answer ({without_rows(error)}); the files of before stay as they are."
        ) from error
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be written: {error.strerror or error}. Name a folder that this user may write."
        ) from error
    yield f"{len(texts)} files in {folder}, as of {found.as_of:%Y-%m-%d %H:%M:%S} UTC; begin with index.html."


def _texts(found: Facts) -> dict[str, str]:
    texts = shown.texts(found, links=_links_beside())
    return texts | {"index.html": texts[shown.page_name(settings.LANGUAGE_CODE)]}


def _links_beside() -> shown.Links:
    return shown.Links(
        home=whole(reverse("enrollment:catalog")),
        page=shown.page_name("{language}"),
        rss=shown.feed_name("rss", "{language}"),
        atom=shown.feed_name("atom", "{language}"),
        json=shown.JSON,
        styles=["school.css", "status.css"],
        logo="logo.svg",
    )


def _beside() -> dict[str, str]:
    found = {}
    for name in BESIDE:
        path = finders.find(name)
        if path is None:
            raise CommandError(f"{name} is missing from the static files of this installation.")
        found[Path(name).name] = Path(path).read_text()
    return found
