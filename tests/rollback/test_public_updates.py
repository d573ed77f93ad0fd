"""What the public is told: in which order, in which words, when, and that it stands in the timeline."""

import re
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.db import connection
from django.utils import timezone

from enrollment.models import User
from rollback import incidents
from rollback.audit import Actor, ChangeRefused, actor_of
from rollback.domain.incidents import IncidentState
from rollback.domain.public import (
    PUBLIC_STEPS,
    Cadence,
    PublicState,
    Said,
    fitting,
    may_follow,
    next_word,
    speaks_by_itself_at,
)
from rollback.models import Incident, IncidentEvent, OnCallPolicy, PublicUpdate
from rollback.public import first, updates
from rollback.public.updates import UpdateRefused, Words

OFFICE = Actor(name="office")
MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
TEXTS = {code: Words(heading=f"Heading {code}", text=f"Text {code}") for code in ("en", "de", "es")}

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(flag_rows: Any, admin: User) -> Incident:
    return incidents.open_with_latches(
        title="Calendar: errors", flags=[CALENDAR], actor=OFFICE, cause="test"
    )


@pytest.fixture
def case(flag_rows: Any) -> Incident:
    found = incidents.open_case(title="Complaints", flags=[CALENDAR], actor=OFFICE, cause="test")
    assert found is not None
    return found


def publish(incident: Incident, state: str = "investigating", **more: Any) -> PublicUpdate:
    given: dict[str, Any] = {"actor": OFFICE, "now": timezone.now(), "texts": TEXTS}
    return updates.publish(incident=incident.pk, state=state, **given | more)


def resolve(incident: Incident, admin: User) -> None:
    incidents.resolve(incident=incident.pk, actor=actor_of(admin), reason="mended")
    incident.refresh_from_db()


def test_the_letters_speak_each_language_of_what_was_taken_away(incident: Incident) -> None:
    next_at = timezone.now() + timedelta(minutes=20)
    update = publish(incident, texts=None, next_at=next_at, news={"de": "Wir sind dran."})
    assert set(update.texts) == set(update.headings) == {"en", "de", "es"}
    assert "Calendar" in update.headings["en"]
    assert "Kalender" in update.headings["de"]
    assert "Wir sind dran." in update.texts["de"]
    assert "Wir sind dran." not in update.texts["en"]
    said = timezone.localtime(next_at).strftime("%H:%M")
    assert all(said in text for text in update.texts.values())
    # For a page: no mail's closing, no gap, no markup.
    for text in (*update.texts.values(), *update.headings.values()):
        assert not re.search(r"[{}<>]|answer this mail", text)
    assert update.components == ["calendar"]


def test_it_stands_in_the_timeline_with_what_was_published(incident: Incident, admin: User) -> None:
    update = publish(incident, actor=actor_of(admin))
    event = incident.events.get(kind=IncidentEvent.Kind.PUBLISHED)
    assert event.payload == {"update": update.pk, "state": "investigating"}
    assert event.actor == update.published_by == admin
    assert incidents.check_chain(incident) is None


def test_a_refused_update_leaves_nothing(incident: Incident) -> None:
    with pytest.raises(UpdateRefused):
        publish(incident, texts={**TEXTS, "es": Words(heading="", text="x")})
    assert not PublicUpdate.objects.exists()
    assert not incident.events.filter(kind=IncidentEvent.Kind.PUBLISHED).exists()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"texts": {**TEXTS, "de": Words(heading=" ", text="x")}}, "heading_de"),
        ({"texts": {**TEXTS, "de": Words(heading="x", text="\n")}}, "text_de"),
        ({"texts": {**TEXTS, "es": Words(heading="x", text="y" * 1001)}}, "text_es"),
        ({"texts": {**TEXTS, "es": Words(heading="x" * 121, text="y")}}, "heading_es"),
        ({"texts": {"en": TEXTS["en"]}}, "text_de"),
        ({"texts": {**TEXTS, "es": Words(heading="x", text="y\x0bz")}}, "text_es"),
        ({"texts": {**TEXTS, "es": Words(heading="x\x08y", text="z")}}, "heading_es"),
        ({"next_at": timezone.now() - timedelta(minutes=1)}, "next_at"),
        ({"components": []}, "components"),
        ({"components": ["kitchen"]}, "components"),
        ({"state": "resolved"}, "state"),
        ({"state": "rumored"}, "state"),
        ({"state": "rumored", "texts": None}, "state"),
        ({"seen": 4711}, "state"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    incident: Incident, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(UpdateRefused) as refused:
        publish(incident, **more)
    assert field in refused.value.errors
    assert refused.value.errors[field]


def test_a_character_that_nobody_sees_is_named_with_its_line(incident: Incident) -> None:
    odd = {**TEXTS, "de": Words(heading="Zeile", text="eins\n\tzwei\ndr\x0cei")}
    with pytest.raises(UpdateRefused) as refused:
        publish(incident, texts=odd)
    assert "U+000C, in line 3" in refused.value.errors["text_de"]
    assert publish(incident, texts={**TEXTS, "de": Words(heading="Zeile", text="a\n\tb")})


def test_a_second_author_reads_first_what_the_first_one_said(incident: Incident) -> None:
    one = publish(incident, seen=0)
    with pytest.raises(UpdateRefused, match="meanwhile"):
        publish(incident, state="identified", seen=0)
    publish(incident, state="identified", seen=one.pk)
    assert [update.state for update in incident.public_updates.all()] == [
        "identified",
        "investigating",
    ]


def test_it_is_over_for_the_public_when_it_is_over(incident: Incident, admin: User) -> None:
    publish(incident)
    resolve(incident, admin)
    with pytest.raises(UpdateRefused, match="resolved"):
        publish(incident, state="monitoring")
    publish(incident, state="resolved")
    publish(incident, state="resolved")  # a correction
    with pytest.raises(UpdateRefused) as refused:
        publish(incident, state="resolved", next_at=timezone.now() + timedelta(hours=1))
    assert set(refused.value.errors) == {"next_at"}


def test_no_such_incident(flag_rows: Any) -> None:
    with pytest.raises(ChangeRefused, match="no incident"):
        updates.publish(
            incident=4711, state="investigating", actor=OFFICE, now=timezone.now(), texts=TEXTS
        )


def test_a_case_is_about_its_feature_and_another_about_the_school(case: Incident) -> None:
    assert updates.parts_of(case) == ["calendar"]
    other = incidents.open_case(title="Odd", flags=[], actor=OFFICE, cause="")
    assert other is not None
    assert updates.parts_of(other) == ["school"]


# ------------------------------------------------------------ the order


def test_every_state_has_a_row_and_the_models_names() -> None:
    assert set(PUBLIC_STEPS) == set(PublicState)
    assert set(PublicUpdate.State.values) == set(PublicState) - {PublicState.UNSAID}


@pytest.mark.parametrize("before", list(PublicState))
@pytest.mark.parametrize("is_open", [True, False])
def test_the_last_word_is_the_resolved_ones(before: PublicState, is_open: bool) -> None:
    after = may_follow(before, is_open=is_open)
    assert (PublicState.RESOLVED in after) is not is_open
    assert PublicState.UNSAID not in after
    if before is PublicState.RESOLVED:
        assert set(after) <= {PublicState.RESOLVED}
    else:
        assert after


@pytest.mark.parametrize(
    ("state", "before", "word"),
    [
        (IncidentState.OPEN, "unsaid", "investigating"),
        (IncidentState.ACKNOWLEDGED, "investigating", "investigating"),
        (IncidentState.CONTAINED, "investigating", "identified"),
        (IncidentState.VERIFIED, "unsaid", "monitoring"),
        (IncidentState.ACKNOWLEDGED, "monitoring", "monitoring"),
        (IncidentState.RESOLVED, "monitoring", "resolved"),
        (IncidentState.REVIEWED, "unsaid", "resolved"),
    ],
)
def test_the_word_that_fits(state: IncidentState, before: str, word: str) -> None:
    assert fitting(state, before=before, is_taken_on=True) == word


def test_a_machine_that_has_switched_off_does_not_know_what_is_wrong() -> None:
    said = fitting(IncidentState.CONTAINED, before="unsaid", is_taken_on=False)
    assert said is PublicState.INVESTIGATING


# ------------------------------------------------------------ the cadence

NOW = timezone.now()


def due(**given: Any) -> Any:
    facts = {
        "opened_at": NOW,
        "resolved_at": None,
        "takes_away": True,
        "said": None,
        "cadence": Cadence(),
    }
    return next_word(**facts | given)


def test_the_first_word_is_due_five_minutes_after_the_opening() -> None:
    word = due()
    assert (word.at, word.is_first, word.is_last) == (NOW + timedelta(minutes=5), True, False)
    assert not word.is_late(NOW + timedelta(minutes=5))
    assert word.is_late(NOW + timedelta(minutes=5, seconds=1))


def test_the_next_is_due_when_it_was_promised_and_never_later_than_twenty_minutes() -> None:
    said = Said(state="investigating", at=NOW)
    assert due(said=said).at == NOW + timedelta(minutes=20)
    for promised, at in ((10, 10), (90, 20)):
        said = Said(state="identified", at=NOW, next_at=NOW + timedelta(minutes=promised))
        assert due(said=said).at == NOW + timedelta(minutes=at)


def test_after_the_resolution_the_last_word_is_due_within_five_minutes() -> None:
    said = Said(state="monitoring", at=NOW)
    word = due(said=said, resolved_at=NOW + timedelta(minutes=2))
    assert (word.at, word.is_last) == (NOW + timedelta(minutes=7), True)
    assert due(said=Said(state="resolved", at=NOW), resolved_at=NOW) is None


def test_nothing_is_due_where_nothing_was_taken_away_or_nobody_has_heard_of_it() -> None:
    assert due(takes_away=False) is None
    assert due(resolved_at=NOW) is None
    # What was begun by hand goes on.
    assert due(takes_away=False, said=Said(state="investigating", at=NOW)) is not None


def test_the_schools_own_patience_counts() -> None:
    cadence = updates.cadence_of(OnCallPolicy(first_update_minutes=3, update_minutes=7))
    assert due(cadence=cadence).at == NOW + timedelta(minutes=3)
    assert due(cadence=cadence, said=Said(state="identified", at=NOW)).at == NOW + timedelta(
        minutes=7
    )
    assert speaks_by_itself_at(NOW, cadence) == NOW + timedelta(minutes=2.5)
    assert speaks_by_itself_at(NOW, Cadence(first=timedelta())) == NOW


# ------------------------------------------------------------ by itself


@pytest.fixture
def wanted(incident: Incident) -> OnCallPolicy:
    OnCallPolicy.objects.all().delete()
    return OnCallPolicy.objects.create(by_itself=["investigating"])


def grown_old(incident: Incident, **ago: float) -> None:
    """Triggers keep what an incident began with, so the test has to be the database's owner."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE rollback_incident SET opened_at = now() - %s::interval WHERE id = %s",
            [f"{timedelta(**ago).total_seconds()} seconds", incident.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_the_house_says_the_first_word_in_time_and_once(
    incident: Incident, wanted: OnCallPolicy
) -> None:
    assert first.look(by="beat") == 0  # somebody may still do it better
    grown_old(incident, minutes=4, seconds=31)
    assert first.look(by="beat") == 1
    assert first.look(by="beat") == 0
    [update] = incident.public_updates.all()
    assert update.state == "investigating"
    assert update.published_by is None
    assert update.next_at is not None
    incident.refresh_from_db()
    assert update.published_at - incident.opened_at < timedelta(minutes=5)
    assert incidents.check_chain(incident) is None


def test_it_says_nothing_unasked_nor_of_a_case_nor_of_what_is_over(
    incident: Incident, case: Incident, admin: User, wanted: OnCallPolicy
) -> None:
    grown_old(case, minutes=6)
    grown_old(incident, minutes=6)
    OnCallPolicy.objects.update(by_itself=["enrollment"])
    assert first.look(by="beat") == 0
    OnCallPolicy.objects.update(by_itself=["investigating"])
    grown_old(incident, days=2)
    assert first.look(by="beat") == 0
    grown_old(incident, minutes=6)
    resolve(incident, admin)
    assert first.look(by="beat") == 0
    assert not PublicUpdate.objects.exists()


def test_one_whose_words_break_does_not_silence_another(
    incident: Incident, wanted: OnCallPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = incidents.open_with_latches(title="API", flags=[MASTER], actor=OFFICE, cause="test")
    for one in (incident, other):
        grown_old(one, minutes=6)
    prefilled = updates.prefilled

    def breaks(found: Incident, *args: Any, **more: Any) -> Any:
        if found.pk == incident.pk:
            raise RuntimeError("a letter with a gap")
        return prefilled(found, *args, **more)

    monkeypatch.setattr(updates, "prefilled", breaks)
    with structlog.testing.capture_logs() as logs:
        assert first.look(by="beat") == 1
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["public.broken"]
    assert other.public_updates.count() == 1
    assert not incident.public_updates.exists()


@pytest.mark.django_db(transaction=True)
def test_the_first_word_waits_for_nothing_else_that_follows_a_tick(
    real_switchboard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rollback.evaluate import ticking

    looked: list[str] = []
    monkeypatch.setattr(first, "look", lambda *, by: looked.append(by))
    with ticking._following:  # somebody is at all that
        ticking.say_first(by="beat")
    assert looked == ["beat"]
