"""The Celery application. Every task runs through rollback's door."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("school", task_cls="rollback.doors.worker:FeatureTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
