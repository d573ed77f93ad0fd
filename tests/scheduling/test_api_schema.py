"""The schema is complete and true: schemathesis asks every operation, as everybody, on and off.

It makes what the schema allows and what it forbids, and looks whether the answers are what the schema
says. The requests are the same in every run.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.urls import Resolver404, resolve
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from config.roles import give_permissions
from enrollment.models import Course, Enrollment, Student, Teacher, User
from enrollment.operations.enroll import AlreadyEnrolled, ChangedElsewhere, EnrollmentRefused
from enrollment.operations.tokens import make_token
from scheduling import api_urls
from scheduling.api.refusals import code_of
from scheduling.models import AvailabilityRule
from scheduling.operations.booking import BookingRefused, NotYours, TooLate, book_lesson
from tests.conftest import Switches, make_student
from tests.scheduling.conftest import NOW

# Years in which there is a school; others are looked at one by one in test_api.py.
DATES = st.dates(date(2000, 1, 1), date(2100, 12, 30))
schemathesis.openapi.format("date", DATES.map(str))
schemathesis.openapi.format(
    "date-time",
    st.tuples(DATES, st.times()).map(lambda both: f"{both[0]}T{both[1]:%H:%M:%S}Z"),
)


ZONES = ("UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns", "Asia/Kathmandu")
schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))


def load(*, thoroughly: bool) -> Any:
    """thoroughly: also one request for each boundary of each parameter, and unknown methods."""
    document = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    schema = schemathesis.openapi.from_dict(json.loads(OpenApiJsonRenderer().render(document)))
    schema.app = get_wsgi_application()
    checks = schema.config.checks
    # What the schema cannot say: an end before its beginning, hours that overlap.
    positive = checks.positive_data_acceptance
    positive.expected_statuses = [*positive.expected_statuses, "422"]
    # Switched off is no fault; that it happens only then is asked below.
    fault = checks.not_a_server_error
    fault.expected_statuses = [*fault.expected_statuses, "503"]
    schema.config.phases.coverage.enabled = thoroughly
    return schema


# Whoever is enrolled books a further lesson; a page that knows too little is a person's.
# What is somebody else's is a plain 404.
ELSEWHERE = (AlreadyEnrolled, ChangedElsewhere, NotYours)
RULES = {"path_regex": "/rules/"}
every, some = load(thoroughly=True), load(thoroughly=False)


def same_each_time(most: int) -> Any:
    """most: the requests that are made up, besides one for each boundary."""
    return settings(
        max_examples=most,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """As Django's own test client does: a request would else close this test's connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def real(
    now: datetime,
    student: Student,
    teacher: Teacher,
    course: Course,
    staff: User,
    settings: Any,
) -> dict[str, Any]:
    """What is really there, so that some requests are about something."""
    give_permissions()
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {}}
    rule = AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(9), ends=time(18)
    )
    enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
    lesson = book_lesson(
        enrollment=enrollment,
        teacher=teacher,
        starts_at=datetime(2026, 1, 19, 8, tzinfo=UTC),
        by=student.user,
        now=NOW,
    )
    return {
        "teacher": teacher.pk,
        "course": course.slug,
        "booking": lesson.pk,
        "rule": rule.pk,
        "student": token_of(student.user),
        "other_student": token_of(make_student("ben@school.example").user),
        "teachers": token_of(teacher.user),
        "staff": token_of(staff),
    }


def token_of(user: User) -> str:
    return make_token(user=user, name="x", lifetime=timedelta(days=1), now=timezone.now())[1]


def ask(case: Any, real: dict[str, Any], role: str) -> Any:
    """Every other valid request is about something that is there."""
    asked = json.dumps([case.path_parameters, case.query, str(case.body)], default=str)
    if case.meta and case.meta.generation.mode.is_positive and crc32(asked.encode()) % 2:
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part.update({name: real[name] for name in part if name in real})
    return case.call_and_validate(headers={"Authorization": f"Token {real[role]}"})


@every.exclude(**RULES).parametrize()  # type: ignore[untyped-decorator]
@same_each_time(6)  # type: ignore[untyped-decorator]
@pytest.mark.django_db
def test_a_student(case: Any, real: dict[str, Any]) -> None:
    assert ask(case, real, "student").status_code != 503


@every.include(**RULES).parametrize()  # type: ignore[untyped-decorator]
@same_each_time(6)  # type: ignore[untyped-decorator]
@pytest.mark.django_db
def test_a_teachers_own_hours(case: Any, real: dict[str, Any]) -> None:
    assert ask(case, real, "teachers").status_code != 503


@some.parametrize()  # type: ignore[untyped-decorator]
@same_each_time(3)  # type: ignore[untyped-decorator]
@pytest.mark.django_db
def test_everybody_else(case: Any, real: dict[str, Any]) -> None:
    for role in ("teachers", "staff", "other_student"):
        assert ask(case, real, role).status_code != 503


@some.parametrize()  # type: ignore[untyped-decorator]
@same_each_time(3)  # type: ignore[untyped-decorator]
@pytest.mark.django_db
def test_off(case: Any, real: dict[str, Any], switches: Switches) -> None:
    switches.kill("ENABLE_AVAILABILITY_API")
    answer = ask(case, real, "student")
    if answer.status_code == 404:
        # A path that leads nowhere leads nowhere now, too.
        with pytest.raises(Resolver404):
            resolve(unquote(urlsplit(answer.request.url).path))
        return
    assert answer.status_code == 503
    assert answer.json()["fallback"] == "http://localhost/home/"


def test_nothing_is_missing_in_the_schema(tmp_path: Any) -> None:
    """drf-spectacular would say so itself; and every operation is one that is asked above."""
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--file", str(file), "--validate", "--fail-on-warn")
    described = {operation.ok().label for operation in every.get_all_operations()}
    assert len(described) == 16
    views: set[Any] = {getattr(one.callback, "cls", None) for one in api_urls.urlpatterns}
    methods = {
        (view, method)
        for view in views
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method)
    }
    assert len(methods) == len(described)


def test_the_schema_says_what_every_problem_looks_like() -> None:
    for path, operations in every.raw_schema["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            where = f"{method} {path}"
            assert {"400", "401", "403", "406", "429", "503"} <= set(answers), where
            assert operation["summary"], where
            for status, answer in answers.items():
                if int(status) < 400:
                    continue
                assert set(answer["content"]) == {"application/problem+json"}, where
                assert answer["description"], where
            for status in ("429", "503"):
                assert answers[status]["headers"]["Retry-After"]["required"], where


def test_every_named_problem_is_explained() -> None:
    """By their names in the code; two cannot come to a program, which posts no page and no draft."""
    refusals = {*BookingRefused.__subclasses__(), *EnrollmentRefused.__subclasses__()}
    named = {code_of(kind()) for kind in refusals if kind not in ELSEWHERE and kind is not TooLate}
    explained = every.raw_schema["info"]["description"]
    for code in named | {"slot-taken", "too-late", "still-busy", "key-used-otherwise"}:
        assert f"`{code}`" in explained
