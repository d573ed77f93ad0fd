"""Choosing a language: of this browser, and of the person, whose mails are written in it."""

from contextlib import suppress

from django.http import HttpRequest, HttpResponseBase
from django.views import i18n

from enrollment.models import User
from enrollment.operations.people import UnknownLanguage, choose_language


def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's, which knows the browser only. A language that the school does not have is not chosen."""
    if request.method == "POST" and isinstance(request.user, User):
        with suppress(UnknownLanguage):
            choose_language(user=request.user, language=request.POST.get("language", ""))
    return i18n.set_language(request)
