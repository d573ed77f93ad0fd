"""The school's application with a calendar that can be broken from outside, as a bad release would be.

FAULT_FILE holds "errors 0.2" (a fifth of the calendar's pages raise) or "slow 2.5" (each takes so many
seconds longer); empty, it is whole. The views are wrapped, not the doors: these must see it happen.
"""

import os
import random
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest  # noqa: F401 - the settings look whether it is there
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver

from config.wsgi import application

__all__ = ["application"]

FAULT = Path(os.environ["FAULT_FILE"])
View = Callable[..., HttpResponse]


class Injected(Exception):
    pass


def _faulty(view: View) -> View:
    @wraps(view)
    def broken(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        kind, _, size = FAULT.read_text().partition(" ")
        if kind == "errors" and random.random() < float(size):
            raise Injected
        if kind == "slow":
            time.sleep(float(size))
        return view(request, *args, **kwargs)

    return broken


def _break(patterns: list[Any]) -> None:
    for one in patterns:
        if getattr(one, "namespace", None) == "calendar":
            for page in one.url_patterns:
                page.callback = _faulty(page.callback)
        elif hasattr(one, "url_patterns"):
            _break(one.url_patterns)


_break(get_resolver().url_patterns)
