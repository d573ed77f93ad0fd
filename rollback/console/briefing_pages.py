"""The management's page of an incident: on paper, in each language, and mailed now if somebody wants it."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from rollback import briefing, runner
from rollback.console.incident_steps import Button, IncidentSteps
from rollback.models import Incident


class BriefingPages(IncidentSteps):
    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<path:object_id>/briefing/",
                wrap(self.briefing_view),
                name="rollback_incident_briefing",
            ),
            path(
                "<path:object_id>/briefing-mail/",
                wrap(self.briefing_mail),
                name="rollback_incident_briefing_mail",
            ),
        ]
        return [*own, *super().get_urls()]

    def may_mail(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.send")

    def buttons(self, request: HttpRequest, incident: Incident) -> Iterator[Button]:
        yield from super().buttons(request, incident)
        page = reverse("admin:rollback_incident_briefing", args=[incident.pk])
        yield Button(words=_("Briefing"), href=page)

    def briefing_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id)
        known = dict(settings.LANGUAGES)
        asked = request.GET.get("language", "")
        language = asked if asked in known else translation.get_language()
        with translation.override(language):
            page = briefing.page(briefing.gather(incident, now=timezone.now()))
            context = {
                "title": _("Briefing: incident %s") % incident,
                "page": page,
                "incident": incident,
                "languages": [(code, translation.get_language_info(code)) for code in known],
                "may_mail": self.may_mail(request),
            }
            # Rendered here: later the language would be another one.
            return render(request, "admin/rollback/incident/briefing.html", context)

    def briefing_mail(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id)
        if not self.may_mail(request):
            raise PermissionDenied
        people = [f"{one.name} ({one.language})" for one in briefing.listed()]
        told = {"people": ", ".join(people) or _("nobody")}
        consequence = _(
            "The page as it is now goes to the management's list: %(people)s. Whatever has changed until "
            "now is told with it."
        )
        return self._ask_about(
            request,
            incident,
            form=forms.Form(request.POST if request.method == "POST" else None),
            title=_("Mail the briefing on incident %s") % incident,
            button=_("Mail it now"),
            consequence=consequence % told,
            do=lambda answers: self._mail(request, incident),
            done=_("The briefing is in the outbox."),
        )

    def _mail(self, request: HttpRequest, incident: Incident) -> str:
        briefing.mail_now(incident=incident.pk, actor=runner.actor_of(request.user))
        return reverse("admin:rollback_incident_briefing", args=[incident.pk])
