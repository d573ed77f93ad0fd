from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from enrollment.admin.sheets import SheetAdmin
from scheduling.models import AvailabilityRule, WaitlistEntry
from scheduling.operations.hours import one_at_a_time
from scheduling.operations.waitlist import remove


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(SheetAdmin, ModelAdmin):
    """The model's own clean() speaks here as on the teacher's page."""

    list_display = ("teacher", "weekday", "starts", "ends", "valid_from", "valid_until")
    list_display_links = ("teacher", "weekday")
    list_filter = ("weekday", ("teacher", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("teacher",)
    list_per_page = 50
    search_fields = ("teacher__display_name", "teacher__user__email")
    autocomplete_fields = ("teacher",)
    ordering = ("teacher__display_name", "weekday", "starts")

    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Inside Django's transaction and before it validates: the second of two people who save
        # at once waits, and is then told which window is in the way.
        if request.method == "POST":
            one_at_a_time(teacher_id=request.POST.get("teacher", ""))
        response: HttpResponse = super()._changeform_view(request, *args, **kwargs)
        return response


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(ModelAdmin):
    """Who waits for what. The office may remove somebody, which gives back what is held for them."""

    list_display = (
        "student",
        "course",
        "teacher",
        "starts_at",
        "status",
        "created_at",
        "offer_expires_at",
    )
    list_filter = ("status", ("course", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("student__user", "course", "teacher")
    list_per_page = 50
    search_fields = ("student__user__email", "student__user__last_name", "course__title")
    ordering = ("-created_at", "-pk")
    fields = (
        "student",
        "course",
        "teacher",
        "starts_at",
        "status",
        "created_at",
        "offered_at",
        "offer_expires_at",
        "offer_sent_at",
        "ended_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: WaitlistEntry) -> None:
        remove(entry=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[WaitlistEntry]) -> None:
        for entry in queryset.select_related("student__user").order_by("student", "pk"):
            remove(entry=entry)
