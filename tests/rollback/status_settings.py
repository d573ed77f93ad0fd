"""The school's settings, in a process that finds itself in a test run: its static files are not collected."""

import pytest  # noqa: F401 - the settings look whether it is there

from config.settings import *  # noqa: F403
