"""Conflicts: what contradicts itself, and what the office does about it. Never gated."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import ShowFacets
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Prefetch, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http import HttpResponseRedirect as Redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from enrollment import detectors
from enrollment.admin import conflicts_at_once
from enrollment.admin.conflict_page import ConflictPage
from enrollment.domain.states import ConflictStatus
from enrollment.models import Conflict, Lesson
from enrollment.operations.conflicts import find_conflicts

OPEN_FIRST = Case(
    When(status=ConflictStatus.OPEN, then=Value(0)),
    When(status=ConflictStatus.DISMISSED, then=Value(1)),
    default=Value(2),
)


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = [(one.kind, str(one.title)) for one in detectors.registered()]
        return sorted(kinds, key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conflict]) -> QuerySet[Conflict]:
        is_known = self.value() in {one.kind for one in detectors.registered()}
        return queryset.filter(kind=self.value()) if is_known else queryset


@admin.register(Conflict)
class ConflictAdmin(ModelAdmin):
    list_display = ("what", "about", "found_at", "state")
    list_display_links = ("what",)
    list_filter = ("status", KindFilter)
    list_per_page = 50
    show_facets = ShowFacets.ALWAYS
    ordering = (OPEN_FIRST.asc(), "-found_at", "-pk")
    search_fields = (
        "student__user__last_name",
        "student__user__email",
        "teacher__display_name",
        "lessons__student__user__last_name",
        "lessons__teacher__display_name",
    )
    actions = ("keep_selected", "cancel_selected")
    list_before_template = "admin/enrollment/conflict/look_again.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conflict]:
        conflicts: QuerySet[Conflict] = super().get_queryset(request)
        lessons = Lesson.objects.select_related("course", "teacher", "student__user")
        return conflicts.select_related(
            "enrollment__course", "student__user", "teacher", "resolved_by"
        ).prefetch_related(Prefetch("lessons", queryset=lessons.order_by("period", "pk")))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def title_of(self, conflict: Conflict) -> str:
        detector = detectors.get(conflict.kind)
        return str(detector.title) if detector else conflict.kind

    def words_of(self, conflict: Conflict) -> str:
        detector = detectors.get(conflict.kind)
        if detector is None:
            return gettext("What found this is not there any more, and cannot say what it means.")
        return detector.words(conflict=conflict)

    def links_of(self, conflict: Conflict) -> Sequence[tuple[str, str]]:
        detector = detectors.get(conflict.kind)
        if detector is None or detector.links is None:
            return ()
        return detector.links(conflict=conflict) or ()

    @admin.display(description=_("conflict"), ordering="kind")
    def what(self, conflict: Conflict) -> str:
        return self.title_of(conflict)

    @admin.display(description=_("what is wrong"))
    def about(self, conflict: Conflict) -> str:
        return Truncator(self.words_of(conflict)).chars(240)

    @display(
        description=_("status"),
        ordering="status",
        label={"open": "warning", "dismissed": "info", "resolved": "success"},
    )
    def state(self, conflict: Conflict) -> tuple[str, str]:
        return conflict.status, conflict.get_status_display()

    def get_urls(self) -> list[Any]:
        again = path(
            "look-again/",
            self.admin_site.admin_view(self.look_again),
            name="enrollment_conflict_look_again",
        )
        return [again, *super().get_urls()]

    def look_again(self, request: HttpRequest) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        found = find_conflicts(now=timezone.now())
        words = gettext("Looked: %(opened)d new, %(gone)d gone, %(settled)d resolved by a rule.")
        facts = {"opened": found.opened, "gone": found.gone, "settled": found.settled}
        self.message_user(request, words % facts, messages.SUCCESS)
        return Redirect(reverse("admin:enrollment_conflict_changelist"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_look": self.has_change_permission(request)}
        page: HttpResponse = super().changelist_view(request, (extra_context or {}) | more)
        return page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        conflict: Conflict | None = self.get_object(request, object_id)
        if not self.has_view_permission(request, conflict):
            raise PermissionDenied
        if request.method == "POST" and not self.has_change_permission(request, conflict):
            raise PermissionDenied
        if conflict is None:
            raise Http404
        return ConflictPage(self, request, conflict).answer()

    @admin.action(description=_("Keep selected as they are"), permissions=["change"])
    def keep_selected(self, request: HttpRequest, queryset: QuerySet[Conflict]) -> HttpResponse:
        return conflicts_at_once.keep(self, request, queryset)

    @admin.action(description=_("Cancel the lessons of selected"), permissions=["change"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Conflict]) -> HttpResponse:
        return conflicts_at_once.cancel(self, request, queryset)
