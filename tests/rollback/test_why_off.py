"""Why a feature is off decides what people read: the words of S3 when it was too slow."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from enrollment.models import Course, Lesson, Student, Teacher
from enrollment.operations.lessons import hold_slot
from rollback import drafts, incidents, runner
from rollback.doors.words import SIMPLIFIED
from rollback.models import EnrollmentDraft, Incident
from rollback.runner import Actor
from tests.conftest import Switches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

CALENDAR, MASTER = "ENABLE_CALENDAR_DISPLAY", "ENABLE_TEACHER_SCHEDULING"
S1 = "Technical update in progress."
S3 = "Simplified enrollment mode active. Full scheduling features will return shortly."
MACHINE = Actor(name="a watch", automatic=True)
CHOOSE, ORIGINAL = "/calendar/choose/violin/", "/courses/violin/enroll/"


def test_the_sentence_is_the_specifications() -> None:
    assert str(SIMPLIFIED) == S3


def gone(switches: Switches, flag: str = CALENDAR, kind: str = Incident.Kind.SLOW) -> Incident:
    done = runner.roll_back(flags=[flag], incident="x", actor=MACHINE, reason="3 s", kind=kind)
    switches.kill(flag)
    return done.incident


@pytest.fixture
def as_student(client: Client, student: Student, course: Course) -> Client:
    client.force_login(student.user)
    return client


@pytest.mark.parametrize("flag", [CALENDAR, MASTER])
def test_too_slow_leads_to_the_original_form_with_its_words_and_the_draft(
    as_student: Client, switches: Switches, teacher: Teacher, flag: str
) -> None:
    gone(switches, flag)
    answer = as_student.post(CHOOSE, {"teacher": teacher.pk, "note": "so far"})
    assert (answer.status_code, answer["Location"]) == (303, ORIGINAL)
    for _look in range(2):
        page = as_student.get(ORIGINAL).content.decode()
        assert S3 in page
        assert S1 not in page
        assert "so far" in page


def test_who_has_not_begun_reads_it_once(as_student: Client, switches: Switches) -> None:
    gone(switches)
    assert S3 in as_student.get(CHOOSE, follow=True).content.decode()
    assert S3 not in as_student.get(ORIGINAL).content.decode()
    assert not EnrollmentDraft.objects.exists()


def test_the_plain_list_says_it_too(as_student: Client, switches: Switches) -> None:
    gone(switches)
    page = as_student.get("/calendar/", follow=True)
    assert page.request["PATH_INFO"] == "/my/courses/"
    assert S3 in page.content.decode()


@pytest.mark.parametrize("kind", [Incident.Kind.OTHER, "of a later release"])
def test_anything_else_has_the_usual_words(
    as_student: Client, switches: Switches, kind: str
) -> None:
    gone(switches, kind=kind)
    as_student.post(CHOOSE, {"note": "so far"})
    page = as_student.get(ORIGINAL).content.decode()
    assert S1 in page
    assert S3 not in page
    assert "as a plain list" in as_student.get("/calendar/", follow=True).content.decode()


def test_the_newest_incident_counts_and_a_resolved_one_does_not(
    switches: Switches, admin: object
) -> None:
    assert incidents.holding([CALENDAR, MASTER]) is None
    slow = gone(switches)
    assert incidents.holding([CALENDAR, MASTER]) == (slow.pk, "slow")
    usual = gone(switches, MASTER, kind="")
    assert incidents.holding([CALENDAR, MASTER]) == (usual.pk, "")
    assert incidents.holding([CALENDAR]) == (slow.pk, "slow")
    boss = Actor(name="boss", user=admin)
    incidents.resolve(incident=slow.pk, actor=boss, reason="An index.")
    assert incidents.holding([CALENDAR]) is None


def test_without_the_database_only_the_words_are_lost(
    client: Client, switches: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_flags: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(incidents, "holding", lost)
    switches.kill(CALENDAR)
    assert client.get(CHOOSE)["Location"] == ORIGINAL


def test_the_rest_of_the_flow_goes_on_without_the_calendar(
    as_student: Client, switches: Switches, teacher: Teacher, hold: Lesson
) -> None:
    """Who holds a time confirms it; who has none gets the original form from wherever they come."""
    switches.kill(CALENDAR)
    resume = reverse("scheduling:resume", args=["violin"])
    assert as_student.get(resume)["Location"] == "/schedule/violin/details/"
    assert as_student.get("/schedule/violin/details/").status_code == 200
    Lesson.objects.all().delete()
    EnrollmentDraft.objects.update(answers={"note": "so far"})
    page = as_student.get(resume, follow=True)
    assert [url for url, _status in page.redirect_chain] == [CHOOSE, ORIGINAL]
    assert "so far" in page.content.decode()
    assert S1 in page.content.decode()
    assert as_student.get("/schedule/violin/confirm/")["Location"] == CHOOSE


@pytest.fixture
def hold(student: Student, course: Course, teacher: Teacher) -> Lesson:
    now = timezone.now()
    at = (now + timedelta(days=3)).replace(second=0, microsecond=0)
    answers = {"teacher": str(teacher.pk), "slot": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    drafts.save(student=student, course=course, answers=answers, now=now, step="details")
    return hold_slot(student=student, course=course, teacher=teacher, starts_at=at, now=now)
