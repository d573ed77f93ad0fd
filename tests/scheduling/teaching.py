"""A teacher at their own pages, and what they type there."""

from datetime import date, time
from typing import Any

from django.test import Client

from enrollment.models import Teacher
from scheduling.models import AvailabilityException

WEEK = "/schedule/my/week/"
LESSONS = "/schedule/my/lessons/"
HOURS = "/schedule/my/hours/"
DATES = "/schedule/my/dates/"
OFF = "/schedule/my/time-off/"


def a_date(day_on: str = "2026-01-26", **fields: Any) -> dict[str, str]:
    typed = {"day_on": day_on, "kind": "replace", "starts": "", "ends": "", "note": ""}
    return typed | fields


def an_absence(from_on: str = "2026-01-26", **fields: Any) -> dict[str, str]:
    typed = {"from_on": from_on, "from_at": "", "until_on": "", "until_at": "", "reason": ""}
    return typed | fields


def exception(teacher: Teacher, day_on: str, **fields: Any) -> AvailabilityException:
    return AvailabilityException.objects.create(
        teacher=teacher, day_on=date.fromisoformat(day_on), **fields
    )


def at(clock: str) -> time:
    return time.fromisoformat(clock)


def refused(page: Any, field: str, sentence: str) -> None:
    """The page came back with the sentence at the field, and with everything that was typed."""
    assert page.status_code == 422
    form: Any = page.context["form"]
    assert any(sentence in error for error in form.errors[field]), form.errors
    assert sentence in page.content.decode().replace("&#x27;", "'")


def as_(client: Client, teacher: Teacher) -> Client:
    client.force_login(teacher.user)
    return client
