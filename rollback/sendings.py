"""What is sent to an incident's people, and when: prepared by itself with what makes it true, released by
a person, or by the school's policy. Never in the transaction of a kill.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from rollback import affected, incidents, outbox, registry
from rollback.audit import Actor, ChangeRefused
from rollback.domain import sendings as rules
from rollback.domain.errors import without_rows
from rollback.domain.letters import BY_KEY, LetterKey
from rollback.domain.plans import LIVE
from rollback.limits import limited
from rollback.models import (
    Flag,
    Incident,
    IncidentEvent,
    Notification,
    OnCallPolicy,
    Plan,
    Sending,
)

log = structlog.get_logger(__name__)

PREPARING = Actor(name="preparing of letters", automatic=True)
# What comes back later than that is not told as the end of something that people remember.
REMEMBERED = timedelta(days=30)

# Of an incident's people: why those are there to whom nothing was prepared; which letters somebody lacks
# whom an earlier one has reached; which there are; and whether earlier ones are still on their way. What
# was written to each is put together first: it is read as often as there are people.
FACTS = """
    WITH written AS (
        SELECT n.user_id, array_agg(s.letter) AS letters,
               array_agg(s.letter) FILTER (WHERE n.state = 'sent') AS reached,
               bool_or(n.state = 'waiting' AND n.tries = 0 AND s.letter = ANY(%(off)s)) AS fresh,
               bool_or(n.state = 'waiting' AND s.letter = ANY(%(off)s)) AS waiting
          FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
         WHERE s.incident_id = %(incident)s AND n.user_id IS NOT NULL AND s.letter = ANY(%(letters)s)
         GROUP BY n.user_id
    ), people AS MATERIALIZED (
        SELECT a.reasons, w.letters, w.reached FROM rollback_affectedperson a
          JOIN enrollment_user u ON u.id = a.user_id LEFT JOIN written w ON w.user_id = a.user_id
         WHERE a.incident_id = %(incident)s AND u.is_active AND u.deleted_at IS NULL
    ), pairs AS MATERIALIZED (
        SELECT key AS letter, ARRAY(SELECT jsonb_array_elements_text(value))::varchar[] AS earlier
          FROM jsonb_each(%(after)s)
    )
    SELECT ARRAY(SELECT DISTINCT reason FROM people p, unnest(p.reasons) AS reason
                  WHERE p.letters IS NULL OR NOT p.letters && %(off)s::varchar[]),
           ARRAY(SELECT letter FROM pairs WHERE EXISTS (
                   SELECT FROM people p WHERE p.reached && pairs.earlier
                      AND NOT pairs.letter = ANY(p.letters))),
           ARRAY(SELECT DISTINCT letter FROM rollback_sending WHERE incident_id = %(incident)s),
           coalesce((SELECT bool_or(fresh) FROM written), false),
           coalesce((SELECT bool_or(waiting) FROM written), false)
"""


class Nobody(Exception):
    """There is nobody to whom it would be written: nothing was prepared."""


def prepare_due(incident: Incident) -> list[Sending]:
    """Whatever is due to its people now and is not there yet; of several that look at once, one does it."""
    facts = facts_of(incident)
    made = [_prepare(incident, one) for one in rules.due(facts)]
    return [sending for sending in made if sending is not None]


def prepare_alone(incident: Incident) -> None:
    """The same, each letter in a transaction of its own: the incident is held from the moment that its
    timeline says so, and let go with it."""
    with limited(statement="20s"):
        due = rules.due(facts_of(incident))
    for one in due:
        with limited(statement="20s"):
            _prepare(incident, one)


def facts_of(incident: Incident) -> rules.Facts:
    """A fixed number of queries, however many people it concerns."""
    held = list(incident.latches.values_list("flag_name", flat=True))
    new, lacking, prepared, fresh, waiting = _read(incident)
    return rules.Facts(
        took_away=bool(held),
        simplified=_is_simplified(incident, held),
        resolved=not incident.is_open,
        back=not incident.is_open and bool(held) and _are_back(incident, held),
        # Who was counted before something further was taken away is not all of them.
        new=frozenset(new) if affected.is_frozen(incident) else frozenset(),
        lacking=frozenset(lacking),
        prepared=frozenset(prepared),
        fresh=fresh,
        waiting=waiting,
    )


def _read(incident: Incident) -> tuple[Any, ...]:
    asked: dict[str, Any] = {
        "incident": incident.pk,
        "letters": list(rules.TO_PEOPLE),
        "off": list(rules.OFF),
        "after": Jsonb({letter: list(earlier) for letter, earlier in rules.AFTER.items()}),
    }
    with connection.cursor() as cursor:
        cursor.execute(FACTS, asked)
        found: tuple[Any, ...] = cursor.fetchone()
    return found


def _is_simplified(incident: Incident, held: Collection[str]) -> bool:
    """As the doors decide which words people read (`rollback.doors.why`)."""
    if incident.kind != Incident.Kind.SLOW:
        return False
    features = [feature for flag in held if (feature := registry.get(flag))]
    return any(feature.because.get(incident.kind) for feature in features)


def _are_back(incident: Incident, held: Collection[str]) -> bool:
    flags = {flag.name: flag for flag in Flag.objects.select_related("requires__requires")}  # type: ignore[misc]
    rising = _rising()
    before = _before(incident)
    return all(
        name in flags
        and rules.is_on_again(
            on=_is_on(flags[name]),
            percent=float(flags[name].percent),
            before=before.get(name, 0),
            rising=name in rising,
        )
        for name in held
    )


def _is_on(flag: Flag) -> bool:
    """For anybody."""
    on = bool(not flag.is_killed and flag.percent)
    return on and (flag.requires is None or _is_on(flag.requires))


def _rising() -> set[str]:
    up = Plan.objects.filter(direction=Plan.Direction.UP, state__in=[one.value for one in LIVE])
    return {flag for flags in up.values_list("flags", flat=True) for flag in flags}


def _before(incident: Incident) -> dict[str, float]:
    """Flag → its share in % when it was first taken away, as the timeline has it."""
    kinds = (IncidentEvent.Kind.OPENED, IncidentEvent.Kind.KILLED)
    found: dict[str, float] = {}
    for payload in incident.events.filter(kind__in=kinds).values_list("payload", flat=True):
        for flag, facts in (payload.get("before") or {}).items():
            if facts and not facts.get("killed"):
                found.setdefault(flag, float(facts["share"]))
    return found


def _prepare(incident: Incident, one: rules.Due) -> Sending | None:
    """None: somebody else has done it meanwhile."""
    try:
        with transaction.atomic():
            return _for_somebody(
                outbox.prepare(
                    incident=incident,
                    letter=one.letter,
                    actor=PREPARING,
                    reasons=one.reasons,
                    told=one.told,
                    untold=one.untold,
                    goes=rules.is_released(
                        one.letter,
                        by_itself=_by_itself(),
                        verified=incident.verified_at is not None,
                    ),
                )
            )
    except Nobody:
        return None


def _for_somebody(sending: Sending) -> Sending:
    """:raises Nobody: which takes back that it was prepared"""
    if not sending.notifications.exists():
        raise Nobody
    return sending


def _by_itself() -> Sequence[str]:
    found = OnCallPolicy.objects.values_list("by_itself", flat=True).first()
    return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How an incident stands, as far as it is cheap to read: where it is the same, so is what is due, unless
    it may still change by itself. newest: the last line of its timeline. dead: mails that were given up,
    which somebody may try again. is_settled: what is said when it is over is prepared, and nothing waits.
    """

    newest: int
    dead: int
    is_settled: bool


def marks(incidents_of: QuerySet[Incident]) -> list[tuple[Incident, Mark]]:
    """One query, and nothing in it that grows with the people."""
    lines = IncidentEvent.objects.filter(incident=OuterRef("pk")).order_by("-number")
    rows = Notification.objects.filter(
        sending__incident=OuterRef("pk"), sending__letter__in=rules.TO_PEOPLE
    )
    dead = rows.filter(state=Notification.State.DEAD).order_by().values("sending__incident")
    open_ones = (Notification.State.WAITING, Notification.State.HELD)
    after = [
        Exists(Sending.objects.filter(incident=OuterRef("pk"), letter=letter))
        for letter in rules.AFTER
    ]
    found = incidents_of.annotate(
        newest=Coalesce(Subquery(lines.values("number")[:1]), 0),
        dead=Coalesce(Subquery(dead.annotate(many=Count("pk")).values("many")), 0),
        is_settled=Case(
            When(Q(*after) & ~Exists(rows.filter(state__in=open_ones)), then=True), default=False
        ),
    )
    return [
        (one, Mark(newest=one.newest, dead=one.dead, is_settled=one.is_settled))
        for one in found.order_by("pk")
    ]


def over() -> QuerySet[Incident]:
    """Resolved ones about which somebody was told something."""
    told = Sending.objects.filter(incident=OuterRef("pk"), letter__in=rules.OFF)
    return Incident.objects.filter(Exists(told), resolved_at__gt=Now() - REMEMBERED)


def resolve(*, incident: int, actor: Actor, reason: str) -> Incident:
    """The incident, and right after it the all-clear to whoever was told of it, held back.

    :raises ChangeRefused:
    """
    found = incidents.resolve(incident=incident, actor=actor, reason=reason)
    try:
        # Whoever erases a person takes the person first, and then what names them.
        with limited(lock="500ms"):
            prepare_due(found)
    except OperationalError as error:
        # Somebody's row is held: resolved it is all the same, and the next look prepares the letter.
        log.warning("sendings.later", incident=incident, error=without_rows(error))
    return found


@transaction.atomic
def write(
    *,
    incident: Incident,
    letter: str,
    actor: Actor,
    reasons: Sequence[str],
    seen: int,
    news: Mapping[str, str] | None = None,
    next_news_at: datetime | None = None,
) -> Sending:
    """A further update, held back until it is released.

    seen: the newest sending of this incident that the writer knew of; 0: none.

    :raises ChangeRefused: also when somebody else has prepared one meanwhile
    """
    _check_true(incident, letter)
    outbox.one_by_one(incident=incident, letter=letter)
    newest = incident.sendings.order_by("-pk").first()
    if newest is not None and newest.pk > seen:
        words = _(
            "%(name)s has prepared “%(letter)s” meanwhile. Look at it; if yours is still needed, "
            "prepare it again."
        )
        facts = {"name": newest.prepared_by_name, "letter": title(newest.letter)}
        raise ChangeRefused(words % facts)
    try:
        with transaction.atomic():
            return _for_somebody(
                outbox.prepare(
                    incident=incident,
                    letter=letter,
                    actor=actor,
                    reasons=reasons,
                    news=news,
                    next_news_at=next_news_at,
                    told=rules.AFTER.get(letter, ()),
                )
            )
    except Nobody as nobody:
        raise ChangeRefused(_nobody(letter)) from nobody


def _check_true(incident: Incident, letter: str) -> None:
    """:raises ChangeRefused:"""
    if letter not in rules.TO_PEOPLE:
        raise ChangeRefused(_("“%s” is no letter to the affected people.") % title(letter))
    held = list(incident.latches.values_list("flag_name", flat=True))
    if letter in rules.AFTER and incident.is_open:
        raise ChangeRefused(_("Incident %s is open: resolve it first.") % incident.pk)
    if letter in (*rules.OFF, LetterKey.RESTORED) and not held:
        raise ChangeRefused(_("Nothing was taken away for incident %s.") % incident.pk)
    are_back = not incident.is_open and _are_back(incident, held)
    if letter == LetterKey.RESTORED and not are_back:
        raise ChangeRefused(_("Not everything that was taken away is back."))
    if letter in rules.OFF and are_back:
        raise ChangeRefused(_("What was taken away is back: write that."))


def _nobody(letter: str) -> str:
    if letter in rules.AFTER:
        return _("Nobody of them has got an earlier letter: there is nothing to take back.")
    return _("There is nobody to be told for these reasons.")


def title(letter: str) -> str:
    return _(BY_KEY[letter].title) if letter in BY_KEY else letter


def of(incident: Incident) -> QuerySet[Sending]:
    """To its people; what goes to the staff about it is elsewhere. The newest first."""
    return incident.sendings.filter(letter__in=rules.TO_PEOPLE).order_by("-pk")


def held() -> dict[int, int]:
    """Incident → how many letters to its people wait for somebody to release them, the oldest first. One
    query."""
    found = Sending.objects.filter(
        state=Sending.State.HELD, incident__isnull=False, letter__in=rules.TO_PEOPLE
    )
    return dict(Counter(found.order_by("pk").values_list("incident", flat=True)))
