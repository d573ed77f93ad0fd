"""Verifications in the admin: when, for what, by whom, and what each probe found."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import processes, verification
from rollback.models import ProbeResult, Verification


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "outcome", "failed", "took", "incident", "by_name")
    list_filter = ("passed",)
    list_select_related = ("incident",)
    date_hierarchy = "started_at"
    fields = ("in_words", "incident", "by_name", "started_at", "ended_at", "table")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Verification]:
        found: QuerySet[Verification] = super().get_queryset(request)
        return found.annotate(failures=Count("results", filter=Q(results__passed=False)))

    @display(
        description=gettext_lazy("state"),
        ordering="passed",
        label={"passed": "success", "failed": "danger", "running": "info"},
    )
    def outcome(self, run: Verification) -> tuple[str, str]:
        return self._key(run), self.in_words(run)

    def _key(self, run: Verification) -> str:
        if run.passed is None:
            return "running"
        return "passed" if run.passed else "failed"

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, run: Verification) -> str:
        return {"running": _("Running"), "passed": _("Passed"), "failed": _("Failed")}[
            self._key(run)
        ]

    @admin.display(description=gettext_lazy("failed probes"), ordering="failures")
    def failed(self, run: Any) -> int:
        number: int = run.failures
        return number

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: Verification) -> str:
        return "–" if run.ended_at is None else processes.span(run.ended_at - run.started_at)

    @admin.display(description=gettext_lazy("what the probes found"))
    def table(self, run: Verification) -> str:
        rows = [_row(result) for result in run.results.all()]
        return render_to_string("admin/rollback/probes.html", {"rows": rows})


def _row(result: ProbeResult) -> dict[str, Any]:
    key, word = verification.state(result)
    return {"title": verification.title(result.probe), "key": key, "word": word, "result": result}
