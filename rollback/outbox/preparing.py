"""Who is to be told what, written down in the transaction that says so in the timeline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from rollback import incidents
from rollback.audit import Actor
from rollback.models import Channel, Incident, IncidentEvent, Notification, Sending
from rollback.outbox.waking import wake
from rollback.words import versions_now

REASONS = ("draft", "lesson", "teacher", "exposed")
# One statement, so that nobody is forgotten who was frozen before it, however many there are. Each person
# is taken before the incident's line is written, as whoever erases one takes them first.
INSERT = """
    INSERT INTO rollback_notification (sending_id, user_id, reasons, state, next_at)
    SELECT %(sending)s, a.user_id, a.reasons, %(state)s, clock_timestamp()
      FROM rollback_affectedperson a JOIN enrollment_user u ON u.id = a.user_id
     WHERE a.incident_id = %(incident)s AND a.reasons && %(reasons)s::varchar[]
       AND u.is_active AND u.deleted_at IS NULL
       AND (%(told)s::varchar[] = '{}' OR EXISTS (
               SELECT FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
                WHERE s.incident_id = a.incident_id AND s.letter = ANY(%(told)s::varchar[])
                  AND n.user_id = a.user_id AND n.state = 'sent'))
       AND NOT EXISTS (
               SELECT FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
                WHERE s.incident_id = a.incident_id AND s.letter = ANY(%(untold)s::varchar[])
                  AND n.user_id = a.user_id)
     ORDER BY a.user_id FOR KEY SHARE OF u
    ON CONFLICT DO NOTHING
"""
ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('sending of ' || %s, 0))"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One of user, email and channel. language: only with an address. values: all of the letter's but what
    is looked up for everybody (the school's and the person's name)."""

    user: Any = None
    email: str = ""
    channel: Channel | None = None
    language: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def prepare(
    *,
    incident: Incident,
    letter: str,
    actor: Actor,
    reasons: Sequence[str] = REASONS,
    number: int | None = None,
    news: Mapping[str, str] | None = None,
    next_news_at: datetime | None = None,
    told: Sequence[str] = (),
    untold: Sequence[str] = (),
    goes: bool = False,
) -> Sending:
    """One update to the affected people who are there for one of these reasons. Held back until a person
    releases it; what it says to each is looked up when it goes out. goes: released with that.

    number: which one it is to be; the one that is there already is returned. None: the next. told: only to
    whom one of these letters about the incident has reached. untold: to nobody who is to get one of
    these.
    """
    last = _last_number(incident, letter)
    if number is not None and number <= last:
        return Sending.objects.get(incident=incident, letter=letter, number=number)
    sending = Sending.objects.create(
        incident=incident,
        letter=letter,
        number=last + 1,
        reasons=list(reasons),
        news=dict(news or {}),
        next_news_at=next_news_at,
        prepared_by_name=actor.name[:150],
        **(_released(letter, actor) if goes else {}),
    )
    state = Notification.State.WAITING if goes else Notification.State.HELD
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {
            "reasons": list(reasons),
            "told": list(told),
            "untold": list(untold),
        }
        asked |= {"sending": sending.pk, "incident": incident.pk, "state": state.value}
        cursor.execute(INSERT, asked)
        people = cursor.rowcount
    # Whoever kills for this incident waits from the first line on. So nothing slow comes after it, at COMMIT
    # neither: each foreign key is looked up now.
    connection.check_constraints()
    for what in ("prepared", "released") if goes else ("prepared",):
        say(sending, actor=actor, what=what, people=people)
    if goes:
        wake()
    sending.refresh_from_db()
    return sending


def _released(letter: str, actor: Actor) -> dict[str, Any]:
    return {
        "state": Sending.State.GOING,
        "released_at": Now(),
        "released_by": actor.user,
        "released_by_name": actor.name[:150],
        "versions": versions_now(letter),
    }


def one_by_one(*, incident: Incident, letter: str) -> None:
    """Two that write one at once come one after the other, until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_BY_ONE, [f"{incident.pk} {letter}"])


def _last_number(incident: Incident, letter: str) -> int:
    one_by_one(incident=incident, letter=letter)
    found = Sending.objects.filter(incident=incident, letter=letter)
    return found.aggregate(last=Max("number"))["last"] or 0


@transaction.atomic
def tell(
    *,
    letter: str,
    recipients: Iterable[Recipient],
    actor: Actor,
    incident: Incident | None = None,
    urgency: int = Notification.Urgency.STAFF,
) -> Sending:
    """To these and nobody else, as soon as the transaction of what it is about is committed."""
    sending = Sending.objects.create(
        incident=incident,
        letter=letter,
        number=_last_number(incident, letter) + 1 if incident else 1,
        state=Sending.State.GOING,
        prepared_by_name=actor.name[:150],
    )
    Notification.objects.bulk_create(
        [
            Notification(
                sending=sending,
                user=one.user,
                email=one.email,
                channel=one.channel,
                language=one.language,
                values=dict(one.values),
                urgency=urgency,
            )
            for one in recipients
        ],
        ignore_conflicts=True,
    )
    wake()
    return sending


def say(sending: Sending, *, actor: Actor, what: str, **facts: Any) -> None:
    """Into the timeline, in the transaction that made it true."""
    if sending.incident_id is not None:
        incidents.record(
            incident=sending.incident_id,
            kind=IncidentEvent.Kind.MAILED,
            actor=actor,
            sending=sending.pk,
            letter=sending.letter,
            number=sending.number,
            what=what,
            **facts,
        )
