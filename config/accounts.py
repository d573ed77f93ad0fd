"""Signing up: who does it by themselves becomes a student. Teachers and staff are entered by the office."""

import zoneinfo
from contextlib import suppress
from functools import cache
from itertools import groupby
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from config.context import school_name
from enrollment.models import Student, User
from enrollment.models.people import validate_address
from enrollment.operations.people import UnknownLanguage, choose_language
from enrollment.queries.people import language_of

# Leaves out what is no place (Etc, SystemV) and what has a better name (US/Pacific). Old names such as
# Asia/Calcutta stay: browsers still report them.
REGIONS = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}
ZONE_OPTION = '<option value="{}">{}</option>'


@cache
def zone_choices() -> list[tuple[Any, Any]]:
    """Every place, grouped by region, as a select's choices; UTC first."""
    names = sorted(
        name for name in zoneinfo.available_timezones() if name.partition("/")[0] in REGIONS
    )
    regions = groupby(names, key=lambda name: name.partition("/")[0])
    grouped = [
        (REGIONS[region], [(name, _place(name)) for name in names]) for region, names in regions
    ]
    return [("UTC", "UTC"), *grouped]


def _place(name: str) -> str:
    """America/Argentina/Buenos_Aires reads as “Buenos Aires, Argentina”."""
    _region, *inner = name.replace("_", " ").split("/")
    return ", ".join(reversed(inner))


@cache
def _zone_options(language: str | None) -> SafeString:
    """The select's inside with nothing chosen yet, once for each process and language."""
    utc, *regions = zone_choices()
    groups = ((region, format_html_join("", ZONE_OPTION, zones)) for region, zones in regions)
    return format_html(ZONE_OPTION, *utc) + format_html_join(
        "", '<optgroup label="{}">{}</optgroup>', groups
    )


class ZoneSelect(forms.Select):
    """Django renders a template for each of the six hundred options: 20 ms of every sign-up page."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        tag = flatatt(self.build_attrs(self.attrs, {"name": name, **(attrs or {})}))
        return format_html("<select{}>{}</select>", tag, self._options(value))

    def _options(self, value: Any) -> SafeString:
        """What was posted may be anything; where it is no zone, nothing is found to be chosen."""
        option = format_html('<option value="{}"', value)
        options = _zone_options(get_language())
        return mark_safe(options.replace(f"{option}>", f"{option} selected>", 1))  # noqa: S308


class SignupNames(forms.Form):
    """What the school asks beside e-mail and password; allauth builds its sign-up form on top."""

    first_name = forms.CharField(
        label=_("First name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        label=_("Last name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )
    zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("Lesson times are shown on this clock."),
        choices=zone_choices,
        widget=ZoneSelect,
    )
    field_order = ("first_name", "last_name", "email", "password1", "password2", "zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["zone"]
        zone.initial = settings.TIME_ZONE
        # zone.js may replace the school's zone by the browser's, but never what somebody has chosen.
        zone.widget.attrs["data-own-zone"] = "chosen" if self.is_bound else "guess"

    def signup(self, request: HttpRequest, user: User) -> None:
        """allauth demands it. The adapter does the work, in one transaction with the user."""


class SchoolAccounts(DefaultAccountAdapter):
    @transaction.atomic
    def save_user(
        self, request: HttpRequest, user: User, form: forms.Form, commit: bool = True
    ) -> User:
        """A user who signs up is a student, or nothing was written at all."""
        saved: User = super().save_user(request, user, form, commit=commit)
        if commit:
            _choose(saved, get_language())
            Student.objects.create(user=saved, zone=form.cleaned_data["zone"])
            saved.groups.add(Group.objects.get_or_create(name="student")[0])
        return saved

    def post_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse:
        """On a new device, pages are in the language that somebody has chosen before. Whoever has not,
        and chose one here before they logged in, has chosen it now.
        """
        response: HttpResponse = super().post_login(request, user, **how)
        if not user.language:
            _choose(user, request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME))
        elif user.language in dict(settings.LANGUAGES):
            remember_language(response, user.language)
        return response

    def clean_email(self, email: str) -> str:
        address: str = super().clean_email(email)
        validate_address(address)
        return address

    def format_email_subject(self, subject: str) -> str:
        """The sender says who writes; allauth would put the host name in front."""
        return str(subject)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the language of whom it is to. Who has chosen none, or is nobody yet, is at this page."""
        user = context.get("user") or User.objects.filter(email__iexact=email).first()
        here = get_language()
        with translation.override(language_of(user, instead=here) if user else here):
            super().send_mail(template_prefix, email, {"school_name": school_name(), **context})


def _choose(user: User, language: str | None) -> None:
    with suppress(UnknownLanguage):
        choose_language(user=user, language=language or "")


def remember_language(response: HttpResponse, language: str) -> None:
    """In this browser, as Django's own view does it."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
