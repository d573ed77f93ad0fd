"""htmx: a redirect is the page's, a part is never shown as a page, the CSP stays strict."""

import json
import re

import pytest
from django.test import Client

from enrollment.models import Course, Student, Teacher
from tests.conftest import Switches

pytestmark = pytest.mark.django_db
CHOOSE, ORIGINAL = "/calendar/choose/violin/", "/courses/violin/enroll/"
PART = {"HX-Request": "true"}


@pytest.fixture
def as_student(client: Client, student: Student, course: Course) -> Client:
    client.force_login(student.user)
    return client


def test_whoever_a_door_turns_away_is_led_there_as_a_page(
    as_student: Client, switches: Switches
) -> None:
    switches.kill()
    answer = as_student.get(CHOOSE, headers=PART)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, ORIGINAL)
    assert "Location" not in answer
    assert answer["Cache-Control"] == "no-store"
    assert answer.content == b""
    home = as_student.get("/calendar/", headers=PART)
    assert home["HX-Redirect"] == "/home/"
    # The words wait for that page.
    assert "as a plain list" in as_student.get("/home/", follow=True).content.decode()


def test_so_is_whoever_has_been_logged_out(client: Client, course: Course) -> None:
    answer = client.get(f"{CHOOSE}?day=2026-12-03", headers=PART)
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/accounts/login/?next=/calendar/choose/violin/")
    assert client.get(CHOOSE).status_code == 302


def test_a_part_is_no_page_to_any_cache(as_student: Client, teacher: Teacher) -> None:
    page, part = as_student.get(CHOOSE), as_student.get(CHOOSE, headers=PART)
    assert "<html" in page.content.decode()
    assert "<html" not in part.content.decode()
    for answer in (page, part):
        assert "HX-Request" in answer["Vary"]
        assert "no-store" in answer["Cache-Control"]


def test_only_pages_that_use_it_load_it_and_none_may_do_more_for_it(
    as_student: Client, teacher: Teacher
) -> None:
    page = as_student.get(CHOOSE)
    assert page.content.decode().count("django_htmx/htmx-2.min.js") == 1
    found = re.search(r"name=\"htmx-config\"\s+content='([^']*)'", page.content.decode())
    assert found is not None
    config = json.loads(found[1])
    assert not config["includeIndicatorStyles"]
    assert not config["allowEval"]
    assert config["selfRequestsOnly"]
    assert config["historyCacheSize"] == 0
    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "'self'" in policy
    assert "htmx" not in as_student.get("/").content.decode()


def test_what_htmx_posts_is_checked_as_any_form(student: Student, course: Course) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(student.user)
    assert strict.post(CHOOSE, {"slot": "x"}, headers=PART).status_code == 403
