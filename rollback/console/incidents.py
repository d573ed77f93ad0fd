"""Incidents in the admin: what is open for how long, what happened to the flags, and how it ended."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import incidents, runner
from rollback.console import words
from rollback.console.forms import ResolveForm
from rollback.models import Incident
from rollback.runner import ChangeRefused


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = ("title", "state", "duration", "features", "opened_at", "opened_by_name")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter),)
    search_fields = ("title", "cause", "resolution")
    fields = (
        "in_words", "duration", "features", "cause", "opened_at", "opened_by_name",
        "resolved_at", "resolved_by_name", "resolution", "timeline",
    )  # fmt: skip
    actions_detail = ("resolve",)
    actions_detail_hide_default = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        found: QuerySet[Incident] = super().get_queryset(request).prefetch_related("latches")
        return found

    def has_resolve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Read-only but for this: its facts are corrected nowhere."""
        return request.user.has_perm("rollback.change_incident")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        incident = self.get_object(request, object_id)
        if incident is None or not incident.is_open:
            return []
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found

    @display(description=gettext_lazy("state"), label={"open": "danger", "resolved": "success"})
    def state(self, incident: Incident) -> tuple[str, str]:
        return "open" if incident.is_open else "resolved", self.in_words(incident)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, incident: Incident) -> str:
        return _("Open") if incident.is_open else _("Resolved")

    @admin.display(description=gettext_lazy("lasts"))
    def duration(self, incident: Incident) -> str:
        return timesince(incident.opened_at, incident.resolved_at)

    @admin.display(description=gettext_lazy("features"))
    def features(self, incident: Incident) -> str:
        return ", ".join(words.title(latch.flag_name) for latch in incident.latches.all()) or "–"

    @admin.display(description=gettext_lazy("what happened to the features"))
    def timeline(self, incident: Incident) -> str:
        rows = [
            {
                "at": change.changed_at,
                "feature": words.title(change.flag_name),
                "difference": words.difference(change),
                "who": words.who(change),
                "reason": change.reason,
            }
            for change in incidents.timeline(incident)
        ]
        return render_to_string("admin/rollback/timeline.html", {"rows": rows})

    @action(
        description=gettext_lazy("Resolve"),
        url_path="resolve",
        permissions=["resolve"],
        icon="task_alt",
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident: Incident | None = self.get_object(request, object_id)
        if incident is None:
            raise Http404
        back = reverse("admin:rollback_incident_change", args=[incident.pk])
        form = ResolveForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                incidents.resolve(
                    incident=incident.pk,
                    actor=runner.actor_of(request.user),
                    reason=form.cleaned_data["reason"],
                )
            except ChangeRefused as refused:
                form.add_error(None, str(refused))
            else:
                self.message_user(request, _("The incident is resolved."), messages.SUCCESS)
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Resolve incident %s") % incident,
            "button_text": _("Resolve"),
            "consequence": _(
                "Nothing comes back by itself: from then on each feature may be raised again, by a "
                "person and with a reason."
            ),
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)
