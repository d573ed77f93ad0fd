"""The whole engine, end to end, with real processes: the bench's drill with triggers of less patience."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from config.features import CALENDAR
from enrollment.models import Course
from rollback import incidents, runner
from rollback.models import Flag, FlagChange, Trigger
from rollback.runner import Actor
from tests.conftest import make_student, make_teacher
from tests.drill import drill
from tests.drill.drill import Drill, Outcome
from tests.drill.load import Load
from tests.rollback.flag_rows import seed_flags
from tests.rollback.others import address_of_this_test
from tests.rollback.trigger_rows import seed_triggers

ACTOR = Actor(name="a test")
PEOPLE = 6
IN_SECONDS = {"window_seconds": 10, "held_seconds": 10, "min_total": 10, "min_bad": 5}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


@pytest.fixture
def school(transactional_db: None, tmp_path: Path) -> Iterator[Drill]:
    seed_flags()
    seed_triggers()
    course = Course.objects.create(title="Violin", slug="violin")
    course.teachers.add(make_teacher())
    for number in range(PEOPLE):
        make_student(f"student-{number}@school.example")
    address = address_of_this_test()
    with drill.school(database_url=address, folder=tmp_path, workers=2, sample=False) as school:
        Flag.objects.update(everyone=None, percent=100)
        Trigger.objects.filter(feature=CALENDAR).update(**IN_SECONDS)
        yield school


def test_a_broken_calendar_is_found_taken_away_verified_and_written_down(school: Drill) -> None:
    with school.load(sessions=drill.sessions(PEOPLE), pause=0.4) as load:
        broken = school.run(fault="errors 0.4", load=load, within=120)
        _is_complete(broken, load, kind="errors", words="The calendar is switched off")
        # For half an hour after that no machine changes this flag: let it be over.
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE rollback_flagchange")
        incidents.resolve(incident=broken.incident.pk, actor=ACTOR, reason="mended")
        runner.restore(flag=CALENDAR, actor=ACTOR, reason="mended", percent=Decimal(100))
        slow = school.run(fault="slow 2.2", load=load, within=120)
        _is_complete(slow, load, kind="slow", words="Simplified enrollment mode active")


def _is_complete(outcome: Outcome, load: Load, *, kind: str, words: str) -> None:
    incident = outcome.incident
    assert (incident.kind, incident.is_open) == (kind, True)
    assert not outcome.errors_after
    assert outcome.fallback == "/home/"
    pages = [one.text for one in load.answers if one.status == 303]
    assert any(words in page for page in pages), pages[-1]
    changes = FlagChange.objects.filter(flag_name=CALENDAR, changed_at__gte=incident.opened_at)
    assert changes.get().actor_kind == FlagChange.Kind.AUTOMATIC
    told = list(incident.events.values_list("kind", flat=True))
    for step in ("opened", "killed", "contained", "verified", "people"):
        assert step in told, told
    assert incidents.check_chain(incident) is None
    assert incident.people.exists()
    assert incident.impact
    assert incident.verifications.filter(passed=True).exists()
    first_bad, verified = incident.first_bad_at, incident.verified_at
    assert first_bad is not None
    assert verified is not None
    assert first_bad < verified
    call_command("rollback", "replay", str(incident.pk))
