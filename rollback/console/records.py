"""What was recorded, to be read."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from enrollment.admin.reading import ReadOnlyAdmin
from rollback.console import words
from rollback.models import FlagChange


@admin.register(FlagChange)
class FlagChangeAdmin(ReadOnlyAdmin):
    list_display = ("changed_at", "feature", "what", "difference", "by", "reason")
    list_filter = ("flag_name", "action", "actor_kind")
    search_fields = ("reason", "actor_name")
    date_hierarchy = "changed_at"
    fields = (
        "changed_at", "feature", "flag_name", "what", "difference", "by", "actor", "reason",
        "before", "after", "session",
    )  # fmt: skip

    @admin.display(description=_("feature"), ordering="flag_name")
    def feature(self, change: FlagChange) -> str:
        return words.title(change.flag_name)

    @admin.display(description=_("action"), ordering="action")
    def what(self, change: FlagChange) -> str:
        return words.action(change)

    @admin.display(description=_("before → after"))
    def difference(self, change: FlagChange) -> str:
        return words.difference(change)

    @admin.display(description=_("by"), ordering="actor_name")
    def by(self, change: FlagChange) -> str:
        return words.who(change)
