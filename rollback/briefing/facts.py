"""What is known of an incident for who answers for the school: counted from the rows, a fixed number of
queries however long it has lasted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from rollback import affected, triggers
from rollback.domain import decisions
from rollback.domain.advice import Advice, Case, Live, Situation, advise
from rollback.domain.decisions import Recommendation
from rollback.domain.incidents import IncidentState
from rollback.domain.letters import LETTERS, Audience
from rollback.domain.plans import LIVE, PlanState
from rollback.models import Heartbeat, Incident, IncidentAction, IncidentEvent, Plan

# Longer ones are compared by their first week: what it is compared with must not lie in it.
COMPARED = timedelta(days=7)
WEEKS = 4
TO_PEOPLE = [letter.key.value for letter in LETTERS if letter.audience is Audience.PEOPLE]

# Enrollments while it lasted, and in the same hours, by the school's clock, of each week before in which
# there was a school already; what is told to people; and the lessons that they expect.
ROWS = """
    WITH span AS (
        SELECT coalesce(first_bad_at, opened_at) AS since,
               least(coalesce(resolved_at, %(now)s),
                     coalesce(first_bad_at, opened_at) + %(compared)s) AS until
          FROM rollback_incident WHERE id = %(incident)s
    ), weeks AS (
        SELECT n, ((since AT TIME ZONE %(zone)s) - n * interval '7 days') AT TIME ZONE %(zone)s AS since,
               ((until AT TIME ZONE %(zone)s) - n * interval '7 days') AT TIME ZONE %(zone)s AS until
          FROM span, generate_series(0, %(weeks)s) AS n
    ), counted AS (
        SELECT n, (SELECT count(*) FROM enrollment_enrollment e
                    WHERE e.created_at >= w.since AND e.created_at < w.until) AS finished,
               w.since >= (SELECT min(created_at) FROM enrollment_enrollment) AS is_known
          FROM weeks w
    ), mails AS (
        SELECT count(*) FILTER (WHERE n.state = 'sent') AS sent,
               count(*) FILTER (WHERE n.state IN ('waiting', 'held')) AS waiting
          FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
         WHERE s.incident_id = %(incident)s AND s.letter = ANY(%(letters)s)
    )
    SELECT (SELECT extract(epoch FROM until - since)::float FROM span),
           (SELECT finished FROM counted WHERE n = 0),
           (SELECT avg(finished)::float FROM counted WHERE n > 0 AND is_known),
           (SELECT count(*) FROM counted WHERE n > 0 AND is_known),
           (SELECT sent FROM mails), (SELECT waiting FROM mails),
           (SELECT count(*) FROM enrollment_lesson l JOIN enrollment_student s ON s.id = l.student_id
              JOIN rollback_affectedperson a ON a.user_id = s.user_id AND a.incident_id = %(incident)s
             WHERE l.status = 'planned' AND lower(l.period) >= %(now)s
               AND lower(l.period) < %(now)s + interval '7 days')
"""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Enrollments while it lasted, whichever way they came, and what is usual at these hours.

    usual: the mean of as many weeks before; None: of none anything is known.
    """

    seconds: float
    finished: int
    usual: float | None
    weeks: int

    @property
    def hours(self) -> float:
        return self.seconds / 3600

    @property
    def missing(self) -> int | None:
        return None if self.usual is None else max(0, round(self.usual - self.finished))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """people: by reason, and "all"; empty until they are counted. impact: as `affected.figures` has it.

    lessons: of these people, in the seven days from now.
    """

    incident: Incident
    now: datetime
    flags: Sequence[str]
    took_away: bool
    people: Mapping[str, int]
    impact: Mapping[str, Any]
    pace: Pace
    mails_sent: int
    mails_waiting: int
    lessons: int
    advice: Advice
    decided: Recommendation | None
    recommended: Recommendation | None
    actions: Sequence[IncidentAction]

    @property
    def state(self) -> IncidentState:
        return self.incident.state

    @property
    def since(self) -> datetime:
        return self.incident.first_bad_at or self.incident.opened_at

    @property
    def open_actions(self) -> list[IncidentAction]:
        return [action for action in self.actions if action.done_on is None]

    @property
    def next_due_on(self) -> date | None:
        due = [action.due_on for action in self.open_actions if action.due_on]
        return min(due, default=None)


def gather(incident: Incident, *, now: datetime) -> Facts:
    """incident: as it is now."""
    held = list(incident.latches.order_by("pk").values_list("flag_name", flat=True))
    told = _told(incident)
    about = told.get(IncidentEvent.Kind.OPENED, {}).get("flags", ())
    impact = affected.figures(incident)
    seconds, finished, usual, weeks, sent, waiting, lessons = _rows(incident, now)
    plans = list(incident.plans.filter(state__in=[one.value for one in LIVE]).order_by("pk"))
    return Facts(
        incident=incident,
        now=now,
        flags=list(dict.fromkeys([*held, *about])),
        took_away=bool(held),
        people=impact.get("people", {}),
        impact=impact,
        pace=Pace(seconds=max(0.0, seconds), finished=finished, usual=usual, weeks=weeks),
        mails_sent=sent,
        mails_waiting=waiting,
        lessons=lessons,
        advice=_advice(incident, plans, took=bool(held), now=now),
        decided=_field(told.get(IncidentEvent.Kind.DECIDED, {})),
        recommended=_field(told.get(IncidentEvent.Kind.OPENED, {}).get("recommendation") or {}),
        actions=list(incident.actions.order_by("pk")),
    )


def _told(incident: Incident) -> Mapping[str, Mapping[str, Any]]:
    """Kind → the newest payload: how it was opened, and what was decided."""
    kinds = (IncidentEvent.Kind.OPENED, IncidentEvent.Kind.DECIDED)
    return dict(
        incident.events.filter(kind__in=kinds).order_by("number").values_list("kind", "payload")
    )


def _field(payload: Mapping[str, Any]) -> Recommendation | None:
    return decisions.BY_KEY.get(payload.get("field", ""))


def _rows(incident: Incident, now: datetime) -> tuple[Any, ...]:
    asked: dict[str, Any] = {
        "incident": incident.pk,
        "now": now,
        "zone": settings.TIME_ZONE,
        "compared": COMPARED,
        "weeks": WEEKS,
        "letters": TO_PEOPLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(ROWS, asked)
        found: tuple[Any, ...] = cursor.fetchone()
    return found


def _advice(incident: Incident, plans: Sequence[Plan], *, took: bool, now: datetime) -> Advice:
    """As the console advises, of this incident alone."""
    ended = incident.verifications.filter(passed__isnull=False).order_by("-pk")
    beat = Heartbeat.objects.filter(name=triggers.HEARTBEAT).first()
    case = Case(
        number=incident.pk,
        took=took,
        acknowledged=incident.acknowledged_at is not None,
        contained=incident.contained_at is not None,
        passed=ended.values_list("passed", flat=True).first(),
        verified=incident.verified_at is not None,
    )
    live = [
        Live(
            number=plan.pk,
            down=plan.direction == Plan.Direction.DOWN,
            paused=plan.state == PlanState.PAUSED,
            flags=plan.flags,
        )
        for plan in plans
    ]
    unwatched = None if beat is None else now - beat.beat_at
    return advise(Situation(features=(), cases=[case], plans=live, unwatched=unwatched))
