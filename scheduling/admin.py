from django.contrib import admin
from unfold.admin import ModelAdmin

from scheduling.models import AvailabilityRule


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(ModelAdmin):
    """The model's own clean() speaks here as on the teacher's page."""

    list_display = ("teacher", "weekday", "starts", "ends", "valid_from", "valid_until")
    list_display_links = ("teacher", "weekday")
    list_filter = ("weekday", ("teacher", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("teacher",)
    search_fields = ("teacher__display_name", "teacher__user__email")
    autocomplete_fields = ("teacher",)
    ordering = ("teacher__display_name", "weekday", "starts")
