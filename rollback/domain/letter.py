"""What a letter is: its words, what may stand in them, and for whom it is meant. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollback.domain.incidents import IncidentState


class LetterKey(StrEnum):
    ENROLLMENT = "enrollment"
    SIMPLIFIED = "simplified"
    CONFLICT = "conflict"
    MOVED = "moved"
    CANCELLED = "cancelled"
    SUBSTITUTED = "substituted"
    RESTORED = "restored"
    ALL_CLEAR = "all_clear"
    BRIEFING = "briefing"
    NEXT_STEPS = "next_steps"
    PAGE = "page"
    PAGE_TEST = "page_test"
    TEST_UNANSWERED = "test_unanswered"
    PAGE_SILENT = "page_silent"
    HAND_OVER = "hand_over"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """meaning: for whoever edits a letter. sample: what a preview shows without an incident; both are msgids.

    may_be_empty: then it may stand only where `{% if name %}` has asked for it. has_lines: else what it
    brings is made one line. is_address: it begins with https://, and may be a link's address in HTML.
    """

    name: str
    meaning: str
    sample: str
    may_be_empty: bool = False
    has_lines: bool = False

    @property
    def is_address(self) -> bool:
        return self.name == "link" or self.name.endswith("_link")


class Audience(StrEnum):
    PEOPLE = "people"
    STAFF = "staff"
    PUBLIC = "public"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """paragraphs: msgids, so that a sentence that stands in several letters is translated once.

    required: variables without which it would not do what it is for: in the text, and in an HTML version as
    well. states: of the incident that it is about, when it is written; none: it is about no incident.
    is_news: not needed by whoever gets it, who may say that no more of this kind is wanted. Public ones have
    no subject but a heading, neither greeting nor closing, and are one paragraph.
    """

    key: LetterKey
    title: str
    about: str
    audience: Audience
    subject: str
    paragraphs: tuple[str, ...]
    variables: tuple[Variable, ...]
    required: tuple[str, ...]
    states: tuple[IncidentState, ...] = ()
    is_news: bool = False

    @property
    def text(self) -> str:
        return self.joined(self.paragraphs)

    def joined(self, paragraphs: Iterable[str]) -> str:
        return (" " if self.audience == Audience.PUBLIC else "\n\n").join(paragraphs)

    @property
    def by_name(self) -> Mapping[str, Variable]:
        return {variable.name: variable for variable in self.variables}

    @property
    def samples(self) -> Mapping[str, str]:
        return {variable.name: variable.sample for variable in self.variables}
