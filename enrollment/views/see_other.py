from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, resolve_url


def see_other(name: str, *args: Any, at: str = "") -> HttpResponse:
    """303: the browser asks with GET, whatever it did before. at: a place on that page."""
    response = redirect(resolve_url(name, *args) + at)
    response.status_code = 303
    return response
