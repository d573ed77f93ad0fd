"""For feed readers: each public update and each planned work as one entry."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed, SyndicationFeed
from django.utils.translation import gettext as _

from rollback.domain.characters import without_forbidden
from rollback.domain.standing import Facts
from rollback.public.status.saying import said, school_name, state_words, whole

MOST = 50
FEEDS: Mapping[str, type[SyndicationFeed]] = {"rss": Rss201rev2Feed, "atom": Atom1Feed}


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
    return sorted(items, key=lambda item: item["pubdate"], reverse=True)[:MOST]


def _updates(facts: Facts, language: str) -> Iterator[dict[str, Any]]:
    for story in (*facts.current, *facts.past):
        for word in story.words:
            heading = said(word.headings, language)["text"]
            yield _item(
                f"update-{word.pk}",
                title=f"{state_words(word.state)}: {heading}",
                text=said(word.texts, language)["text"],
                at=word.at,
            )


def _planned(facts: Facts, language: str) -> Iterator[dict[str, Any]]:
    for work in facts.work:
        heading = said(work.headings, language)["text"]
        yield _item(
            f"work-{work.pk}",
            title=_("Planned work: %(heading)s") % {"heading": heading},
            text=said(work.texts, language)["text"],
            at=work.announced_from,
        )


def _item(anchor: str, *, title: str, text: str, at: datetime) -> dict[str, Any]:
    address = f"{whole(reverse('watch:status'))}#{anchor}"
    return {
        "title": without_forbidden(title),
        "link": address,
        "description": without_forbidden(text),
        "unique_id": address,
        "unique_id_is_permalink": True,
        "pubdate": at,
        "updateddate": at,
    }
