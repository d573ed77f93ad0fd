"""What was recorded, to be read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from rollback.models import FlagChange


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FlagChange)
class FlagChangeAdmin(ReadOnlyAdmin):
    list_display = ("changed_at", "flag_name", "action", "summary", "actor_name", "reason")
    list_filter = ("flag_name", "action")
    search_fields = ("reason", "actor_name")
    date_hierarchy = "changed_at"

    @admin.display(description=_("before → after"))
    def summary(self, change: FlagChange) -> str:
        return f"{_short(change.before)} → {_short(change.after)}"


def _short(facts: dict[str, Any]) -> str:
    return str(_("killed")) if facts["killed"] else f"{facts['share']} %"
