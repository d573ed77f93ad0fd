"""What was recorded, to be read."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from enrollment.admin.reading import ReadOnlyAdmin
from rollback.models import EnrollmentDraft, FlagChange

__all__ = ["EnrollmentDraftAdmin", "FlagChangeAdmin", "ReadOnlyAdmin"]


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


@admin.register(EnrollmentDraft)
class EnrollmentDraftAdmin(ReadOnlyAdmin):
    list_display = ("student", "course", "step", "saved_at", "turned_away_at", "finished_at")
    list_filter = (
        ("finished_at", admin.EmptyFieldListFilter),
        ("turned_away_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("student__user", "course")
    search_fields = ("student__user__email", "student__user__last_name", "course__title")
