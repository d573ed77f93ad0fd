"""The page between: everything an import would do, with a choice for each, and the lessons it would hit."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from enrollment.admin.words import day_and_time
from enrollment.models import User
from enrollment.operations.impact import Hit
from holidays.admin.import_words import (
    ACTIONS,
    BESIDE,
    STATES,
    differences,
    in_words,
    joined,
    note_in_words,
)
from holidays.domain.plan import Action, Item, State, counted, digest
from holidays.operations.imports import Choices, Collides, PlanChanged, action_of, hits, planned_now
from holidays.operations.waiting import Waiting

MOST_LESSONS = 50
BEGINS = "do-"


def chosen_in(posted: Mapping[str, Any]) -> dict[str, Action]:
    """By the item's id. A box that is not ticked is not sent, so the page names what it showed."""
    chosen = {}
    for name in str(posted.get("seen", "")).split()[:1000]:
        value = posted.get(f"{BEGINS}{name}", Action.LEAVE)
        if value in list(Action):
            chosen[name] = Action(value)
    return chosen


def preview_page(
    admin: ModelAdmin,
    request: HttpRequest,
    found: Waiting,
    *,
    choices: Choices | None = None,
    alert: str = "",
) -> HttpResponse:
    draft = found.draft
    try:
        items = planned_now(draft)
    except PlanChanged:
        items, alert = [], _("This source has been deleted meanwhile. Begin anew.")
    hit, collides = _hits(request, found, choices or {})
    if collides and not alert:
        alert = _(
            "One of these holidays would stand there twice, word for word. Leave it out, or delete the "
            "other one first."
        )
    asked = [item for item in items if item.actions]
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": draft.title,
        "years": draft.years,
        "version": draft.version,
        "notes": [note_in_words(note) for note in found.notes],
        "alert": alert,
        "counts": [(STATES[state][0], count) for state, count in counted(items).items() if count],
        "sections": list(_sections(items, choices or {})),
        "seen": " ".join(item.id for item in asked),
        "looked_at": digest(items),
        "nothing": not asked,
        "hit_count": len(hit),
        "hits": [_hit(one) for one in hit[:MOST_LESSONS]],
        "may_see": request.user.has_perm("enrollment.view_lesson"),
    }
    template = "admin/holidays/import_preview.html"
    return TemplateResponse(request, template, context, status=409 if alert else 200)


def _hits(request: HttpRequest, found: Waiting, choices: Choices) -> tuple[list[Hit], bool]:
    by, now = cast(User, request.user), timezone.now()
    try:
        return hits(found.draft, choices=choices, now=now, by=by), False
    except Collides:
        return [], True
    except PlanChanged:
        # Between two looks; whoever confirms is asked again.
        return [], False


def _sections(items: Iterable[Item], choices: Choices) -> Iterable[dict[str, Any]]:
    by_state: dict[State, list[Item]] = {state: [] for state in State}
    for item in items:
        by_state[item.state].append(item)
    for state, found in by_state.items():
        if found:
            title, words = STATES[state]
            rows = [_row(item, action_of(item, choices)) for item in found]
            yield {"state": state.value, "title": title, "help": words, "rows": rows}


def _row(item: Item, action: Action) -> dict[str, Any]:
    shown = item.theirs or (item.known.now if item.known else {})
    # Of what stands there already its own words, and beside them what the source says.
    own = item.known.now if item.known else shown
    words = in_words(own if item.state is not State.TWICE else shown)
    return {
        "id": item.id,
        "name": words["name"],
        "names": words["names"],
        "days": words["days"],
        # A day that is worked closes nothing.
        "closes": joined(
            [words["kind"], _like(words["as_weekday"])]
            if words["as_weekday"]
            else [words["times"], words["kind"]]
        ),
        "cells": differences(item.known.now, item.theirs) if item.known and item.theirs else [],
        "twin": item.state is State.TWICE and item.known and in_words(item.known.now)["name"],
        "twin_source": item.known.source if item.known else "",
        "box": _box(item, action),
        "options": _options(item, action),
    }


def _box(item: Item, action: Action) -> dict[str, Any] | None:
    others = [one for one in item.actions if one is not Action.LEAVE]
    if len(item.actions) != 2 or item.state is State.TWICE:
        return None
    return {"value": others[0].value, "label": ACTIONS[others[0]], "ticked": action is others[0]}


def _options(item: Item, action: Action) -> list[dict[str, Any]]:
    if item.state is not State.TWICE or len(item.actions) < 2:
        return []
    return [
        {
            "value": one.value,
            "label": BESIDE if one is Action.ADD else ACTIONS[one],
            "chosen": one is action,
        }
        for one in item.actions
    ]


def _like(weekday: str) -> str:
    return _("works like %(weekday)s") % {"weekday": weekday}


def _hit(hit: Hit) -> dict[str, Any]:
    when = day_and_time(hit.lesson.starts_at, hit.lesson.teacher.zone)
    return {"lesson": hit.lesson, "when": when, "why": hit.why}
