from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from enrollment.admin.sheets import SheetAdmin
from scheduling.models import AvailabilityRule
from scheduling.operations.hours import one_at_a_time


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
