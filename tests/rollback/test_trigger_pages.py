"""Triggers in the admin: seen by the office, changed with a reason by few, and never by nonsense."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import User
from rollback import evaluate, triggers
from rollback.audit import Actor
from rollback.console import triggers as pages
from rollback.domain.triggers import Evidence, Rule, as_json, judge
from rollback.models import Heartbeat, Judgment, Trigger, TriggerVersion
from rollback.triggers import TriggerRefused
from tests.conftest import make_user
from tests.rollback.trigger_rows import (
    CALENDAR,
    FAULTY,
    HEALTHY,
    MASTER,
    database_clock,
    only,
    samples,
    seed_triggers,
)

LIST = "/admin/rollback/trigger/"
ERRORS = "errors-scheduling"
PERSON = Actor(name="a test")

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def boss(flag_rows: None) -> User:
    seed_triggers()
    give_permissions()
    return make_user("boss@school.example", "admin", is_staff=True)


def page(name: str = ERRORS) -> str:
    return reverse("admin:rollback_trigger_change", args=[Trigger.objects.get(name=name).pk])


def filled(name: str = ERRORS, **changes: Any) -> dict[str, Any]:
    """As the page's form would send it."""
    row = Trigger.objects.get(name=name)
    sent = {field: getattr(row, field) for field in triggers.EDITABLE}
    sent |= {"reason": "It rang too often.", "seen_version": row.version} | changes
    return {field: value for field, value in sent.items() if value is not False}


def test_the_office_sees_verdicts_and_changes_nothing(
    client: Client, staff: User, boss: User
) -> None:
    only(ERRORS, "errors-calendar")
    samples(*HEALTHY, now=database_clock())
    evaluate.tick(by="a test")
    client.force_login(staff)
    shown = client.get(LIST).content.decode()
    assert "In order" in shown
    assert re.search(r"\d+ of \d+ \([\d.]+ %\) in the last 5 min\.", shown)
    assert "Cannot be judged" in shown
    assert "Not evaluated" in shown
    assert "roll back at once: Calendar" in shown
    one = client.get(page())
    assert one.status_code == 200
    assert 'name="reason"' not in one.content.decode()
    assert client.post(page(), filled(threshold="0.5")).status_code == 403
    assert Trigger.objects.get(name=ERRORS).threshold == 0.02


@pytest.mark.parametrize(
    "said", ["OK", None, {"verdict": 7}, {"verdict": "OK", "since": "2026-99-99T00:00:00"}]
)
def test_whatever_stands_in_the_heartbeat_there_is_a_page(
    client: Client, staff: User, said: Any
) -> None:
    seed_triggers()
    Heartbeat.objects.create(name=triggers.HEARTBEAT, by="x", verdicts={ERRORS: said})
    client.force_login(staff)
    assert client.get(LIST).status_code == 200
    assert client.get(page()).status_code == 200


def test_a_change_is_a_new_version_with_its_reason(client: Client, boss: User) -> None:
    client.force_login(boss)
    done = client.post(page(), filled(threshold="0.05", is_shadow="on"))
    assert done.status_code == 302, done.content.decode()
    row = Trigger.objects.get(name=ERRORS)
    assert (row.threshold, row.is_shadow, row.version) == (0.05, True, 2)
    version = TriggerVersion.objects.get(trigger_name=ERRORS, version=2)
    assert (version.actor, version.reason) == (boss, "It rang too often.")
    assert version.rule == triggers.as_it_stands(row)
    shown = client.get(page()).content.decode()
    assert "Version 2" in shown
    assert "“It rang too often.”" in shown
    assert "threshold: 0.02 → 0.05" in shown
    assert "shadow: no → yes" in shown


def test_saving_what_stands_makes_no_version(client: Client, boss: User) -> None:
    client.force_login(boss)
    shown = client.post(page(), filled(), follow=True).content.decode()
    assert "it was so already" in shown
    assert Trigger.objects.get(name=ERRORS).version == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "This field is required"),
        ({"threshold": "2"}, "a number between 0 and 1, so 0.02 for 2 %"),
        ({"threshold": "nan"}, "Enter a number"),
        ({"threshold": "-1"}, "greater than or equal to 0"),
        ({"metric": "complaints"}, "choose “more than”"),
        ({"method": "more than"}, "any method but “more than”"),
        ({"method": "average"}, "Select a valid choice"),
        ({"window_seconds": "65"}, "Give seconds in tens"),
        ({"window_seconds": "99999990"}, "31 days"),
        ({"held_seconds": "0"}, "Give seconds in tens"),
        ({"held_seconds": "30"}, "at least as long as the window"),
        ({"method": "share above"}, "Only a sustained share has to last; give 0."),
        ({"min_total": "0"}, "A share of nothing says nothing"),
        ({"flags": []}, "Name what is taken away"),
        ({"flags": ["NO_SUCH"]}, "Select a valid choice"),
        ({"severity": "9"}, "from 1, the worst, to 4"),
        ({"cooldown_seconds": "99999999"}, "at most 2678400"),
    ],
)
def test_nonsense_is_refused_at_its_field_and_nothing_typed_is_lost(
    client: Client, boss: User, changes: Any, said: str
) -> None:
    client.force_login(boss)
    answer = client.post(page(), filled(title="My new title", **changes))
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert said in shown
    assert 'value="My new title"' in shown
    field = next(iter(changes))
    typed = changes[field]
    if isinstance(typed, str) and typed.strip() and field not in ("metric", "method"):
        assert f'value="{typed}"' in shown
    row = Trigger.objects.get(name=ERRORS)
    assert (row.version, row.threshold) == (1, 0.02)


def test_who_was_slower_is_told_and_keeps_what_they_typed(client: Client, boss: User) -> None:
    client.force_login(boss)
    mine = filled(threshold="0.07")
    other = Trigger.objects.get(name=ERRORS)
    other.threshold = 0.03
    triggers.save(wanted=other, seen_version=1, actor=PERSON, reason="quieter")
    shown = client.post(page(), mine).content.decode()
    assert "a test has changed this trigger meanwhile" in shown
    assert 'value="0.07"' in shown
    assert Trigger.objects.get(name=ERRORS).threshold == 0.03
    other.threshold = 0.09
    with pytest.raises(TriggerRefused, match="meanwhile"):
        triggers.save(wanted=other, seen_version=1, actor=PERSON, reason="again")


def test_a_trigger_whose_row_is_nonsense_can_be_seen_and_mended(client: Client, boss: User) -> None:
    Trigger.objects.filter(name=ERRORS).update(
        feature="GONE", flags=["GONE"], metric="no such", threshold=float("nan")
    )
    evaluate.tick(by="a test")
    client.force_login(boss)
    assert "There is no metric" in client.get(LIST).content.decode()
    shown = client.post(page(), filled(metric="requests", threshold="0.02")).content.decode()
    assert "There is no flag GONE" in shown
    good = filled(metric="requests", threshold="0.02", feature=CALENDAR, flags=[CALENDAR])
    assert client.post(page(), good).status_code == 302


def test_a_judgment_shows_what_it_saw(client: Client, staff: User, boss: User) -> None:
    only(ERRORS)
    Trigger.objects.update(is_shadow=True)
    samples(*FAULTY, now=database_clock())
    samples((100, 3, 1), now=database_clock(), is_on=False)
    evaluate.tick(by="a test")
    judgment = Judgment.objects.get()
    client.force_login(staff)
    assert "Out of bounds" in client.get("/admin/rollback/judgment/").content.decode()
    shown = client.get(
        reverse("admin:rollback_judgment_change", args=[judgment.pk])
    ).content.decode()
    assert "With the feature" in shown
    assert "Without it: 100 bad of 300 in 100 slots" in shown
    assert f"replay --judgment {judgment.pk}" in shown
    assert "shadow" in shown
    assert "after the last repair" not in shown
    Judgment.objects.update(evidence={**judgment.evidence, "since": "2026-01-01T00:00:00+00:00"})
    shown = client.get(
        reverse("admin:rollback_judgment_change", args=[judgment.pk])
    ).content.decode()
    assert "after the last repair" in shown
    Judgment.objects.update(evidence={"rule": "?"})
    page_of = reverse("admin:rollback_judgment_change", args=[judgment.pk])
    assert "The evidence cannot be read" in client.get(page_of).content.decode()


def test_the_specifications_triggers_are_no_nonsense(boss: User) -> None:
    for row in Trigger.objects.all():
        assert dict(triggers.wrong_with(row)) == {}, row.name
    assert {flag for row in Trigger.objects.all() for flag in row.flags} >= {MASTER, CALENDAR}


def test_a_judgment_is_said_in_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = Evidence(now=datetime(2026, 1, 1, tzinfo=UTC), number=3.0)
    rule = Rule("x", 1, "complaints", "more than", 5.0, 3600)
    finding = judge(rule, evidence)
    german = {finding.said.template: "%(number)s, nicht mehr als %(limit)s."}
    monkeypatch.setattr(pages, "_", german.__getitem__)
    kept = Judgment(words=finding.words, evidence=as_json(rule, evidence))
    assert pages.judged_in_words(kept) == "3, nicht mehr als 5."
    kept.words = "As it was said by an older version."
    assert pages.judged_in_words(kept) == kept.words
    kept.evidence = {}
    assert pages.judged_in_words(kept) == kept.words
