"""When the management's list gets a page: derived from the timeline, each change told once.

What was told is a line of the timeline as well: “told up to line n”. So whoever looks finds the same.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from rollback import incidents, outbox
from rollback.audit import Actor, ChangeRefused
from rollback.briefing import wording
from rollback.briefing.facts import Facts, gather
from rollback.domain.letters import BY_KEY, LetterKey
from rollback.limits import limited
from rollback.models import Incident, IncidentEvent, Notification, Sending, Stakeholder
from rollback.outbox import Recipient, values

log = structlog.get_logger(__name__)

BRIEFING = Actor(name="briefing", automatic=True)
Kind = IncidentEvent.Kind
# Killed: something further was taken away. Decided counts where it has changed the severity.
CHANGES = (
    Kind.OPENED,
    Kind.KILLED,
    Kind.ACKNOWLEDGED,
    Kind.CONTAINED,
    Kind.VERIFIED,
    Kind.RESOLVED,
    Kind.REVIEWED,
)
SETTLED, STANDBY, REMEMBERED = "1 minute", "4 hours", "1 day"

# Of incidents that concern the management (something taken away, severity 1 or 2, or told of before): those
# with changes that nobody was told of, the first a minute old; and those that stand still, once.
DUE = """
    WITH candidates AS (
        SELECT i.id, i.resolved_at, i.severity, clock_timestamp() AS now FROM rollback_incident i
         WHERE (i.resolved_at IS NULL
                OR greatest(i.resolved_at, i.reviewed_at) > clock_timestamp() - %(remembered)s::interval)
           AND (%(incident)s::bigint IS NULL OR i.id = %(incident)s)
    ), told AS (
        SELECT DISTINCT ON (e.incident_id) e.incident_id, (e.payload->>'through')::int AS through, e.at,
               (e.payload->>'standby')::boolean AS standby
          FROM rollback_incidentevent e JOIN candidates c ON c.id = e.incident_id
         WHERE e.kind = 'mailed' AND e.payload ? 'through' ORDER BY e.incident_id, e.number DESC
    ), changes AS (
        SELECT e.incident_id, e.number, e.kind, e.at
          FROM rollback_incidentevent e JOIN candidates c ON c.id = e.incident_id
         WHERE e.kind = ANY(%(changes)s)
            OR (e.kind = 'decided' AND e.payload->>'before' <> e.payload->>'severity')
    ), counted AS (
        SELECT c.id, c.resolved_at, c.severity, c.now, t.incident_id IS NOT NULL AS was_told, t.standby,
               t.at AS told_at, max(x.number) AS newest, max(x.at) AS changed_at,
               min(x.at) FILTER (WHERE x.number > coalesce(t.through, 0)) AS waits_since,
               bool_or(x.number > coalesce(t.through, 0) AND x.kind = 'reviewed') AS was_reviewed
          FROM candidates c JOIN changes x ON x.incident_id = c.id
          LEFT JOIN told t ON t.incident_id = c.id
         GROUP BY c.id, c.resolved_at, c.severity, c.now, t.incident_id, t.standby, t.at
    )
    SELECT id, newest, waits_since IS NULL AS standby, coalesce(was_reviewed, false)
      FROM counted
     WHERE (was_told OR severity <= 2
            OR EXISTS (SELECT FROM rollback_latch l WHERE l.incident_id = counted.id))
       AND (waits_since <= now - %(settled)s::interval
            OR (waits_since IS NULL AND resolved_at IS NULL AND NOT coalesce(standby, false)
                AND greatest(changed_at, told_at) <= now - %(standby)s::interval))
     ORDER BY id
"""
ONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('briefing of ' || %s::text, 0))"
IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('briefing of ' || %s::text, 0))"
# With a page that speaks of all that has happened.
JUST_TOLD = """
    SELECT EXISTS (SELECT FROM rollback_incidentevent
                    WHERE incident_id = %s AND kind = 'mailed' AND payload ? 'through'
                      AND number > %s AND at > clock_timestamp() - %s::interval)
"""
NEWEST = """
    SELECT coalesce(max(number), 0) FROM rollback_incidentevent
     WHERE incident_id = %s AND (kind = ANY(%s) OR kind = 'decided')
"""


@dataclass(frozen=True, kw_only=True)
class Due:
    """through: the newest change that the page will speak of. standby: nothing has changed."""

    incident: int
    through: int
    standby: bool
    was_reviewed: bool


def listed() -> list[Stakeholder]:
    return list(Stakeholder.objects.filter(is_active=True))


def look(*, by: str) -> int:
    """Called after each tick, and in nobody's transaction. :returns: how many pages went into the outbox"""
    with limited():
        # Nobody to be told: nothing is written either, and whoever is added hears how it stands then.
        due = _due() if Stakeholder.objects.filter(is_active=True).exists() else []
    return sum(_brief(one) for one in due)


def _brief(one: Due) -> bool:
    try:
        with limited(lock="3s", statement="20s"):
            return _brief_once(one.incident)
    except Exception:
        # The watch: one incident that breaks must not keep the management from hearing of the others.
        log.exception("briefing.broken", incident=one.incident)
        return False


def _brief_once(incident: int) -> bool:
    """Of several that look at once, the first does it, and the next finds that it is done."""
    with connection.cursor() as cursor:
        cursor.execute(ONE, [incident])
        if not cursor.fetchone()[0]:
            return False
    still = _due(incident)
    if not still:
        return False
    letter = LetterKey.NEXT_STEPS if still[0].was_reviewed else LetterKey.BRIEFING
    _tell(still[0], letter=letter, actor=BRIEFING)
    return True


def _due(incident: int | None = None) -> list[Due]:
    asked = {
        "incident": incident,
        "changes": [kind.value for kind in CHANGES],
        "settled": SETTLED,
        "standby": STANDBY,
        "remembered": REMEMBERED,
    }
    with connection.cursor() as cursor:
        cursor.execute(DUE, asked)
        return [
            Due(incident=pk, through=newest, standby=standby, was_reviewed=reviewed)
            for pk, newest, standby, reviewed in cursor.fetchall()
        ]


def _tell(due: Due, *, letter: LetterKey, actor: Actor) -> Sending:
    incident = Incident.objects.get(pk=due.incident)
    facts = gather(incident, now=_clock())
    people = listed()
    sending = outbox.tell(
        letter=letter.value,
        recipients=[_recipient(facts, one) for one in people],
        actor=actor,
        incident=incident,
        urgency=Notification.Urgency.STAFF,
    )
    incidents.record(
        incident=incident.pk,
        kind=Kind.MAILED,
        actor=actor,
        sending=sending.pk,
        letter=letter.value,
        number=sending.number,
        what="told",
        people=len(people),
        through=due.through,
        standby=due.standby,
    )
    return sending


def _recipient(facts: Facts, one: Stakeholder) -> Recipient:
    with translation.override(one.language):
        given = wording.letter_values(wording.page(facts), to=one)
    return Recipient(email=one.email, language=one.language, values=given)


def mail_now(*, incident: int, actor: Actor) -> Sending:
    """The page as it is now, whatever was told before; what has changed until now is told with it.

    :raises ChangeRefused: with nobody on the list, and where they have just got it: pressed twice, or by a
        look
    """
    if not listed():
        raise ChangeRefused(_("There is nobody on the management's list who gets briefings."))
    with limited(lock="3s", statement="20s"):
        with connection.cursor() as cursor:
            cursor.execute(IN_TURN, [incident])
            cursor.execute(NEWEST, [incident, [kind.value for kind in CHANGES]])
            newest = cursor.fetchone()[0]
            cursor.execute(JUST_TOLD, [incident, newest, SETTLED])
            was_just_told = cursor.fetchone()[0]
        if was_just_told:
            words = _(
                "The briefing was mailed within the last minute, and nothing has changed since."
            )
            raise ChangeRefused(words)
        due = Due(incident=incident, through=newest, standby=False, was_reviewed=False)
        return _tell(due, letter=LetterKey.BRIEFING, actor=actor)


def send_test(*, to: Stakeholder, actor: Actor) -> Sending:
    """A briefing about nothing, and it says so: whether one arrives, in the right language."""
    with translation.override(to.language):
        given = _about_nothing() | {"on_the_list": wording.on_the_list(to)}
    recipient = Recipient(email=to.email, language=to.language, values=given)
    return outbox.tell(letter=LetterKey.BRIEFING.value, recipients=[recipient], actor=actor)


def _about_nothing() -> dict[str, str]:
    return dict.fromkeys(BY_KEY[LetterKey.BRIEFING].by_name, "–") | {
        "school": values.school(),
        "title": _("This is a test: nothing has happened"),
        "state": _("test"),
        "next_step": _("Nothing has to be done."),
        "status_link": values.absolute("watch:status"),
        "console_link": settings.SITE_URL,
    }


def _clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now
