"""Incidents in the admin: what is open for how long, whom it concerns, what was done, how it ended."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from rollback.briefing import STATES
from rollback.console import cadence, living, markdown, publishing, story
from rollback.console.briefing_pages import BriefingPages
from rollback.console.sending_steps import SendingSteps
from rollback.models import Incident, IncidentEvent

LABELS = {
    "open": "danger",
    "acknowledged": "warning",
    "contained": "warning",
    "verified": "info",
    "resolved": "success",
    "reviewed": "success",
}


@admin.register(Incident)
class IncidentAdmin(BriefingPages, SendingSteps):
    list_display = (
        "title", "state", "severity", "duration", "features", "opened_at", "opened_by_name",
    )  # fmt: skip
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "severity", "kind")
    search_fields = ("title", "cause", "resolution", "root_cause", "lessons")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        openings = IncidentEvent.objects.filter(kind=IncidentEvent.Kind.OPENED)
        found: QuerySet[Incident] = super().get_queryset(request)
        return found.select_related("acknowledged_by").prefetch_related(
            "latches", Prefetch("events", queryset=openings, to_attr="openings")
        )

    @display(description=gettext_lazy("state"), label=LABELS)
    def state(self, incident: Incident) -> tuple[str, str]:
        return str(incident.state), str(STATES[incident.state])

    @admin.display(description=gettext_lazy("lasts"))
    def duration(self, incident: Incident) -> str:
        return timesince(incident.opened_at, incident.resolved_at)

    @admin.display(description=gettext_lazy("features"))
    def features(self, incident: Incident) -> str:
        return ", ".join(story.features_of(incident)) or "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A page of its own: there is nothing to fill in, and much to see."""
        incident = self.found(request, object_id)
        if request.method == "POST":
            raise PermissionDenied
        words = self.words_of(request, incident)
        context = {
            **self._told(request, incident),
            "words": words,
            "etag": living.etag_of(words),
            "at": living.time_now(),
            "buttons": list(self.buttons(request, incident)),
            "may_change_actions": request.user.has_perm("rollback.change_incidentaction"),
            "may_see_people": self.may_see_people(request),
            "word": _word(request, incident),
            "back": reverse("admin:rollback_incident_changelist"),
        }
        return TemplateResponse(request, "admin/rollback/incident/page.html", context)

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        context = self._told(request, self.found(request, object_id))
        return TemplateResponse(request, "admin/rollback/incident/print.html", context)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id)
        text = markdown.of(story.tell(incident, now=timezone.now()))
        name = f"incident-{incident.pk}.md"
        return HttpResponse(
            text,
            content_type="text/markdown; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _told(self, request: HttpRequest, incident: Incident) -> dict[str, Any]:
        told = story.tell(incident, now=timezone.now())
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Incident %s") % incident,
            "incident": incident,
            "state": STATES[incident.state],
            "story": told,
            "gaps": [] if incident.is_open else list(story.post_mortem_gaps(told)),
            "matrix": story.matrix(),
        }


def _word(request: HttpRequest, incident: Incident) -> Mapping[str, Any] | None:
    """When the public has to hear of it next."""
    due = cadence.due_of(incident)
    may = publishing.may_publish(request)
    return cadence.shown(due, now=timezone.now(), may_publish=may, ahead=True) if due else None
