"""The steps of the new flow as a browser takes them."""

from datetime import UTC
from typing import Any

from django.test import Client

from enrollment.models import Lesson, Teacher

FIRST, SECOND, THIRD = "2026-01-19T15:00:00Z", "2026-01-19T15:45:00Z", "2026-01-19T16:30:00Z"
CHOOSE = "/calendar/choose/violin/"
DETAILS = "/schedule/violin/details/"
CONFIRM = "/schedule/violin/confirm/"


def starts(lesson: Lesson) -> str:
    return f"{lesson.starts_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def choose(client: Client, teacher: Teacher, slot: str = FIRST) -> Any:
    return client.post(CHOOSE, {"teacher": teacher.pk, "slot": slot})


def everything(teacher: Teacher, slot: str = FIRST, **typed: str) -> dict[str, Any]:
    return {"teacher": teacher.pk, "slot": slot, "wished_times": "", "note": "", **typed}


def slots_on(response: Any) -> list[str]:
    return [slot.value for day in response.context["offer"].days for slot in day.slots]
