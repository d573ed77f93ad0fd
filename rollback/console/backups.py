"""Backups in the admin: what was made, when, how large; and why one failed."""

from datetime import timedelta

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import processes
from rollback.models import Backup

LABELS = {
    Backup.Status.RUNNING: "info",
    Backup.Status.VERIFIED: "success",
    Backup.Status.FAILED: "danger",
    Backup.Status.PRUNED: "default",
}


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "as_of", "in_bytes", "rows", "took")
    list_filter = ("status",)
    fields = (
        "name", "state", "as_of", "started_at", "finished_at", "in_bytes", "rows", "took", "error",
    )  # fmt: skip

    @display(description=_("state"), ordering="status", label=LABELS)
    def state(self, backup: Backup) -> tuple[str, str]:
        return backup.status, backup.get_status_display()

    @admin.display(description=_("size"), ordering="size")
    def in_bytes(self, backup: Backup) -> str:
        return "–" if backup.size is None else filesizeformat(backup.size)

    @admin.display(description=_("took"))
    def took(self, backup: Backup) -> str:
        if backup.finished_at is None:
            return "–"
        return processes.span(max(timedelta(), backup.finished_at - backup.started_at))
