"""What was imported, and how it is taken back."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from enrollment.admin.reading import ReadOnlyAdmin
from holidays.admin import import_pages
from holidays.admin.import_words import days_in_words, differences
from holidays.models import HolidayImport
from holidays.operations.imports import AlreadyUndone, undo, would_leave


@admin.register(HolidayImport)
class HolidayImportAdmin(ReadOnlyAdmin):
    list_display = ("source", "years", "version", "made_at", "made_by", "state")
    list_filter = ("source",)
    list_select_related = ("source", "made_by")
    fields = ("source", "years", "version", "made_at", "made_by", "undone_at", "what")
    readonly_fields = ("years", "what")
    actions_list = ("start",)
    actions_detail = ("undo",)
    pages = (("start", gettext_lazy("Import holidays")),)

    def has_import_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        needed = ("add_holidayimport", "add_holiday", "change_holiday", "delete_holiday")
        return bool(request.user.has_perms([f"holidays.{one}" for one in needed]))

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        needed = ("change_holidayimport", "add_holiday", "change_holiday", "delete_holiday")
        return bool(request.user.has_perms([f"holidays.{one}" for one in needed]))

    def get_urls(self) -> list[Any]:
        pages = (
            ("country/<str:code>/", import_pages.country, "country"),
            ("file/", import_pages.file, "file"),
            ("again/<str:source>/", import_pages.again, "again"),
            ("preview/<str:preview>/", import_pages.preview, "preview"),
        )
        own = [
            path(
                route,
                self.admin_site.admin_view(self._view(function)),
                name=f"holidays_holidayimport_{name}",
            )
            for route, function, name in pages
        ]
        return [*own, *super().get_urls()]

    def _view(self, function: Any) -> Any:
        def view(request: HttpRequest, **keywords: str) -> HttpResponse:
            answer: HttpResponse = function(self, request, *keywords.values())
            return answer

        # By which the doors know whose page it is.
        view.model_admin = self  # type: ignore[attr-defined]
        return view

    @action(
        description=gettext_lazy("Import holidays"),
        url_path="start",
        permissions=["import"],
        icon="download",
    )
    def start(self, request: HttpRequest) -> HttpResponse:
        return import_pages.start(self, request)

    @action(description=gettext_lazy("Undo this import"), url_path="undo", permissions=["undo"])
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A page that asks, and what it asks for as a POST."""
        done = self.get_object(request, object_id)
        if done is None:
            raise Http404
        back = import_pages.url("change", done.pk)
        try:
            if request.method == "POST":
                taken = undo(pk=done.pk, now=timezone.now())
                self.log_change(request, done, [{"changed": {"fields": [_("undone")]}}])
                _say(request, taken.count, taken.left)
                return redirect(back)
            left = would_leave(pk=done.pk, now=timezone.now())
        except AlreadyUndone:
            messages.error(request, _("This import has been undone already."))
            return redirect(back)
        context = {
            "title": _("Undo an import"),
            "done": done,
            "left": left,
            "changes": list(_changes(done)),
            "back": back,
        }
        return import_pages.page(self, request, "undo", context)

    @display(description=gettext_lazy("years"))
    def years(self, done: HolidayImport) -> str:
        return import_pages.years_in_words((done.first_year, done.last_year))

    @display(description=gettext_lazy("state"), label={"done": "success", "undone": "info"})
    def state(self, done: HolidayImport) -> tuple[str, str]:
        return ("undone", _("Undone")) if done.undone_at else ("done", _("Done"))

    @display(description=gettext_lazy("what was changed"))
    def what(self, done: HolidayImport) -> str:
        changes = list(_changes(done))
        if not changes:
            return _("Nothing: the school had all of it already.")
        lines = format_html_join("", "<li>{}: <strong>{}</strong>, {}{}</li>", changes)
        return format_html('<ul class="office-list">{}</ul>', lines)


def _changes(done: HolidayImport) -> Iterator[tuple[str | Promise, str, str, str]]:
    """What, the name, when, and what was otherwise before."""
    for change in done.changes:
        before, after = change.get("before"), change.get("after")
        shown = after or before
        if shown is None:
            continue  # left out, and nothing was written
        cells = differences(before, after) if before and after else []
        more = "; ".join(f"{one['column']}: {one['before']} → {one['after']}" for one in cells)
        yield (
            _what(before, after),
            shown["name"],
            days_in_words(shown),
            f" ({more})" if more else "",
        )


def _what(before: Any, after: Any) -> str:
    if before is None:
        return _("added")
    if after is None:
        return _("deleted")
    if before["source"] != after["source"]:
        return _("linked") if after["source"] else _("kept as your own")
    return _("changed") if differences(before, after) else _("noted")


def _say(request: HttpRequest, count: int, left: tuple[str, ...]) -> None:
    words = ngettext(
        "%(count)d holiday is as it was before the import.",
        "%(count)d holidays are as they were before the import.",
        count,
    )
    messages.success(request, words % {"count": count})
    if left:
        words = _("Left as they are, because somebody has changed them since: %(names)s.")
        messages.warning(request, words % {"names": ", ".join(left)})
