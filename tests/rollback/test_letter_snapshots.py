"""Every letter as it reads: in each language, in each state of an incident that it can be written in, with
all that may be empty there and not there. `UPDATE_SNAPSHOTS=1` writes the files anew; then look at the
difference.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from enrollment.models import Course, User
from rollback import incidents
from rollback.audit import Actor
from rollback.console.letter_values import filling
from rollback.domain.incidents import IncidentState
from rollback.domain.letters import BY_KEY, LETTERS, Audience, Letter
from rollback.models import EnrollmentDraft, Incident, IncidentEvent
from rollback.words import Rendered, house_words, render_words
from tests.conftest import make_student

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = bool(os.environ.get("UPDATE_SNAPSHOTS"))
OPENED = datetime(2026, 1, 7, 14, 4, tzinfo=UTC)
LANGUAGES = [code for code, _name in settings.LANGUAGES]
LONGEST_LINE = 998  # RFC 5322
# What has happened when an incident is in a state: the later ones include the earlier.
HAPPENED = {
    IncidentState.OPEN: (),
    IncidentState.ACKNOWLEDGED: ("acknowledged_at",),
    IncidentState.CONTAINED: ("acknowledged_at", "contained_at"),
    IncidentState.VERIFIED: ("acknowledged_at", "contained_at", "verified_at"),
    IncidentState.RESOLVED: ("acknowledged_at", "contained_at", "verified_at", "resolved_at"),
    IncidentState.REVIEWED: (
        "acknowledged_at", "contained_at", "verified_at", "resolved_at", "reviewed_at",
    ),
}  # fmt: skip

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.SITE_URL = "https://school.example"


@pytest.fixture
def people(course: Course) -> dict[str, User]:
    """Somebody who was enrolling, and somebody who was not."""
    enrolling, looking = make_student(), make_student("ben@school.example")
    now = timezone.now()
    EnrollmentDraft.objects.create(student=enrolling, course=course, saved_at=now, started_at=now)
    return {"full": enrolling.user, "bare": looking.user}


@pytest.fixture
def incident() -> Incident:
    made = Incident.objects.create(
        pk=12,
        title="Calendar: too many errors",
        opened_at=OPENED,
        severity=2,
        cause="x",
        opened_by_name="x",
    )
    incidents.record(
        incident=made.pk,
        kind=IncidentEvent.Kind.OPENED,
        actor=Actor(name="x"),
        flags=["ENABLE_CALENDAR_DISPLAY"],
    )
    return made


def in_state(incident: Incident, state: IncidentState) -> Incident:
    at = {name: OPENED + timedelta(minutes=5) for name in HAPPENED[state]}
    for name in HAPPENED[IncidentState.REVIEWED]:
        setattr(incident, name, at.get(name))
    incident.resolution = "x" if "resolved_at" in at else ""
    assert incident.state == state
    return incident


def variants(
    letter: Letter, incident: Incident, people: dict[str, User]
) -> Iterator[tuple[str, str, Rendered]]:
    """(language, what it is like, the letter)"""
    for language in LANGUAGES:
        for kind, person in people.items():
            for state in letter.states or ("",):
                about = in_state(incident, IncidentState(state)) if state else None
                found = filling(
                    letter, language=language, incident=about, person=person if state else None
                )
                empty = {
                    one.name: ""
                    for one in letter.variables
                    if one.may_be_empty and (kind == "bare")
                }
                full = {
                    one.name: filling(letter, language=language).values[one.name]
                    for one in letter.variables
                    if one.may_be_empty and kind == "full"
                }
                values = {**found.values, **full, **empty}
                made = render_words(
                    house_words(letter, language), letter, language=language, values=values
                )
                yield language, f"{state or 'any time'}, {kind}", made


@pytest.mark.parametrize("key", list(BY_KEY))
def test_a_letter_reads_as_it_did(key: str, incident: Incident, people: dict[str, User]) -> None:
    texts: dict[tuple[str, str], list[str]] = {}
    for language, kind, made in variants(BY_KEY[key], incident, people):
        neat(made, language, BY_KEY[key])
        shown = f"Subject: {made.subject}\n\n{made.text.strip()}\n"
        texts.setdefault((language, shown), []).append(kind)
    lines = [
        f"=== {language}: {'; '.join(kinds)}\n{shown}" for (language, shown), kinds in texts.items()
    ]
    file, now = SNAPSHOTS / f"{key}.txt", "\n".join(lines)
    if UPDATE:
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(now)
    assert file.read_text() == now, f"UPDATE_SNAPSHOTS=1 writes {file.name} anew"


def test_there_is_a_snapshot_of_each_letter_and_of_nothing_else() -> None:
    assert {file.stem for file in SNAPSHOTS.iterdir()} == {letter.key for letter in LETTERS}


def neat(made: Rendered, language: str, letter: Letter) -> None:
    for text in (made.subject, made.text):
        assert not re.search(r"[{}]|%\(|  |[ \t]\n|\n{3}| [.,;:!?]", text), text
    page = Page(made.html)
    assert page.problems == []
    if letter.audience != Audience.PUBLIC:
        assert page.language == language
        assert page.title == made.subject
        sent = EmailMultiAlternatives(made.subject, made.text, "a@a.example", ["b@b.example"])
        sent.attach_alternative(made.html, "text/html")
        for line in sent.message().as_bytes().split(b"\n"):
            assert len(line) <= LONGEST_LINE
    assert page.words == " ".join(re.sub(r"(?m)^- ", "", made.text).split())


class Page(HTMLParser):
    """What a reader of the HTML reads, a button written as in the text; and what is wrong with it."""

    VOID = frozenset({"meta", "br", "hr", "link", "img"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.language = self.title = ""
        self._open: list[tuple[str, dict[str, Any]]] = []
        self._read: list[str] = []
        self._of_element: list[int] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag, _attributes in self._open]
        self.words = " ".join("".join(self._read).split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        attributes = dict(attrs)
        if tag == "html":
            self.language = attributes.get("lang", "")
        if tag == "a" and not attributes.get("href", "").startswith("https://"):
            self.problems.append(f"a link without an address: {attributes}")
        if tag == "br":
            self._read.append(" ")
        if tag not in self.VOID:
            self._open.append((tag, attributes))
            self._of_element.append(len(self._read))

    def handle_endtag(self, tag: str) -> None:
        opened, attributes = self._open.pop()
        inside = "".join(self._read[self._of_element.pop() :]).strip()
        if opened != tag:
            self.problems.append(f"</{tag}> closes <{opened}>")
        if tag in ("p", "li", "a", "title") and not inside and tag != "title":
            self.problems.append(f"an empty <{tag}>")
        if tag == "a" and attributes.get("class") == "button":
            self._read.append(f": {attributes['href']}")
        if tag in ("p", "li", "ul", "h1"):
            self._read.append(" ")

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _attributes in self._open}
        hidden = any("display: none" in one.get("style", "") for _tag, one in self._open)
        if "title" in tags:
            self.title += data.strip()
        elif "style" not in tags and not hidden:
            self._read.append(data)


# ---------------------------------------------------------------- the look

BASE = (Path(settings.BASE_DIR) / "templates/mail/base.html").read_text()
# Text on ground, as the mails have it by day and by night.
PAIRS = [
    ("#1b2a2e", "#fff"), ("#1b2a2e", "#f7f5f0"), ("#49585b", "#fff"), ("#fff", "#0b665f"),
    ("#0b5d57", "#fff"), ("#e4ebea", "#1b2729"), ("#e4ebea", "#10191b"), ("#b4c2c2", "#1b2729"),
    ("#7fd3ca", "#1b2729"),
    ("#0d1a1b", "#7fd3ca"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_the_mails_can_be_read_by_day_and_by_night(text: str, ground: str) -> None:
    assert text in BASE
    assert ground in BASE
    light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(one * 2 for one in color[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
