"""Whom an incident concerns: people, frozen as it was when it was declared, and figures, counted again.

Never in the transaction of a kill, which waits for no counting: `aftermath.look` comes after it. So
that nothing is lost meanwhile, who had a feature follows from the flags' facts in the timeline, and
drafts and lessons from how they stood at `opened_at`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from enrollment.models import User
from rollback import incidents
from rollback.audit import Actor
from rollback.domain.sendings import TO_PEOPLE
from rollback.domain.shares import FlagState, Snapshot, Subject, share_from_percent
from rollback.limits import limited
from rollback.models import Incident, IncidentEvent, Switchboard

# A school's whole tables are counted for it, and whoever reads the figures sees when they were counted.
AGAIN = timedelta(minutes=2)
COUNTING = Actor(name="counting of the affected", automatic=True)

FREEZE = """
    WITH reasons AS (
        SELECT s.user_id, 'draft' AS reason
          FROM rollback_enrollmentdraft d JOIN enrollment_student s ON s.id = d.student_id
         WHERE d.started_at <= %(at)s
           AND (d.finished_at IS NULL OR d.finished_at > %(at)s)
           AND (d.quarantined_at IS NULL OR d.quarantined_at > %(at)s)
         UNION
        SELECT s.user_id, 'lesson'
          FROM enrollment_lesson l JOIN enrollment_student s ON s.id = l.student_id
         WHERE l.status = 'planned' AND lower(l.period) > %(at)s
         UNION
        SELECT t.user_id, 'teacher'
          FROM enrollment_lesson l JOIN enrollment_teacher t ON t.id = l.teacher_id
         WHERE l.status = 'planned' AND lower(l.period) > %(at)s
         UNION
        SELECT u.id, 'exposed' FROM enrollment_user u WHERE u.id = ANY(%(exposed)s)
    )
    INSERT INTO rollback_affectedperson AS known (incident_id, user_id, reasons)
    SELECT %(incident)s, user_id, array_agg(reason ORDER BY reason) FROM reasons GROUP BY user_id
    ON CONFLICT (incident_id, user_id) DO UPDATE SET reasons = ARRAY(
        SELECT DISTINCT reason FROM unnest(known.reasons || EXCLUDED.reasons) AS reason ORDER BY reason)
"""

ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('people of incident ' || %s::text, 0))"

# Their foreign keys would lock them at COMMIT, after the incident; whoever deletes a person takes
# the person first.
PEOPLE_FIRST = """
    SELECT count(*) FROM (
        SELECT FROM enrollment_user u JOIN rollback_affectedperson a ON a.user_id = u.id
         WHERE a.incident_id = %(incident)s ORDER BY u.id FOR KEY SHARE OF u) AS held
"""

COUNT = """
    SELECT (SELECT count(*) FROM rollback_affectedperson WHERE incident_id = %(incident)s),
           (SELECT coalesce(jsonb_object_agg(reason, people), '{}')::text
              FROM (SELECT unnest(reasons) AS reason, count(*) AS people
                      FROM rollback_affectedperson WHERE incident_id = %(incident)s
                     GROUP BY 1) AS counted)
"""

# That have gone out to its people: not those to the staff about it.
MAILS = """
    SELECT count(*) FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
     WHERE s.incident_id = %(incident)s AND n.state = 'sent' AND n.user_id IS NOT NULL
       AND s.letter = ANY(%(letters)s)
"""

# Draft and complaint: whatever the person did since it began. moved: drafts that a door kept.
FIGURES = """
    WITH span AS (
        SELECT i.opened_at AS since, coalesce(i.resolved_at, clock_timestamp()) AS until,
               (SELECT min(e.at) FROM rollback_incidentevent e
                 WHERE e.incident_id = i.id AND (e.kind = 'killed' OR (e.kind = 'stepped'
                       AND (e.payload->>'percent')::numeric = 0))) AS off_at,
               (SELECT e.payload FROM rollback_incidentevent e
                 WHERE e.incident_id = i.id AND e.kind = 'opened') AS opening
          FROM rollback_incident i WHERE i.id = %(incident)s
    )
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'counted_at', until,
        'minutes', ceil(extract(epoch FROM until - since) / 60),
        'minutes_off', ceil(extract(epoch FROM until - off_at) / 60),
        'drafts_saved', (SELECT count(*) FROM rollback_enrollmentdraft
                          WHERE saved_at >= since AND saved_at <= until),
        'drafts_moved', (SELECT count(*) FROM rollback_enrollmentdraft
                          WHERE turned_away_at >= since AND turned_away_at <= until),
        'enrolled_original', (SELECT count(*) FROM enrollment_enrollment
                               WHERE flow = 'original' AND created_at >= since AND created_at <= until),
        'mails', ({mails}),
        'complaints', (SELECT count(DISTINCT reporter) FROM rollback_complaint
                        WHERE reported_at >= since AND reported_at <= until),
        'turned_away', CASE WHEN opening ? 'turned_away' THEN (
            SELECT coalesce(sum(greatest(0, counted - coalesce(
                       (opening->'turned_away'->'before'->>feature)::bigint, 0))), 0)
              FROM (SELECT c.feature, sum(c.turned_away) AS counted FROM rollback_doorcount c
                     WHERE c.on_date >= (opening->'turned_away'->>'day')::date
                       AND c.on_date <= (until AT TIME ZONE 'UTC')::date
                       AND (c.feature IN (SELECT jsonb_array_elements_text(opening->'flags'))
                            OR c.feature IN (SELECT flag_name FROM rollback_latch
                                              WHERE incident_id = %(incident)s))
                     GROUP BY c.feature) AS doors) END))::text
      FROM span
""".replace("{mails}", MAILS)


def is_frozen(incident: Incident) -> bool:
    """Not any more when something further was taken away since."""
    last = (
        incident.events.filter(kind__in=_DECLARING | {IncidentEvent.Kind.PEOPLE})
        .order_by("-number")
        .values_list("kind", flat=True)
        .first()
    )
    return last == IncidentEvent.Kind.PEOPLE


_DECLARING = {IncidentEvent.Kind.OPENED, IncidentEvent.Kind.KILLED}


@limited(statement="20s")
def freeze(incident: Incident) -> dict[str, int]:
    """Inserts the people, once; who is there stays. One statement, and a hash for each user.

    :returns: how many for each reason, and "all"
    """
    with connection.cursor() as cursor:
        cursor.execute(ONE_BY_ONE, [incident.pk])
    if not is_frozen(incident):
        facts: dict[str, Any] = {
            "incident": incident.pk,
            "at": incident.opened_at,
            "exposed": exposed(incident),
        }
        with connection.cursor() as cursor:
            cursor.execute(FREEZE, facts)
            cursor.execute(PEOPLE_FIRST, facts)
        # Each foreign key now, and not at COMMIT: a kill waits for whoever has written a line.
        connection.check_constraints()
        found = counts(incident)
        incidents.record(
            incident=incident.pk, kind=IncidentEvent.Kind.PEOPLE, actor=COUNTING, counts=found
        )
        return found
    return counts(incident)


def exposed(incident: Incident) -> list[int]:
    """Users for whom one of the incident's features was on when it was taken away, or the case opened."""
    salt = Switchboard.objects.values_list("salt", flat=True).get(pk=1)
    declared = incident.events.filter(kind__in=_DECLARING).order_by("number")
    found: set[int] = set()
    subjects = list(_everybody())
    for payload in declared.values_list("payload", flat=True):
        states = _states(payload.get("before", {}))
        snapshot = Snapshot(version=1, salt=salt.bytes, flags=states)
        found |= snapshot.users_with_any(payload.get("flags", ()), subjects)
    return sorted(found)


def _everybody() -> Iterable[Subject]:
    people = User.objects.filter(is_active=True)
    for pk, staff, superuser in people.values_list("pk", "is_staff", "is_superuser").iterator():
        yield Subject(key=f"u:{pk}", user_id=pk, is_staff=staff, is_superuser=superuser)


def _states(before: Mapping[str, Any]) -> dict[str, FlagState]:
    """From the facts as `rollback_facts` gives them."""
    return {
        name: FlagState(
            name=name,
            share=share_from_percent(Decimal(facts["share"])),
            killed=facts["killed"],
            requires=facts["master"],
            staff=facts["staff"],
            superusers=facts["superusers"],
            users=frozenset(facts["users"]),
        )
        for name, facts in before.items()
        if facts
    }


def counts(incident: Incident) -> dict[str, int]:
    """Reason → people, and "all". Somebody may be there for several reasons."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"incident": incident.pk})
        everybody, by_reason = cursor.fetchone()
    return {"all": everybody, **json.loads(by_reason)}


def figures(incident: Incident) -> dict[str, Any]:
    """What the rows say now, up to its end: two statements. A figure that nothing is known of is missing."""
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, {"incident": incident.pk, "letters": list(TO_PEOPLE)})
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
    if incident.events.filter(kind=IncidentEvent.Kind.PEOPLE).exists():
        found["people"] = counts(incident)
    return found


def mails(incident: Incident) -> int:
    with connection.cursor() as cursor:
        cursor.execute(MAILS, {"incident": incident.pk, "letters": list(TO_PEOPLE)})
        return int(cursor.fetchone()[0])


def count(
    incident: Incident, *, with_them: Callable[[Incident], object] = lambda incident: None
) -> None:
    """Its people are frozen if they are not yet, its figures counted again every two minutes.

    with_them: done as soon as they are frozen, in none of these transactions: a kill that adds to the
    incident waits for whoever holds it, and for nobody's letters.
    """
    is_new = not is_frozen(incident)
    if is_new:
        freeze(incident)
    with_them(incident)
    if is_new or _is_old(incident):
        refresh(incident)


def _is_old(incident: Incident) -> bool:
    """By the database's clock, which has written when they were counted."""
    counted_at = incident.impact.get("counted_at")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(%s::timestamptz < clock_timestamp() - make_interval(secs => %s), true)",
            [counted_at, AGAIN.total_seconds()],
        )
        return bool(cursor.fetchone()[0])


def refresh(incident: Incident) -> dict[str, Any]:
    """Counts again while it is open, and once more at its end. Nobody waits for the counting: only
    then is the incident's row taken.
    """
    with limited(lock="3s", statement="20s"):
        found = figures(incident)
    with limited(lock="3s"):
        _keep(incident, found)
    incident.impact = found
    return found


def _keep(incident: Incident, found: Mapping[str, Any]) -> None:
    """Not over newer ones: those of its end, where it was resolved meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE rollback_incident SET impact = %(found)s::jsonb WHERE id = %(incident)s
                  AND coalesce((impact->>'counted_at')::timestamptz <= %(at)s::timestamptz, true)""",
            {"incident": incident.pk, "found": json.dumps(found), "at": found["counted_at"]},
        )
