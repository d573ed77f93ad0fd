"""The same verdict again from what was kept, and what another threshold would have come to."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from rollback import evaluate, incidents, runner
from rollback.audit import Actor
from rollback.evaluate import ticking
from rollback.models import Incident, Judgment, Sample, Trigger
from tests.rollback.trigger_rows import (
    FAULTY,
    HEALTHY,
    MASTER,
    database_clock,
    only,
    samples,
    seed_triggers,
)

PERSON = Actor(name="a test")
ERRORS = "errors-scheduling"

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture(autouse=True)
def _rows(flag_rows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # What follows a rollback, its verification above all, has tests of its own.
    monkeypatch.setattr(ticking, "_on_its_own", lambda what, *, by: None)
    seed_triggers()
    only(ERRORS)
    runner.set_share(flag=MASTER, percent=Decimal(100), actor=PERSON, reason="a test begins")


def replay(*words: Any) -> str:
    out = StringIO()
    call_command("rollback", "replay", *[str(word) for word in words], stdout=out)
    return out.getvalue()


def rolled_back() -> Judgment:
    samples(*FAULTY, now=database_clock())
    evaluate.tick(by="a test")
    return Judgment.objects.get(action="kill")


def test_an_incident_comes_to_the_same_verdict() -> None:
    judgment = rolled_back()
    Sample.objects.all().delete()  # nothing but the evidence is needed
    Trigger.objects.update(threshold=0.9)
    shown = replay(judgment.incident_id)
    assert "BREACH again" in shown
    assert judgment.words in shown
    assert replay("--judgment", judgment.pk) == shown


@pytest.mark.parametrize("tampered", ["slots", "words", "now"])
def test_what_comes_to_something_else_is_shown_and_fails(tampered: str) -> None:
    judgment = rolled_back()
    if tampered == "slots":
        judgment.evidence["slots"] = [
            [at, seconds, total, 0] for at, seconds, total, _ in judgment.evidence["slots"]
        ]
    elif tampered == "words":
        judgment.words = "All was well."
    else:
        del judgment.evidence["now"]
    judgment.save()
    with pytest.raises(CommandError, match="something else") as refused:
        replay(judgment.incident_id)
    assert refused.value.returncode == 1
    assert "  - " in str(refused.value)
    assert "  + " in str(refused.value)


def test_every_kept_judgment_can_be_judged_again() -> None:
    """Also a malformed trigger's, and one without traffic."""
    Trigger.objects.update(is_enabled=True)
    Trigger.objects.filter(name="payments").update(metric="no such")
    Trigger.objects.filter(name="abandoned").update(threshold=float("nan"))
    evaluate.tick(by="a test")
    numbers = list(Judgment.objects.values_list("pk", flat=True))
    assert len(numbers) == Trigger.objects.count()
    for number in numbers:
        assert " again. " in replay("--judgment", number)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give one of these"),
        ((1, "--trigger", ERRORS), "Give one of these"),
        ((999_999,), "There is no incident 999999"),
        (("--judgment", 999_999), "There is no judgment 999999"),
        (("--trigger", "nothing", "--last", "1d"), "There are: abandoned"),
        (("--trigger", ERRORS), "--last 30d"),
        (("--trigger", ERRORS, "--last", "a while"), "is no span"),
        (("--trigger", ERRORS, "--last", "999d"), "at most 365d"),
        (("--trigger", ERRORS, "--last", "1d", "--threshold", "nan"), "no number"),
        (("--trigger", ERRORS, "--last", "1d", "--threshold", "7"), "between 0 and 1"),
        (("--judgment", 1, "--last", "1d"), "go with --trigger"),
        (("--trigger", "availability-conflicts", "--last", "1d"), "not how many there were"),
        (("--trigger", "database", "--last", "1d"), "not how many there were"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(words: Any, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        replay(*words)


def test_an_incident_by_hand_has_no_evidence() -> None:
    done = runner.roll_back(flags=[MASTER], incident="By hand", actor=PERSON, reason="a hunch")
    with pytest.raises(CommandError, match="opened by hand"):
        replay(done.incident.pk)


def test_another_threshold_in_the_past() -> None:
    now = database_clock()
    samples(*HEALTHY, *FAULTY, *HEALTHY, now=now)
    shown = replay("--trigger", ERRORS, "--last", "12h")
    assert "would have come to BREACH once" in shown
    assert "Above 2 % for 310 s" in shown
    assert "are minutes" in shown
    assert "BREACH 0 times" in replay("--trigger", ERRORS, "--last", "12h", "--threshold", "0.25")
    assert not Judgment.objects.exists()
    assert not Incident.objects.exists()


def test_what_is_older_than_two_days_is_judged_by_minutes() -> None:
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(days=4)
    Sample.objects.bulk_create(
        Sample(
            metric="requests", feature=MASTER, is_on=True, seconds=60,
            begins_at=start + timedelta(minutes=minute), total=600,
            bad=120 if 60 <= minute < 75 else 6,
        )
        for minute in range(180)
    )  # fmt: skip
    shown = replay("--trigger", ERRORS, "--last", "30d")
    assert "BREACH once" in shown
    assert "180 of 60 s" in shown
    assert f"{start + timedelta(minutes=66):%Y-%m-%d %H:%M}" in shown


def test_without_samples_it_says_so() -> None:
    assert "nothing could be judged" in replay("--trigger", ERRORS, "--last", "1h")


def test_complaints_are_asked_again_for_each_moment() -> None:
    from rollback.models import Complaint

    ago = timezone.now() - timedelta(hours=5)
    for number in range(6):
        Complaint.objects.create(kind="broken", text="?", reporter=f"u:{number}", reported_at=ago)
    assert "BREACH once" in replay("--trigger", "complaints", "--last", "12h")
    assert "0 times" in replay("--trigger", "complaints", "--last", "12h", "--threshold", "6")


def test_what_happened_between_two_looks_is_in_one_of_them() -> None:
    from rollback.models import Complaint

    Trigger.objects.filter(name="complaints").update(window_seconds=60)
    ago = timezone.now() - timedelta(minutes=45)
    for number in range(6):
        Complaint.objects.create(kind="broken", text="?", reporter=f"u:{number}", reported_at=ago)
    assert "BREACH once" in replay("--trigger", "complaints", "--last", "1h")


def test_evidence_that_begins_with_a_repair_comes_to_the_same_again() -> None:
    first = rolled_back()
    assert first.incident_id is not None
    incidents.resolve(incident=first.incident_id, actor=PERSON, reason="mended")
    evaluate.tick(by="a test")
    judgment = Judgment.objects.latest("pk")
    assert judgment.evidence["since"] is not None
    assert judgment.evidence["slots"] == []
    assert "UNKNOWN again" in replay("--judgment", judgment.pk)
    del judgment.evidence["since"]  # as it was kept before there was such a thing
    judgment.save()
    assert "UNKNOWN again" in replay("--judgment", judgment.pk)
