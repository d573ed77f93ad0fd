"""The same for programs, in all languages at once."""

import json
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from rollback.domain.standing import Facts, Part, Story, Work
from rollback.domain.uptime import share_of
from rollback.public.status.facts import titles
from rollback.public.status.saying import whole

SCHEMA = 1
# Replaced when what is kept is no longer of now.
IS_CURRENT, IS_NOT = '"is_current": true', '"is_current": false'


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
