"""Pages are opened, called, escalated and closed; each step in one short transaction, and once.

Whoever looks does it: the evaluator, the worker, or a web process that takes over. What one of them has in
its hands the others pass over, so that twenty looks are one call.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from enrollment.models import User
from rollback import incidents, outbox, triggers
from rollback.domain import oncall
from rollback.domain.letters import LetterKey
from rollback.limits import limited
from rollback.models import (
    Heartbeat,
    Incident,
    IncidentEvent,
    Notification,
    OnCallPolicy,
    OnCallShift,
    Page,
    PageCall,
)
from rollback.oncall import delivering, roster, telling
from rollback.oncall.acknowledging import waits
from rollback.oncall.policy import clock, policy
from rollback.oncall.telling import ON_CALL

log = structlog.get_logger(__name__)

# The watch is back when it has judged within this.
ALIVE = timedelta(seconds=60)
UNANSWERED = Q(acknowledged_at=None, closed_at=None)
LETTERS = {
    Page.Kind.INCIDENT: LetterKey.PAGE,
    Page.Kind.TEST: LetterKey.PAGE_TEST,
    Page.Kind.SILENT: LetterKey.PAGE_SILENT,
}


def look(*, by: str, now: datetime | None = None) -> None:
    """After each tick, and not in its transaction. now: the database's clock, if nothing else is said.
    Where nothing goes out nobody is called, now or later.
    """
    if not outbox.goes_out():
        return
    with limited():
        now = now or clock()
        rules = policy()
    for step in (_open_incidents, _open_test, _escalate, _close, _tell_the_end, _hand_over):
        _on_its_own(step, rules, now, by=by)
    delivering.soon()


def _on_its_own(step: Callable[..., None], *facts: Any, **named: object) -> None:
    try:
        step(*facts)
    except Exception:
        # The watch: one incident or shift that breaks must not keep others from being called.
        log.exception("oncall.broken", step=step.__name__, **named)


# ---------------------------------------------------------------- incidents


def _open_incidents(rules: OnCallPolicy, now: datetime) -> None:
    called = Page.objects.filter(incident=OuterRef("pk"), kind=Page.Kind.INCIDENT)
    waiting = Incident.objects.filter(
        ~Exists(called),
        resolved_at=None,
        acknowledged_at=None,
        severity__lte=rules.page_severity,
    )
    with limited():
        numbers = list(waiting.order_by("severity", "pk").values_list("pk", flat=True))
    for number in numbers:
        _on_its_own(_open, number, rules, now, incident=number)


def _open(number: int, rules: OnCallPolicy, now: datetime) -> None:
    with limited():
        incident = _locked_incident(number)
        if incident is None or not _calls(incident, rules):
            return
        page, is_new = Page.objects.get_or_create(
            kind=Page.Kind.INCIDENT, incident=incident, defaults={"opened_at": now}
        )
        if is_new:
            _call_next(page, rules, now)


def _locked_incident(number: int) -> Incident | None:
    """Before its page, as whoever acknowledges does. None: somebody else has it in their hands."""
    rows = Incident.objects.select_for_update(skip_locked=True)
    return rows.filter(pk=number).first()


def _calls(incident: Incident, rules: OnCallPolicy) -> bool:
    return oncall.calls(
        severity=incident.severity,
        page_severity=rules.page_severity,
        is_acknowledged=incident.acknowledged_at is not None,
        is_open=incident.is_open,
    )


# ---------------------------------------------------------------- tests, and the watch itself


def _open_test(rules: OnCallPolicy, now: datetime) -> None:
    """Only where somebody is on call: that nobody is, the console says without a test."""
    with limited():
        tests = Page.objects.filter(kind=Page.Kind.TEST)
        last = tests.order_by("-opened_at").values_list("opened_at", flat=True).first()
        if not _is_test_due(rules, now, last) or not roster.people_now(now=now):
            return
        _one_at_a_time()
        if tests.filter(opened_at__gt=last or now - oncall.LATE).exists():
            return
        tests.filter(UNANSWERED).update(closed_at=now, escalates_at=None)
        page = Page.objects.create(kind=Page.Kind.TEST, opened_at=now)
        _call_next(page, rules, now)


def _is_test_due(rules: OnCallPolicy, now: datetime, last: datetime | None) -> bool:
    zone = ZoneInfo(timezone.get_default_timezone_name())
    return oncall.is_test_due(
        now=now, zone=zone, weekday=rules.test_weekday, hour=rules.test_hour, last=last
    )


def _one_at_a_time() -> None:
    """Nothing else says that there is one test a week."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('on-call test', 0))")


def open_silent(*, now: datetime) -> bool:
    """The watch judges nothing any more. :returns: False where that has been told already, or nobody is"""
    if not outbox.goes_out():
        return False
    with limited():
        opened = Page.objects.bulk_create(
            [Page(kind=Page.Kind.SILENT, opened_at=now)], ignore_conflicts=True
        )
        page = Page.objects.select_for_update().filter(
            kind=Page.Kind.SILENT, closed_at=None, level=0
        )
        found = page.first()
        if found is not None:
            _call_next(found, policy(), now)
    return bool(opened) and found is not None


# ---------------------------------------------------------------- calling


def _escalate(rules: OnCallPolicy, now: datetime) -> None:
    due = Page.objects.filter(UNANSWERED, escalates_at__lte=now).order_by("opened_at", "pk")
    with limited():
        found = list(due.values_list("pk", "incident"))
    for number, incident in found:
        _on_its_own(_escalate_one, number, incident, rules, now, page=number)


def _escalate_one(number: int, incident: int | None, rules: OnCallPolicy, now: datetime) -> None:
    with limited():
        if incident is not None and _locked_incident(incident) is None:
            return
        page = _locked_page(number)
        if page is None or not waits(page) or not page.escalates_at or page.escalates_at > now:
            return
        _call_next(page, rules, now)


def _locked_page(number: int) -> Page | None:
    rows = Page.objects.select_for_update(skip_locked=True, of=("self",))
    return rows.select_related("incident").filter(pk=number).first()


def _call_next(page: Page, rules: OnCallPolicy, now: datetime) -> None:
    """Whoever has the next number now; where nobody is left everybody who may switch off, once."""
    on_call = roster.people_now(now=now)
    is_second_test = page.kind == Page.Kind.TEST and page.level > 0
    level = oncall.EVERYBODY if is_second_test else oncall.next_level(on_call, after=page.level)
    if level is None:
        Page.objects.filter(pk=page.pk).update(escalates_at=None)
        return
    user = on_call.get(level)
    people = [user] if user else _all_of_them(page, on_call.values())
    escalates_at = _escalates_at(page, level, rules, now)
    letter = LetterKey.TEST_UNANSWERED if is_second_test else LETTERS[Page.Kind(page.kind)]
    sending = telling.call(
        page, people, letter=letter, escalates_at=escalates_at, nobody=not on_call
    )
    PageCall.objects.create(page=page, level=level, user=user, sending=sending, called_at=now)
    Page.objects.filter(pk=page.pk).update(
        level=level, escalates_at=escalates_at, channels_told=telling.TRIGGER
    )
    _record(page, level=level, user=user.pk if user else None, people=len(people))


def _all_of_them(page: Page, on_call: Iterable[User]) -> list[User]:
    """A test is for those whom it concerns; a fault is for everybody who can do something about it."""
    known = {one.pk: one for one in on_call}
    if page.kind != Page.Kind.TEST:
        known |= {one.pk: one for one in roster.everybody()}
    return list(known.values())


def _escalates_at(page: Page, level: int, rules: OnCallPolicy, now: datetime) -> datetime | None:
    if level == oncall.EVERYBODY:
        return None
    if page.kind == Page.Kind.TEST:
        return now + oncall.TEST_PATIENCE
    return now + timedelta(minutes=rules.escalate_minutes)


def _record(page: Page, **facts: int | None) -> None:
    if page.incident_id is not None:
        incidents.record(
            incident=page.incident_id,
            kind=IncidentEvent.Kind.PAGED,
            actor=ON_CALL,
            page=page.pk,
            **facts,
        )


# ---------------------------------------------------------------- the end


def _close(rules: OnCallPolicy, now: datetime) -> None:
    """The watch judges again. Incidents' pages are closed with them."""
    with limited():
        silent = Page.objects.filter(kind=Page.Kind.SILENT, closed_at=None)
        alive = Heartbeat.objects.filter(name=triggers.HEARTBEAT, beat_at__gt=now - ALIVE)
        if alive.exists():
            silent.update(closed_at=now, escalates_at=None)


def _tell_the_end(rules: OnCallPolicy, now: datetime) -> None:
    for event, when in (
        (telling.ACKNOWLEDGE, Q(channels_told=telling.TRIGGER, acknowledged_at__isnull=False)),
        (telling.RESOLVE, ~Q(channels_told__in=["", telling.RESOLVE]) & Q(closed_at__isnull=False)),
    ):
        with limited():
            found = list(Page.objects.filter(when).values_list("pk", "incident"))
        for number, incident in found:
            _on_its_own(_tell_one, number, incident, event, when, page=number)


def _tell_one(number: int, incident: int | None, event: str, when: Q) -> None:
    with limited():
        # Before its page, as everywhere: whoever resolves it holds both.
        if incident is not None and _locked_incident(incident) is None:
            return
        told: QuerySet[Page] = Page.objects.filter(when, pk=number)
        # The row is locked until the end: whoever comes second finds nothing to do.
        if told.update(channels_told=event):
            page = Page.objects.select_related("incident").get(pk=number)
            _forget_calls(page)
            telling.tell_channels(page, event)


def _forget_calls(page: Page) -> None:
    """A mail that has not gone out by now, because the server was away, would only wake somebody."""
    state = Notification.State
    calls = Notification.objects.filter(sending__in=page.calls.values("sending"), channel=None)
    calls.filter(state__in=(state.WAITING, state.HELD)).update(
        state=state.NOT_NEEDED, error="Somebody is at it, or it is over."
    )
    # Why it was given up stays to be read.
    calls.filter(state=state.DEAD).update(state=state.NOT_NEEDED)


def _hand_over(rules: OnCallPolicy, now: datetime) -> None:
    begun = OnCallShift.objects.filter(
        handed_over_at=None, starts_at__lte=now, ends_at__gt=now, user__in=roster.candidates()
    )
    with limited():
        numbers = list(begun.values_list("pk", flat=True))
    for number in numbers:
        _on_its_own(_hand_over_one, number, now, shift=number)


def _hand_over_one(number: int, now: datetime) -> None:
    with limited():
        rows = OnCallShift.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.select_related("user__student", "user__teacher").filter(pk=number).first()
        if row is None or not oncall.is_hand_over_due(
            shift=roster.as_shift(row), told_at=row.handed_over_at, now=now
        ):
            return
        OnCallShift.objects.filter(pk=number).update(handed_over_at=now)
        telling.hand_over(row)
