"""The status page in each language, its feeds, and the same for programs: texts that need nothing more."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed, SyndicationFeed
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rollback.domain.standing import Facts, Part, Standing, Story, Word, Work, in_language
from rollback.domain.uptime import Day, share_of
from rollback.models import PublicUpdate
from rollback.public.status.facts import titles

ITEMS = 50  # of a feed
SCHEMA = 1
FEEDS: Mapping[str, type[SyndicationFeed]] = {"rss": Rss201rev2Feed, "atom": Atom1Feed}
JSON = "index.json"
# Replaced when a kept page is no longer of now.
STALE_MARK = "<!--stale-->"
IS_CURRENT, IS_NOT = '"is_current": true', '"is_current": false'

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
                found[feed_name(kind, language)] = feed(facts, kind=kind, language=language)
    return found


def stale_words(as_of: datetime) -> str:
    """In the language that is active. Needs no database."""
    with timezone.override(None):
        return render_to_string("public/stale.html", {"as_of": as_of})


# ---------------------------------------------------------------- for people


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


def school_name() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or _("The school")


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
        "heading": _said(story.newest.headings, language),
        "parts": [names[key] for key in story.newest.parts if key in names],
        "began_at": story.began_at,
        "ended_on": timezone.localtime(story.newest.at).date(),
        "next_at": story.newest.next_at,
    }


def _word(word: Word, language: str) -> dict[str, Any]:
    return {
        "pk": word.pk,
        "state": state_words(word.state),
        "heading": _said(word.headings, language),
        "text": _said(word.texts, language),
        "at": word.at,
    }


def _work(work: Work, names: Mapping[str, str], language: str, *, now: datetime) -> dict[str, Any]:
    return {
        "pk": work.pk,
        "heading": _said(work.headings, language),
        "text": _said(work.texts, language),
        "parts": [names[key] for key in work.parts if key in names],
        "starts_at": work.starts_at,
        "ends_at": work.ends_at,
        "goes_on": work.starts_at <= now,
    }


def state_words(state: str) -> str:
    return str(dict(PublicUpdate.State.choices).get(state, state))


def _said(by_language: dict[str, str], language: str) -> dict[str, str]:
    """lang: empty where it is the page's own."""
    text, code = in_language(by_language, language, usual=settings.LANGUAGE_CODE)
    return {"text": text, "lang": "" if code == language else code}


# ---------------------------------------------------------------- for feed readers


def feed(facts: Facts | None, *, kind: str, language: str) -> str:
    """Links and identities are whole and stay: an update is told once, whatever is added later."""
    address = whole(reverse("watch:status"))
    made = FEEDS[kind](
        title=_("%(school)s: status") % {"school": school_name()},
        link=address,
        description=_("What works, what does not, and what is planned."),
        language=language,
        feed_url=f"{whole(reverse(f'watch:status-{kind}'))}?lang={language}",
        feed_guid=f"{address}#{language}",
    )
    for item in _items(facts, language) if facts else ():
        made.add_item(**item)
    return str(made.writeString("utf-8"))


def _items(facts: Facts, language: str) -> Sequence[dict[str, Any]]:
    items = [*_updates(facts, language), *_planned(facts, language)]
    return sorted(items, key=lambda item: item["pubdate"], reverse=True)[:ITEMS]


def _updates(facts: Facts, language: str) -> Iterator[dict[str, Any]]:
    for story in (*facts.current, *facts.past):
        for word in story.words:
            heading = _said(word.headings, language)["text"]
            yield _item(
                f"update-{word.pk}",
                title=f"{state_words(word.state)}: {heading}",
                text=_said(word.texts, language)["text"],
                at=word.at,
            )


def _planned(facts: Facts, language: str) -> Iterator[dict[str, Any]]:
    for work in facts.work:
        heading = _said(work.headings, language)["text"]
        yield _item(
            f"work-{work.pk}",
            title=_("Planned work: %(heading)s") % {"heading": heading},
            text=_said(work.texts, language)["text"],
            at=work.announced_from,
        )


def _item(anchor: str, *, title: str, text: str, at: datetime) -> dict[str, Any]:
    address = f"{whole(reverse('watch:status'))}#{anchor}"
    return {
        "title": title,
        "link": address,
        "description": text,
        "unique_id": address,
        "unique_id_is_permalink": True,
        "pubdate": at,
        "updateddate": at,
    }


def whole(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


# ---------------------------------------------------------------- for programs


def for_programs(facts: Facts | None) -> str:
    """docs/status-page.md says what it means; tests/rollback/status.schema.json is its schema."""
    told = {
        "schema": SCHEMA,
        "page": whole(reverse("watch:status")),
        "as_of": facts.as_of.isoformat() if facts else None,
        "is_current": facts is not None,
        "state": facts.worst.value if facts else None,
        "parts": [_part_for_programs(part) for part in facts.parts] if facts else [],
        "incidents": [_story_for_programs(one) for one in (*facts.current, *facts.past)]
        if facts
        else [],
        "maintenance": [_work_for_programs(one) for one in facts.work] if facts else [],
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _part_for_programs(part: Part) -> dict[str, Any]:
    return {
        "key": part.key,
        "names": in_all_languages(part.key),
        "state": part.standing.value,
        "up": share_of(part.days),
        "days": [
            {
                "on": day.on.isoformat(),
                "known_minutes": day.known_minutes,
                "down_minutes": day.down_minutes,
                "up": day.share,
            }
            for day in part.days
        ],
    }


def in_all_languages(key: str) -> dict[str, str]:
    found = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found[language] = str(titles()[key])
    return found


def _story_for_programs(story: Story) -> dict[str, Any]:
    return {
        "id": story.newest.incident,
        "is_over": story.is_over,
        "parts": list(story.newest.parts),
        "updates": [
            {
                "id": word.pk,
                "state": word.state,
                "at": word.at.isoformat(),
                "next_at": word.next_at.isoformat() if word.next_at else None,
                "headings": word.headings,
                "texts": word.texts,
            }
            for word in story.words
        ],
    }


def _work_for_programs(work: Work) -> dict[str, Any]:
    return {
        "id": work.pk,
        "parts": list(work.parts),
        "starts_at": work.starts_at.isoformat(),
        "ends_at": work.ends_at.isoformat(),
        "headings": work.headings,
        "texts": work.texts,
    }
