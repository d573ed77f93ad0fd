"""Settings that were wrong once, and what they would cost."""

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from enrollment.models import Student


@pytest.mark.django_db
def test_nobody_can_push_rate_limits_out_of_the_cache() -> None:
    for number in range(1000):
        cache.set(f"counter-{number}", number)
    assert len(cache.get_many([f"counter-{number}" for number in range(1000)])) == 1000


def test_a_restart_does_not_put_the_reminder_off() -> None:
    """Beat forgets an interval that had begun; an hour of the day comes anyway."""
    schedule = settings.CELERY_BEAT_SCHEDULE["remind-teachers-without-hours"]["schedule"]
    assert schedule == crontab(minute="0", hour="6"), "every day at six; rows make it once a week"


def test_the_schema_is_for_those_who_may_use_the_api(client: Client, student: Student) -> None:
    assert client.get("/api/schema/").status_code == 401
    client.force_login(student.user)
    assert client.get("/api/schema/").status_code == 200
