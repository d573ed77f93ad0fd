"""Probes find what is wrong, leave nothing behind, and hang nobody. Faults are real ones."""

import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import Engine
from django.urls import path
from django.utils import timezone

from config.celery import app as celery_app
from config.roles import give_permissions
from config.urls import handler400, handler404, handler500, urlpatterns
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from rollback import baselines, timings, verification
from rollback.doors import counting
from rollback.domain.verification import Found, ProbeFailed
from rollback.models import Baseline, EnrollmentDraft, ProbeResult, Verification
from rollback.probes import database, pages, rows
from rollback.verification import PROBES, Probe, VerificationRuns, verify, within_limit
from tests.architecture.matrix import snapshot
from tests.conftest import Switches, make_student, make_teacher
from tests.rollback.flag_rows import seed_flags

pytestmark = pytest.mark.django_db(transaction=True)
PASSED = {probe.name for probe in PROBES}


@pytest.fixture(autouse=True)
def school(transactional_db: Any) -> Enrollment:
    """Committed, because probes have connections of their own."""
    give_permissions()
    seed_flags()
    course = Course.objects.create(title="Violin", slug="violin")
    teacher = make_teacher()
    course.teachers.add(teacher)
    return Enrollment.objects.create(
        student=make_student(), course=course, teacher=teacher, payment_reference="2026-00017"
    )


def ask(name: str) -> verification.Outcome:
    return within_limit(next(probe for probe in PROBES if probe.name == name), None)


def words_of_failed(name: str) -> str:
    outcome = ask(name)
    assert not outcome.passed, outcome.found.words
    return outcome.found.words


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def heard(school: Enrollment) -> Iterator[list[str]]:
    """What anybody who listens is told by the database, whatever channel it is."""
    channels = ("rollback_flags", "calendar_changed", "scheduling_changed", "pgmq")
    found: list[str] = []
    with psycopg.connect(connection.get_connection_params_string, autocommit=True) as listener:  # type: ignore[attr-defined]
        for channel in channels:
            listener.execute(f'LISTEN "{channel}"')
        yield found


def test_all_is_well() -> None:
    baselines.take()
    run = verify(incident=None, by="a test")
    found = {result.probe: result for result in run.results.all()}
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    assert set(found) == PASSED
    assert run.passed is True
    assert run.ended_at is not None
    assert all(one.facts["compared"] for one in found.values())
    assert found["flow"].words == "list → course → form → sent → confirmed"
