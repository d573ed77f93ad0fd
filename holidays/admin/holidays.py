from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from enrollment.admin.impact import ImpactAdmin
from holidays.models import Holiday
from holidays.queries.displaced import around
from holidays.queries.holidays import overlapping


@admin.register(Holiday)
class HolidayAdmin(ImpactAdmin, ModelAdmin):
    list_display = ("name", "first_on", "last_on", "note")
    list_filter = ("first_on",)
    search_fields = ("name", "note")
    date_hierarchy = "first_on"

    def could_hit(self, obj: Holiday) -> Q:
        return around(obj.first_on, obj.last_on)

    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # A bank holiday inside the school break is meant that way, so this warns and allows.
        if others := list(overlapping(obj)[:5]):
            names = ", ".join(f"{other} ({other.first_on} – {other.last_on})" for other in others)
            text = _("These days are also covered by: %(names)s.") % {"names": names}
            messages.warning(request, text)
