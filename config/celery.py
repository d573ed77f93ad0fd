"""The Celery application. Every task runs through rollback's door."""

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("school", task_cls="rollback.doors.worker:FeatureTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_kwargs: Any) -> None:
    """Celery would else take the root logger for itself: the lines of tasks would lose what is bound."""
