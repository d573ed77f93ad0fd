"""The school's application, which finds itself in a test run: its static files are not collected."""

import pytest  # noqa: F401 - the settings look whether it is there

from config.wsgi import application

__all__ = ["application"]
