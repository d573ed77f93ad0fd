"""The login, for pages on which something is typed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _


def login_first(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """`login_required`; whoever posts without a session is told that this was not saved.

    Nobody knows whose it is, so it cannot be kept; the login leads back to the page.
    """
    guarded = login_required(view)

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and not request.user.is_authenticated:
            messages.warning(
                request,
                _(
                    "You were logged out, so the last page could not be saved. Log in again: "
                    "you come back to it, with what was saved before."
                ),
            )
        return guarded(request, *args, **kwargs)

    return page
