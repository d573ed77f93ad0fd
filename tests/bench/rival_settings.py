"""django-appointment or django-scheduler as it comes, whichever RIVAL names.

The database connection has the school's own options, so that neither side is helped. What is more
than their documentation asks for serves the measuring: the zone is that of the teachers.
"""

import os

from config import environment
from tests.bench.workloads import ZONE

SECRET_KEY = "benchmark"
DATABASES = {"default": environment.database(os.environ["RIVAL_DATABASE_URL"], pooled=False)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    os.environ["RIVAL"],
]
USE_TZ = True
TIME_ZONE = ZONE
LANGUAGE_CODE = "en"
FIRST_DAY_OF_WEEK = 1
LOGGING = {"version": 1, "root": {"level": "ERROR"}}
