"""With scheduling's and holidays' tables in the archive and their code still deployed, the school goes on."""

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from celery.exceptions import Ignore
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from structlog.testing import capture_logs

from config.celery import app as celery
from enrollment.models import Course, Enrollment, Lesson
from enrollment.operations.import_school.run import ImportRefused, import_school
from rollback import affected, registry, switchboard, verification
from rollback.blast import blast
from rollback.doors import words
from rollback.health import exported, ready
from rollback.models import Incident
from rollback.schema import reverse as schema
from tests.architecture.matrix import API, GET, Asking, Row, School, build, data_of, path_of
from tests.architecture.test_permissions import ROWS
from tests.rollback.archiving import APPS, all_flags_on, archived

pytestmark = [pytest.mark.django_db(transaction=True)]

# Who gets in where others do, and what they are let do: the superuser sees every page of the office.
WALKERS = ("anonymous", "student", "teacher", "superuser")
MAY_ANSWER_503 = (API, "/calendar/feed/", "/watch/alive")


@pytest.fixture
def school(real_switchboard: switchboard.Switchboard) -> Iterator[School]:
    """All flags are up: what is off is off because its tables are away."""
    all_flags_on()
    made = build()
    with archived():
        switchboard.board.refresh()
        assert not any(switchboard.is_on_for_anyone(one.flag) for one in registry.features())
        yield made


def is_of_a_feature(path: str) -> bool:
    return path.startswith(
        ("/schedule/", "/calendar/", "/holidays/", *(f"/admin/{app}/" for app in APPS))
    )


def is_asked(role: str, row: Row, path: str) -> bool:
    """Where something may be looked up: nobody else gets into the office, and nobody's forms are not read."""
    office = path.startswith("/admin/")
    if role == "superuser":
        return office and (row.method == GET or row.name.endswith("_delete"))
    return not office and (role != "anonymous" or row.method == GET)


@pytest.mark.parametrize("role", WALKERS)
def test_every_page_answers_everybody(school: School, role: str) -> None:
    """And none of them asked a table that is away, to be saved by the gate."""
    wrong, away = [], 0
    ask = Asking(school.people[role])
    with capture_logs() as logged:
        for row in ROWS:
            path = path_of(row, school.things)
            if not is_asked(role, row, path):
                continue
            response, _changed = ask(path, row.method, data_of(row, school.things))
            if path.startswith(MAY_ANSWER_503) and response.status_code == 503:
                away += 1
            elif response.status_code >= 500:
                wrong.append(f"{row.name} ({row.method} {path}): {response.status_code}")
            elif is_of_a_feature(path) and response.status_code not in (301, 302, 303):
                wrong.append(f"{row.name} ({row.method} {path}) was let in: {response.status_code}")
    assert not wrong, "\n".join(wrong)
    assert away > 3 or role == "superuser"
    assert [one for one in logged if one["event"] == "gate.broken"] == []


def test_what_works_by_itself_goes_on(school: School) -> None:
    """Every task of the beat but the features', and every question that machines ask."""
    done, skipped = [], []
    celery.loader.import_default_modules()
    with capture_logs() as logged:
        for entry in settings.CELERY_BEAT_SCHEDULE.values():
            task = celery.tasks[str(entry["task"])]
            try:
                task()
            except Ignore:
                skipped.append(task.name)
            else:
                done.append(task.name)
    assert skipped
    assert all(name.startswith(("scheduling.", "holidays.")) for name in skipped)
    assert not [name for name in done if name.startswith(("scheduling.", "holidays."))]
    assert [one for one in logged if one["event"] == "gate.broken"] == []

    # The migrations were undone on purpose: nobody is to apply them because a machine asks.
    assert "migrations" not in ready.reasons()
    assert b"school_feature_people" in exported.text()
    assert blast(flags=[], percent=Decimal(0), now=timezone.now()).users == 0
    affected.freeze(Incident.objects.get())
    out = StringIO()
    call_command("find_conflicts", stdout=out)
    call_command("rollback", "status", stdout=out)
    call_command("rollback", "who", "ada@school.example", stdout=out)
    assert "Its tables are in the archive." in " ".join(out.getvalue().split())


def test_verification_passes(school: School) -> None:
    for probe in verification.PROBES:
        if probe.name != "processes":
            outcome = verification.within_limit(probe, None)
            assert outcome.passed, f"{probe.name}: {outcome.found.words}"


def test_the_words_promise_nothing_that_an_archive_cannot_keep(
    school: School, client: Client
) -> None:
    student, root = school.people["student"], school.people["superuser"]
    assert student is not None
    assert root is not None
    client.force_login(student)
    page = client.get("/holidays/", follow=True).content.decode()
    assert str(words.ARCHIVED) in page
    assert "still count" not in page
    client.force_login(root)
    for app in ("scheduling/timeoff/", "holidays/holiday/"):
        response = client.get(f"/admin/{app}", follow=True)
        assert response.redirect_chain[-1][0] == "/admin/"
        assert "is in the archive since" in response.content.decode()
    for model in ("timeoff", "holiday"):
        kind = ContentType.objects.get(model=model).pk
        assert client.get(f"/admin/r/{kind}/1/").status_code == 303
    for nonsense in ("x", "99999999999999999999", "0"):
        assert client.get(f"/admin/r/{nonsense}/1/").status_code == 404
    # Listed, with that word.
    assert "Scheduling: in the archive" in client.get("/admin/").content.decode()


def test_the_office_plans_by_hand_and_a_student_enrolls(school: School, client: Client) -> None:
    root, student = school.people["superuser"], school.people["other_student"]
    assert root is not None
    assert student is not None
    enrollment, teacher = school.things["enrollment"], school.things["enrollment.teacher"]
    answers = {
        "enrollment": enrollment,
        "teacher": teacher,
        "local_on": "2031-03-10",
        "local_start": "16:00",
    }
    client.force_login(root)
    assert client.post("/admin/enrollment/lesson/add/", answers).status_code == 302
    assert Lesson.objects.get(local_on="2031-03-10").status == "planned"
    client.force_login(student)
    response = client.post("/courses/course-2/enroll/", {"note": "Mondays"})
    made = Enrollment.objects.get(student__user=student)
    assert response["Location"] == f"/enrollments/{made.pk}/"
    assert (made.flow, made.note) == ("original", "Mondays")


def test_programs_are_told_to_come_again(school: School, client: Client) -> None:
    student = school.people["student"]
    assert student is not None
    client.force_login(student)
    response = client.get("/api/v1/availability/teachers/")
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "300"


def test_a_file_of_a_table_that_is_away_is_refused_and_the_others_are_imported(
    school: School, tmp_path: Path
) -> None:
    (tmp_path / "courses.csv").write_text("title,slug\nCello,cello\n", encoding="utf-8")
    hours = tmp_path / "availability.csv"
    hours.write_text("teacher,weekday,starts,ends\nmarta@school.example,Monday,09:00,10:00\n")
    with pytest.raises(ImportRefused) as refused:
        import_school(folder=tmp_path, now=timezone.now())
    (problem,) = refused.value.problems
    assert (problem.file, "is in the archive" in problem.hint) == ("availability.csv", True)
    hours.unlink()
    import_school(folder=tmp_path, now=timezone.now())
    assert Course.objects.filter(slug="cello").exists()


def test_a_start_leaves_the_archive_alone(school: School) -> None:
    out = StringIO()
    call_command("setup", stdout=out)
    assert "The tables of scheduling are in the archive" in out.getvalue()
    assert not schema.present(APPS)
