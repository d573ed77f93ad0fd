"""All that is known of an incident, for its page, for paper and for the exported file alike."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from enrollment.models import User
from rollback import affected, incidents, runbooks
from rollback.console import event_words, phase_shown, sending_words, words
from rollback.domain import decisions
from rollback.domain.decisions import Recommendation
from rollback.domain.incidents import RTO, Recovery, recovery
from rollback.models import (
    FlagChange,
    Incident,
    IncidentAction,
    IncidentEvent,
    Judgment,
    Plan,
    Verification,
)

MOST = 50  # judgments and verifications that are shown; all of them stay
MOST_EVIDENCE = 10_000  # characters


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the timeline. number: of the event; None for a change of a flag that no event names."""

    at: datetime
    what: str
    who: str
    details: Sequence[str] = ()
    said: str = ""
    number: int | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """A state that an incident goes through, whether or not it has been there."""

    words: str
    at: datetime | None
    by: str = ""
    is_now: bool = False


@dataclass(frozen=True, kw_only=True)
class Story:
    incident: Incident
    features: Sequence[str]
    # Of each of them: its title, and where its runbook is.
    runbooks: Sequence[tuple[str, str]]
    takes_away: bool
    path: Sequence[Step]
    recovery: Recovery
    lines: Sequence[Line]
    people: Sequence[tuple[str, int]]
    everybody: int
    is_frozen: bool
    impact: Sequence[tuple[str, str]]
    sendings: Sequence[sending_words.Shown]
    plans: Sequence[Plan]
    phases: Sequence[Mapping[str, Any]]
    verifications: Sequence[Verification]
    judgments: Sequence[tuple[Judgment, str]]
    actions: Sequence[IncidentAction]
    advice: Recommendation | None
    advice_words: str
    decided: Recommendation | None
    broken: int | None
    last_hash: str

    @property
    def took(self) -> str:
        return event_words.span(self.recovery.took)

    @property
    def objective(self) -> str:
        return event_words.span(RTO)


def tell(incident: Incident, *, now: datetime) -> Story:
    """A fixed number of queries, however long it has lasted."""
    events = list(incident.events.order_by("number"))
    opening = _payload(events, IncidentEvent.Kind.OPENED)
    counts = affected.counts(incident)
    held = [latch.flag_name for latch in incident.latches.all()]
    recommended, advice_words = advice(opening, counts)
    chosen = _payload(events, IncidentEvent.Kind.DECIDED).get("field", "")
    flags = list(dict.fromkeys([*held, *opening.get("flags", ())]))
    return Story(
        incident=incident,
        features=[words.title(flag) for flag in flags],
        runbooks=[(words.title(flag), runbooks.url_of(flag)) for flag in flags],
        takes_away=bool(held),
        path=_path(incident, takes_away=bool(held)),
        recovery=recovery(
            first_bad_at=incident.first_bad_at,
            opened_at=incident.opened_at,
            verified_at=incident.verified_at,
            resolved_at=incident.resolved_at,
            now=now,
        ),
        lines=_lines(events, list(incidents.timeline(incident))),
        people=event_words.reasons(counts),
        everybody=counts["all"],
        is_frozen=any(event.kind == IncidentEvent.Kind.PEOPLE for event in events),
        impact=event_words.impact(_figures(incident)),
        sendings=sending_words.shown(incident),
        plans=list(incident.plans.order_by("pk").prefetch_related("steps")),
        phases=[phase_shown.run(run) for run in incident.phase_runs.order_by("pk")],
        verifications=list(incident.verifications.prefetch_related("results")[:MOST]),
        judgments=[(one, _evidence(one.evidence)) for one in incident.judgments.all()[:MOST]],
        actions=list(incident.actions.all()),
        advice=recommended,
        advice_words=advice_words,
        decided=decisions.BY_KEY.get(chosen),
        broken=incidents.check_chain(incident),
        last_hash=events[-1].hash if events else "",
    )


def _figures(incident: Incident) -> Mapping[str, Any]:
    """Those of its end stay as they are; but whoever was told of the end was told after it."""
    if incident.is_open:
        return affected.figures(incident)
    return {**incident.impact, "mails": affected.mails(incident)}


def features_of(incident: Incident) -> list[str]:
    """Titles of what is held; of a case, what it is about. `latches` and `openings` prefetched."""
    held = [latch.flag_name for latch in incident.latches.all()]
    openings: Sequence[IncidentEvent] = getattr(incident, "openings", ())
    about = [flag for opening in openings for flag in opening.payload.get("flags", ())]
    return [words.title(flag) for flag in dict.fromkeys([*held, *about])]


def _payload(events: Sequence[IncidentEvent], kind: str) -> Mapping[str, Any]:
    """Of the last event of this kind."""
    found: Mapping[str, Any] = next(
        (event.payload for event in reversed(events) if event.kind == kind), {}
    )
    return found


def _path(incident: Incident, *, takes_away: bool) -> list[Step]:
    acknowledged_by = incident.acknowledged_by
    steps = [
        Step(words=_("Opened"), at=incident.opened_at, by=incident.opened_by_name),
        Step(
            words=_("Acknowledged"),
            at=incident.acknowledged_at,
            by=acknowledged_by.get_username() if acknowledged_by else "",
        ),
        Step(words=_("Off everywhere"), at=incident.contained_at),
        Step(words=_("Verified"), at=incident.verified_at),
        Step(words=_("Resolved"), at=incident.resolved_at, by=incident.resolved_by_name),
        Step(words=_("Reviewed"), at=incident.reviewed_at),
    ]
    machines = (steps[2], steps[3])
    shown = [step for step in steps if takes_away or step.at or step not in machines]
    reached = [step for step in shown if step.at]
    return [
        Step(words=step.words, at=step.at, by=step.by, is_now=step is reached[-1]) for step in shown
    ]


def _lines(events: Sequence[IncidentEvent], changes: Sequence[FlagChange]) -> list[Line]:
    """Events and changes in one list; a change that an event names stands with it."""
    by_number = {change.pk: change for change in changes}
    named = {pk for event in events for pk in event.payload.get("changes", ())}
    lines = [_of_event(event, by_number) for event in events]
    lines += [_of_change(change) for change in changes if change.pk not in named]
    return sorted(lines, key=lambda line: (line.at, line.number or 0))


def _of_event(event: IncidentEvent, changes: Mapping[int, FlagChange]) -> Line:
    return Line(
        at=event.at,
        what=str(event.get_kind_display()),
        who=event.actor_name,
        details=event_words.details(event, changes),
        said=event_words.said(event),
        number=event.number,
    )


def _of_change(change: FlagChange) -> Line:
    return Line(
        at=change.changed_at,
        what=words.title(change.flag_name),
        who=words.who(change),
        details=[words.difference(change)],
        said=change.reason,
    )


def advice(
    opening: Mapping[str, Any],
    counts: Mapping[str, int],
    *,
    users: Callable[[], int] | None = None,
) -> tuple[Recommendation | None, str]:
    """What the opening says; else, by how many had the feature, as if no data were harmed.

    counts: as `affected.counts` has them. users: of how many; None: they are counted.
    """
    told = opening.get("recommendation") or {}
    field = decisions.BY_KEY.get(told.get("field", ""))
    if field is not None:
        return field, _(field.words)
    if told.get("words"):
        return None, str(told["words"])
    if not counts.get("all"):
        return None, ""
    everybody = users() if users else User.objects.filter(is_active=True).count()
    share = counts.get("exposed", 0) / max(1, everybody)
    found = decisions.recommend(share, decisions.Harm.NONE)
    return found, _(found.words)


def advice_for(incident: Incident) -> tuple[Recommendation | None, str]:
    """What the matrix says about it, and in words."""
    opening = incident.events.filter(kind=IncidentEvent.Kind.OPENED).first()
    return advice(opening.payload if opening else {}, affected.counts(incident))


def _evidence(evidence: Any) -> str:
    text = json.dumps(evidence, indent=1, ensure_ascii=False)
    return text if len(text) <= MOST_EVIDENCE else text[:MOST_EVIDENCE] + " …"


def post_mortem_gaps(story: Story) -> Iterator[str]:
    """What only a person can fill in."""
    incident = story.incident
    if not incident.root_cause:
        yield _("root cause")
    if not incident.lessons:
        yield _("lessons learned")
    if not story.actions:
        yield _("actions")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the matrix in words; fields: the harm, and what to do."""

    reach: str
    fields: Sequence[tuple[str, str, Recommendation]]


def matrix() -> list[Row]:
    return [
        Row(
            reach=_(decisions.REACH_WORDS[reach]),
            fields=[
                (_(decisions.HARM_WORDS[harm]), event_words.in_words(field), field)
                for harm, field in fields.items()
            ],
        )
        for reach, fields in decisions.MATRIX.items()
    ]
