"""The status page in each language, and all the texts there are of it, which need nothing more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import structlog
from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from rollback.domain.standing import Facts, Part, Standing, Story, Word, Work
from rollback.domain.uptime import Day, share_of
from rollback.public.status.facts import titles
from rollback.public.status.feeds import FEEDS, feed
from rollback.public.status.programs import for_programs
from rollback.public.status.saying import said, school_name, state_words

log = structlog.get_logger(__name__)

JSON = "index.json"
# Replaced when a kept page is no longer of now.
STALE_MARK = "<!--stale-->"

# standing → the words, and the tone they are in.
WORDS: Mapping[Standing, tuple[Promise, str]] = {
    Standing.OPERATIONAL: (gettext_lazy("Works"), "success"),
    Standing.NOT_YET: (gettext_lazy("Not introduced yet"), ""),
    Standing.PARTLY_OFF: (gettext_lazy("Switched off for some"), "info"),
    Standing.MAINTENANCE: (gettext_lazy("Planned work"), "info"),
    Standing.DEGRADED: (gettext_lazy("Works with trouble"), "warning"),
    Standing.OFF: (gettext_lazy("Switched off"), "error"),
    Standing.ARCHIVED: (gettext_lazy("In the archive"), "error"),
}
ALL_TOGETHER: Mapping[Standing, Promise] = {
    Standing.OPERATIONAL: gettext_lazy("Everything works."),
    Standing.NOT_YET: gettext_lazy("Everything works that there is yet."),
    Standing.PARTLY_OFF: gettext_lazy("Everything works; some parts are switched off for some."),
    Standing.MAINTENANCE: gettext_lazy("Planned work is going on."),
    Standing.DEGRADED: gettext_lazy("Some parts work with trouble."),
    Standing.OFF: gettext_lazy("Some parts are switched off."),
    Standing.ARCHIVED: gettext_lazy("Some parts are switched off."),
}


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where things lie: as the school answers, or in a folder beside each other."""

    home: str
    page: str  # each with {language}
    rss: str
    atom: str
    json: str
    styles: Sequence[str]
    logo: str


def our_links() -> Links:
    page = reverse("watch:status")
    return Links(
        home=reverse("enrollment:catalog"),
        page=f"{page}?lang={{language}}",
        rss=f"{reverse('watch:status-rss')}?lang={{language}}",
        atom=f"{reverse('watch:status-atom')}?lang={{language}}",
        json=reverse("watch:status-json"),
        styles=[static("enrollment/school.css"), static("rollback/status.css")],
        logo=static("enrollment/logo.svg"),
    )


def page_name(language: str) -> str:
    return f"index.{language}.html"


def feed_name(kind: str, language: str) -> str:
    return f"feed.{language}.{kind}"


def texts(facts: Facts | None, *, links: Links) -> dict[str, str]:
    """By the name of the file. facts: None where nothing is known."""
    found = {JSON: for_programs(facts)}
    for language, _name in settings.LANGUAGES:
        with translation.override(language), timezone.override(None):
            found[page_name(language)] = page(facts, language=language, links=links)
            for kind in FEEDS:
                found[feed_name(kind, language)] = _feed(facts, kind=kind, language=language)
    return found


def _feed(facts: Facts | None, *, kind: str, language: str) -> str:
    """Without entries where they cannot be written: readers keep those that they have."""
    try:
        return feed(facts, kind=kind, language=language)
    except Exception:
        # The door: one feed that breaks keeps nobody from the page.
        log.exception("status.feed_broken", kind=kind, language=language)
        return feed(None, kind=kind, language=language)


def stale_words(as_of: datetime) -> str:
    """In the language that is active. Needs no database."""
    with timezone.override(None):
        return render_to_string("public/stale.html", {"as_of": as_of})


def page(facts: Facts | None, *, language: str, links: Links) -> str:
    told: dict[str, Any] = {
        "school_name": school_name(),
        "office_email": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "zone": settings.TIME_ZONE,
        "stale_mark": STALE_MARK,
        "logo": links.logo,
        "styles": links.styles,
        "home": links.home,
        "rss": links.rss.format(language=language),
        "atom": links.atom.format(language=language),
        "json": links.json,
        "languages": [
            (code, links.page.format(language=code)) for code, _name in settings.LANGUAGES
        ],
    }
    if facts is not None:
        told |= _told(facts, language)
    return render_to_string("public/status.html", told)


def _told(facts: Facts, language: str) -> dict[str, Any]:
    names = {key: str(title) for key, title in titles().items()}
    return {
        "facts": facts,
        "summary": ALL_TOGETHER[facts.worst],
        "tone": WORDS[facts.worst][1] or "success",
        "parts": [_part(part, names) for part in facts.parts],
        "current": [_story(story, names, language) for story in facts.current],
        "past": [_story(story, names, language) for story in facts.past],
        "work": [_work(one, names, language, now=facts.as_of) for one in facts.work],
    }


def _part(part: Part, names: Mapping[str, str]) -> dict[str, Any]:
    words, tone = WORDS[part.standing]
    known = [day for day in part.days if day.known_minutes]
    return {
        "key": part.key,
        "name": names[part.key],
        "words": words,
        "tone": tone,
        "share": percent(share_of(part.days)),
        "up": _plain(part.days, "up"),
        "none": _plain(part.days, "none"),
        "bars": [_bar(place, day) for place, day in enumerate(part.days) if day.down_minutes],
        "width": len(part.days) * 4,
        "known": len(known),
        "gaps": len(part.days) - len(known),
        "troubled": [
            {"day": day, "share": percent(day.share)} for day in reversed(known) if day.down_minutes
        ],
    }


# How high a day is drawn says the same as its color.
HEIGHTS = {"up": 32, "short": 22, "long": 12, "none": 3}


def _plain(days: Sequence[Day], look: str) -> str:
    """All days of this look in one path: most of ninety days are alike, and the page is asked for often."""
    height = HEIGHTS[look]
    return "".join(
        f"M{place * 4} {32 - height}h3v{height}h-3z"
        for place, day in enumerate(days)
        if day.look == look
    )


def _bar(place: int, day: Day) -> dict[str, Any]:
    height = HEIGHTS[day.look]
    return {
        "x": place * 4,
        "y": 32 - height,
        "height": height,
        "day": day,
        "share": percent(day.share),
    }


def percent(share: float | None) -> str:
    """Never 100 % where there was anything: rounded down. Empty where nothing is known."""
    if share is None:
        return ""
    hundredths = int(round(share * 10_000, 6))
    return number_format(hundredths / 100, decimal_pos=0 if share == 1 else 2)


def _story(story: Story, names: Mapping[str, str], language: str) -> dict[str, Any]:
    return {
        "words": [_word(word, language) for word in story.words],
        "heading": said(story.newest.headings, language),
        "parts": [names[key] for key in story.newest.parts if key in names],
        "began_at": story.began_at,
        "ended_on": timezone.localtime(story.newest.at).date(),
        "next_at": story.newest.next_at,
    }


def _word(word: Word, language: str) -> dict[str, Any]:
    return {
        "pk": word.pk,
        "state": state_words(word.state),
        "heading": said(word.headings, language),
        "text": said(word.texts, language),
        "at": word.at,
    }


def _work(work: Work, names: Mapping[str, str], language: str, *, now: datetime) -> dict[str, Any]:
    return {
        "pk": work.pk,
        "heading": said(work.headings, language),
        "text": said(work.texts, language),
        "parts": [names[key] for key in work.parts if key in names],
        "starts_at": work.starts_at,
        "ends_at": work.ends_at,
        "goes_on": work.starts_at <= now,
    }
