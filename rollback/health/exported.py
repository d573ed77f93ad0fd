"""The school's numbers for Prometheus: graphs and alarms outside; the watch itself needs none of them.

All come from rows that the processes share, so that any of them may answer for all, and no counter is
added up twice. Each part is one query; one that cannot be read is told as such and costs no other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollback import processes, switchboard
from rollback.domain.metrics import Verdict
from rollback.domain.plans import LIVE
from rollback.domain.processes import Seen, call_the_roll
from rollback.domain.shares import Subject
from rollback.health.asking import Connection, NoAnswer, ask, limited, rows
from rollback.models import Complaint, Incident, Notification

log = structlog.get_logger(__name__)

SECONDS = 4.0  # for all of them together
MINUTES = 5  # of which samples are added up
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Part = Callable[[Connection], Iterable[GaugeMetricFamily]]


def gauge(name: str, says: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"school_{name}", says, labels=labels)


def features(connection: Connection) -> Iterable[GaugeMetricFamily]:
    share = gauge("feature_share", "Share of the people who may have it, 0 to 1", "feature")
    killed = gauge("feature_killed", "Whether it is killed", "feature")
    latched = gauge(
        "feature_latched", "Whether an open incident keeps it from being raised", "feature"
    )
    query = """
        SELECT f.name, f.percent, f.everyone IS FALSE, EXISTS (
               SELECT FROM rollback_latch l JOIN rollback_incident i ON i.id = l.incident_id
                WHERE l.flag_name = f.name AND i.resolved_at IS NULL)
          FROM rollback_flag f ORDER BY f.name
    """
    for name, percent, is_killed, is_latched in rows(connection, query):
        share.add_metric([name], float(percent or 0) / 100)
        killed.add_metric([name], is_killed)
        latched.add_metric([name], is_latched)
    return share, killed, latched


def people(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """By the flags in the database, whatever this process has read of them."""
    on = gauge("feature_people", "Active users who have it now", "feature")
    everybody = gauge("people", "Active users")
    with limited(connection):
        snapshot = switchboard.read(connection)
    query = "SELECT id, is_staff, is_superuser FROM enrollment_user WHERE is_active"
    subjects = [
        Subject(key=f"u:{pk}", user_id=pk, is_staff=staff, is_superuser=superuser)
        for pk, staff, superuser in rows(connection, query)
    ]
    everybody.add_metric([], len(subjects))
    for name, count in sorted(snapshot.count_on(subjects).items()):
        on.add_metric([name], count)
    return on, everybody


def incidents(connection: Connection) -> Iterable[GaugeMetricFamily]:
    opened = gauge("incidents_open", "Unresolved incidents, by severity", "severity")
    waiting = gauge(
        "incidents_unacknowledged", "Of those, the ones that nobody has acknowledged", "severity"
    )
    query = """
        SELECT severity, count(*), count(*) FILTER (WHERE acknowledged_at IS NULL)
          FROM rollback_incident WHERE resolved_at IS NULL GROUP BY severity
    """
    found = {severity: (count, unseen) for severity, count, unseen in rows(connection, query)}
    for severity in Incident.Severity.values:
        count, unseen = found.get(severity, (0, 0))
        opened.add_metric([str(severity)], count)
        waiting.add_metric([str(severity)], unseen)
    return opened, waiting


def verdicts(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """1 at what each trigger came to, 0 at the others; UNKNOWN where nothing is said that we know."""
    verdict = gauge("trigger_verdict", "What it came to", "trigger", "action", "verdict")
    share = gauge("trigger_share", "The share or number it came from", "trigger")
    query = """
        SELECT t.name, t.action, h.verdicts -> t.name
          FROM rollback_trigger t
          LEFT JOIN (SELECT verdicts FROM rollback_heartbeat ORDER BY beat_at DESC LIMIT 1) h ON true
         WHERE t.is_enabled ORDER BY t.name
    """
    for name, action, said in rows(connection, query):
        facts: dict[str, Any] = said if isinstance(said, dict) else {}
        known = facts.get("verdict") if facts.get("verdict") in set(Verdict) else Verdict.UNKNOWN
        for one in Verdict:
            verdict.add_metric([name, action, one.value], one == known)
        if isinstance(facts.get("rate"), int | float):
            share.add_metric([name], facts["rate"])
    return verdict, share


def evaluator(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """Nothing where the triggers have never been evaluated: an alarm asks whether it is there."""
    age = gauge("evaluator_age_seconds", "Since the triggers were last evaluated")
    took = gauge("evaluator_seconds", "How long that took")
    query = """
        SELECT extract(epoch FROM clock_timestamp() - beat_at), milliseconds
          FROM rollback_heartbeat ORDER BY beat_at DESC LIMIT 1
    """
    for seconds, milliseconds in rows(connection, query):
        age.add_metric([], float(seconds))
        took.add_metric([], milliseconds / 1000)
    return age, took


def samples(connection: Connection) -> Iterable[GaugeMetricFamily]:
    labels = ("metric", "feature", "on")
    total = gauge("watched_last_5m", "How many there were in the last five minutes", *labels)
    bad = gauge("watched_bad_last_5m", "How many of them were bad", *labels)
    query = """
        SELECT metric, feature, is_on, sum(total), sum(bad) FROM rollback_sample
         WHERE seconds = 10 AND begins_at >= clock_timestamp() - %s * interval '1 minute'
         GROUP BY metric, feature, is_on ORDER BY metric, feature, is_on
    """
    for metric, feature, is_on, count, bad_ones in rows(connection, query, [MINUTES]):
        which = [metric, feature, _yes(is_on)]
        total.add_metric(which, int(count))
        bad.add_metric(which, int(bad_ones))
    return total, bad


def sessions(connection: Connection) -> Iterable[GaugeMetricFamily]:
    found = gauge(
        "enrollment_sessions_last_day",
        "Enrollments begun in the last day: open, finished, or left for half an hour",
        "state", "flow", "on",
    )  # fmt: skip
    query = """
        SELECT CASE WHEN finished_at IS NOT NULL THEN 'finished'
                    WHEN is_open AND changed_at >= clock_timestamp() - interval '30 minutes' THEN 'open'
                    ELSE 'abandoned' END AS state,
               flow, is_on, count(*)
          FROM rollback_enrollmentsession
         WHERE started_at >= clock_timestamp() - interval '1 day'
         GROUP BY 1, flow, is_on ORDER BY 1, flow, is_on
    """
    for state, flow, is_on, count in rows(connection, query):
        found.add_metric([state, flow, _yes(is_on)], count)
    return (found,)


def complaints(connection: Connection) -> Iterable[GaugeMetricFamily]:
    people = gauge("complaining_people_last_hour", "Different people, whatever it was about")
    by_kind = gauge("complaining_people_by_kind_last_hour", "Different people, by kind", "kind")
    opened = gauge("complaints_open", "Reports that nobody has answered", "kind")
    query = """
        SELECT kind,
               count(DISTINCT reporter) FILTER (WHERE reported_at > clock_timestamp() - interval '1 hour'),
               count(*) FILTER (WHERE done_at IS NULL)
          FROM rollback_complaint
         WHERE done_at IS NULL OR reported_at > clock_timestamp() - interval '1 hour'
         GROUP BY GROUPING SETS ((), (kind))
    """
    found = {kind: (count, unanswered) for kind, count, unanswered in rows(connection, query)}
    people.add_metric([], found[None][0])
    for kind in Complaint.Kind.values:
        count, unanswered = found.get(kind, (0, 0))
        by_kind.add_metric([kind], count)
        opened.add_metric([kind], unanswered)
    return people, by_kind, opened


def roll(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """Those that live and run the flags as they are; live and do not yet; give no sign of life."""
    counted = gauge("processes", "Processes by kind and how they stand", "kind", "state")
    version = gauge("flags_version", "Version of all flags together")
    slowest = gauge(
        "switch_slowest_seconds", "From the last change to the slowest process that has it"
    )
    read = rows(connection, processes.READ)
    newest, changed_at, now = read[0][:3]
    seen = [Seen(*row[3:]) for row in read if row[3] is not None]
    found = call_the_roll(seen, version=newest, newest=newest, changed_at=changed_at, now=now)
    states = {"up_to_date": found.reached, "behind": found.waiting, "silent": found.silent}
    for state, members in states.items():
        for kind, count in sorted(Counter(process.kind for process in members).items()):
            counted.add_metric([kind, state], count)
    version.add_metric([], newest)
    if found.slowest is not None:
        slowest.add_metric([], found.slowest.total_seconds())
    return counted, version, slowest


def plans(connection: Connection) -> Iterable[GaugeMetricFamily]:
    running = gauge(
        "plans_live", "Plans that are not over, by direction and state", "direction", "state"
    )
    steps = gauge("plan_steps", "Their steps, done and to come", "direction", "done")
    query = """
        SELECT p.direction, p.state, count(s.id) FILTER (WHERE s.done_at IS NOT NULL),
               count(s.id) FILTER (WHERE s.done_at IS NULL)
          FROM rollback_plan p LEFT JOIN rollback_planstep s ON s.plan_id = p.id
         WHERE p.state = ANY(%s) GROUP BY p.id ORDER BY p.direction
    """
    for direction, state, done, to_come in rows(connection, query, [[one.value for one in LIVE]]):
        running.add_metric([direction, state], 1)
        steps.add_metric([direction, "yes"], done)
        steps.add_metric([direction, "no"], to_come)
    return running, steps


def doors(connection: Connection) -> Iterable[GaugeMetricFamily]:
    away = gauge(
        "turned_away_today", "Requests and tasks turned away today (UTC)", "feature", "door"
    )
    query = """
        SELECT feature, door, turned_away FROM rollback_doorcount
         WHERE on_date = (clock_timestamp() AT TIME ZONE 'UTC')::date ORDER BY feature, door
    """
    for feature, door, count in rows(connection, query):
        away.add_metric([feature, door], count)
    return (away,)


def trips(connection: Connection) -> Iterable[GaugeMetricFamily]:
    lost = gauge(
        "database_losses_last_hour", "Processes that had lost the database and have it back"
    )
    query = """
        SELECT count(*) FROM rollback_localtrip
         WHERE back_at > clock_timestamp() - interval '1 hour'
    """
    for (count,) in rows(connection, query):
        lost.add_metric([], count)
    return (lost,)


def backups(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """No age where none was ever proved."""
    wanted = gauge("backup_wanted", "Whether one is to be made each night")
    age = gauge("backup_age_seconds", "Since the moment of which the newest proved backup is")
    wanted.add_metric([], settings.BACKUP_NIGHTLY)
    query = """
        SELECT extract(epoch FROM clock_timestamp() - max(as_of)) FROM rollback_backup
         WHERE status = 'verified' AND as_of <= clock_timestamp() HAVING max(as_of) IS NOT NULL
    """
    for (seconds,) in rows(connection, query):
        age.add_metric([], float(seconds))
    return wanted, age


# Asked at each scrape: by the index of just these, and no further than anybody needs to know.
GIVEN_UP = """
    SELECT count(*) FROM (
        SELECT FROM rollback_notification WHERE state = 'dead' LIMIT 10000) AS given_up
"""


def mails(connection: Connection) -> Iterable[GaugeMetricFamily]:
    """By urgency: pages, to the staff, to people. What is held back until somebody releases it waits for
    no mail server, and is not counted. Of the age of mails neither is one that a server refuses, which is
    tried for days."""
    waiting = gauge("mails_waiting", "Mails and calls that are to go out", "urgency")
    age = gauge("mails_waiting_seconds", "Since the oldest of them was written down", "urgency")
    dead = gauge(
        "mails_given_up", "Those that were tried for days and did not go out, up to 10,000"
    )
    query = """
        SELECT n.urgency, count(*), extract(epoch FROM clock_timestamp() - min(
               coalesce(s.released_at, s.prepared_at)) FILTER (WHERE n.tries = 0 OR n.urgency = 0))
          FROM rollback_notification n JOIN rollback_sending s ON s.id = n.sending_id
         WHERE n.state = 'waiting' GROUP BY n.urgency
    """
    found = {urgency: (count, seconds) for urgency, count, seconds in rows(connection, query)}
    for urgency in Notification.Urgency:
        count, seconds = found.get(urgency.value, (0, 0))
        waiting.add_metric([urgency.name.lower()], count)
        age.add_metric([urgency.name.lower()], float(seconds or 0))
    for (count,) in rows(connection, GIVEN_UP):
        dead.add_metric([], count)
    return waiting, age, dead


PARTS: Sequence[Part] = (
    features, people, incidents, verdicts, evaluator, samples, sessions, complaints, roll, plans,
    doors, trips, backups, mails,
)  # fmt: skip


class Read(Collector):
    """What was read for one answer."""

    def __init__(self) -> None:
        self.families: list[GaugeMetricFamily] = []
        self.parts: dict[str, bool] = {}
        self.answers = False

    def question(self, connection: Connection) -> None:
        self.answers = True
        for part in PARTS:
            self.parts[part.__name__] = False
            try:
                self.families.extend(part(connection))
            except Exception as error:
                # A probe: whatever is wrong with one part, a table that is gone, a lock, a row that
                # somebody wrote by hand, the others are needed all the more.
                log.warning("metrics.not_read", part=part.__name__, error=type(error).__name__)
            else:
                self.parts[part.__name__] = True

    def collect(self) -> Iterable[GaugeMetricFamily]:
        answers = gauge("database_answers", "Whether the database answered this question")
        answers.add_metric([], self.answers)
        complete = gauge("part_read", "Whether this part of the answer could be read", "part")
        known = dict(self.parts)
        for part in PARTS:
            complete.add_metric([part.__name__], known.get(part.__name__, False))
        return (answers, complete, *list(self.families))


def text() -> bytes:
    """In Prometheus' own format; whatever could be read in time."""
    found = Read()
    try:
        ask(found.question, who="metrics", seconds=SECONDS)
    except NoAnswer:
        log.warning("metrics.no_answer")
    registry = CollectorRegistry()
    registry.register(found)
    return generate_latest(registry)


def _yes(is_on: bool) -> str:
    return "yes" if is_on else "no"
