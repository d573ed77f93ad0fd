from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from scheduling.models import WaitlistEntry
from scheduling.operations.waitlist import remove


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
