"""The page from which the public is told about an incident."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from rollback import runner
from rollback.console.wording import MomentField, WordedForm, initial_words, local, looked
from rollback.domain.notices import level_of
from rollback.domain.public import PublicState, may_follow
from rollback.models import Incident, PublicUpdate
from rollback.public import updates
from rollback.public.updates import UpdateRefused, Words

TEMPLATE = "admin/rollback/incident/publish.html"
WRONG_INPUT = 422


class PublishForm(WordedForm):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        help_text=gettext_lazy("What the public is told about how far it is."),
        widget=UnfoldAdminSelectWidget,
    )
    next_at = MomentField(
        label=gettext_lazy("Next update by"),
        required=False,
        help_text=gettext_lazy("Promise only what somebody holds. Empty: none is promised."),
    )
    components = forms.MultipleChoiceField(
        label=gettext_lazy("Parts of the school that it concerns"),
        error_messages={"required": gettext_lazy("Choose at least one part of the school.")},
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    # The newest update when the page was opened: nobody adds to what they have not read.
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        incident: Incident,
        newest: PublicUpdate | None,
        initial: Any = None,
    ) -> None:
        super().__init__(data, initial=initial, incident=incident, newest=newest)
        self.incident = incident
        names = dict(PublicUpdate.State.choices)
        before = newest.state if newest else PublicState.UNSAID
        self.allowed = [one.value for one in may_follow(before, is_open=incident.is_open)]
        choices = [(one, names[one]) for one in self.allowed]
        self.fields["state"].choices = choices  # type: ignore[attr-defined]
        self.fields["components"].choices = updates.component_choices()  # type: ignore[attr-defined]

    def basis_now(self) -> str | None:
        state, at = str(self.data.get("state", "")), str(self.data.get("next_at", ""))
        if state not in self.allowed or (at and _moment(at) is None):
            return None
        return basis_of(state, _moment(at))

    def prefilled(self, basis: str) -> dict[str, Words]:
        state, _bar, at = basis.partition("|")
        if state not in set(PublicUpdate.State.values):
            return {}
        return updates.prefilled(self.incident, state, next_at=_moment(at))

    def clean_next_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["next_at"]
        if at is not None and at <= timezone.now():
            words = _("This is over already: choose a time to come, or leave it empty.")
            raise forms.ValidationError(words)
        return at


def basis_of(state: str, next_at: datetime | None) -> str:
    return f"{state}|{local(next_at) if next_at else ''}"


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
        return timezone.make_aware(at) if at and timezone.is_naive(at) else at
    except ValueError:
        return None


def may_publish(request: HttpRequest) -> bool:
    return request.user.has_perm("rollback.add_publicupdate")


def page(request: HttpRequest, incident: Incident, *, base: Mapping[str, Any]) -> HttpResponse:
    """base: what every page of the admin needs. Who may is asked before."""
    newest = updates.newest_of(incident)
    back = reverse("admin:rollback_incident_change", args=[incident.pk])
    form, note = _empty(incident, newest), ""
    if request.method == "POST":
        sent = PublishForm(request.POST, incident=incident, newest=newest)
        found = looked(sent, send="publish")
        form, note = found.form, found.note
        if found.is_sent and form.is_valid() and _publish(request, form):
            return HttpResponseRedirect(back)
    context = {
        **base,
        "title": _("Tell the public about incident %s") % incident,
        "incident": incident,
        "newest": newest,
        "form": form,
        "note": note,
        "level": level_of(incident.severity).value,
        "state_words": dict(PublicUpdate.State.choices).get(form["state"].value(), ""),
        "now": timezone.now(),
        "back": back,
    }
    status = WRONG_INPUT if form.is_bound and form.errors else 200
    return TemplateResponse(request, TEMPLATE, context, status=status)


def _empty(incident: Incident, newest: PublicUpdate | None) -> PublishForm:
    """Prefilled with the words that fit the state it is in."""
    state = updates.proposed(incident, newest).value
    between = updates.cadence_of(updates.policy()).between
    next_at = timezone.now() + between if incident.is_open else None
    next_at = next_at and _at_the_minute(next_at)
    filled = updates.prefilled(incident, state, next_at=next_at)
    return PublishForm(
        incident=incident,
        newest=newest,
        initial={
            "state": state,
            "next_at": next_at,
            "components": newest.components if newest else updates.parts_of(incident),
            "seen": newest.pk if newest else 0,
            "basis": basis_of(state, next_at),
            **initial_words(filled),
        },
    )


def _at_the_minute(at: datetime) -> datetime:
    """As the field shows it. Never later than it was: it is a promise."""
    return at - timedelta(seconds=at.second, microseconds=at.microsecond)


def _publish(request: HttpRequest, form: PublishForm) -> bool:
    answers = form.cleaned_data
    try:
        updates.publish(
            incident=form.incident.pk,
            state=answers["state"],
            actor=runner.actor_of(request.user),
            now=timezone.now(),
            texts=form.texts(),
            components=answers["components"],
            next_at=answers["next_at"],
            seen=answers["seen"] or 0,
        )
    except UpdateRefused as refused:
        form.refuse(refused)
        return False
    messages.success(
        request, _("Published. It stands on the status page and above every page within seconds.")
    )
    return True
