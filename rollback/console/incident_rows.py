"""What belongs to incidents and has a list of its own: the people concerned, and what is to be done."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from enrollment.admin.reading import ReadOnlyAdmin
from enrollment.models import User
from rollback.audit import actor_of
from rollback.console import event_words
from rollback.models import AffectedPerson, IncidentAction


class ReasonFilter(admin.SimpleListFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return event_words.reason_choices()

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AffectedPerson]
    ) -> QuerySet[AffectedPerson]:
        value = self.value()
        is_known = value in dict(event_words.reason_choices())
        return queryset.filter(reasons__contains=[value]) if is_known else queryset


@admin.register(AffectedPerson)
class AffectedPersonAdmin(ReadOnlyAdmin):
    """Frozen: nobody is added or taken off by hand."""

    list_display = ("user", "why", "incident")
    list_filter = (ReasonFilter,)
    list_select_related = ("user", "incident")
    list_per_page = 50
    search_fields = ("user__email", "user__first_name", "user__last_name")
    ordering = ("incident", "user__last_name", "user__first_name", "pk")
    fields = ("incident", "user", "why")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Reached from an incident: a list of all people of all incidents says nothing."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """As an incident's page asks for it."""
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed or lookup == "incident__id__exact"

    @admin.display(description=_("reasons"))
    def why(self, person: AffectedPerson) -> str:
        known = dict(event_words.reason_choices())
        return ", ".join(known.get(reason, reason) for reason in person.reasons)


@admin.register(IncidentAction)
class IncidentActionAdmin(ModelAdmin):
    """Added by a review; here it is done, or put off."""

    list_display = ("text", "who_name", "due_on", "done_on", "incident")
    list_filter = (("done_on", admin.EmptyFieldListFilter),)
    list_select_related = ("incident",)
    search_fields = ("text", "who_name")
    ordering = ("done_on", "due_on", "pk")
    fields = ("incident", "text", "who", "due_on", "done_on")
    readonly_fields = ("incident", "text")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        who = form.base_fields.get("who")
        if who is not None:
            # Whoever it is now may be chosen again, also when they have left.
            own = Q(pk=obj.who_id) if obj and obj.who_id else Q()
            who.queryset = User.objects.filter(Q(is_staff=True, is_active=True) | own)
        return form

    def save_model(
        self, request: HttpRequest, obj: IncidentAction, form: Any, change: bool
    ) -> None:
        if "who" in form.changed_data:
            obj.who_name = actor_of(obj.who).name[:150] if obj.who else ""
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
