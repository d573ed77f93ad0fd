"""Where holidays come from."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from holidays.admin.import_pages import url
from holidays.admin.import_words import category_in_words, difference_in_words, joined
from holidays.models import HolidayImport, HolidaySource
from holidays.queries.imports import sources, years_of


class DiffersFilter(admin.SimpleListFilter):
    title = gettext_lazy("difference")
    parameter_name = "differs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("The source says something else now"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[HolidaySource]
    ) -> QuerySet[HolidaySource]:
        return queryset.filter(difference__isnull=False) if self.value() == "yes" else queryset


@admin.register(HolidaySource)
class HolidaySourceAdmin(ModelAdmin):
    """Made by the first import. Deleting one keeps its holidays, as the school's own."""

    list_display = ("title", "kind", "closes_for", "years", "newest_import", "difference_now")
    list_filter = ("kind", DiffersFilter)
    search_fields = ("title",)
    fields = ("title", "kind", "what", "closes_for", "years", "difference_in_words", "import_again")
    readonly_fields = fields[1:]

    def get_queryset(self, request: HttpRequest) -> QuerySet[HolidaySource]:
        return sources().select_related("region")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nobody deletes an import alone; those of a source go with it."""
        rows, counts, missing, protected = super().get_deleted_objects(objs, request)
        return rows, counts, missing - {HolidayImport._meta.verbose_name}, protected

    @display(description=gettext_lazy("closes for"))
    def closes_for(self, source: HolidaySource) -> str:
        if source.region is None:
            return _("the whole school")
        return _("teachers in %(region)s") % {"region": source.region}

    @display(description=gettext_lazy("which days"))
    def what(self, source: HolidaySource) -> str:
        place = "-".join(part for part in (source.country, source.subdivision) if part)
        return joined([place, *(category_in_words(one) for one in source.categories)]) or "–"

    @display(description=gettext_lazy("years imported"))
    def years(self, source: HolidaySource) -> str:
        return ", ".join(str(year) for year in years_of(source, since=0)) or "–"

    @display(description=gettext_lazy("newest import"), ordering="newest")
    def newest_import(self, source: Any) -> Any:
        return source.newest

    @display(description=gettext_lazy("difference"), label={"yes": "warning", "no": "success"})
    def difference_now(self, source: HolidaySource) -> tuple[str, str]:
        if source.difference is None:
            return "no", _("None")
        count = sum(source.difference["counts"].values())
        words = ngettext("%(count)d holiday", "%(count)d holidays", count)
        return "yes", words % {"count": count}

    @display(description=gettext_lazy("what the source says now"))
    def difference_in_words(self, source: HolidaySource) -> str:
        if source.compared_at is None:
            return "–"
        return difference_in_words(source) or _("Nothing else than what was imported.")

    @display(description=gettext_lazy("import again"))
    def import_again(self, source: HolidaySource) -> str:
        place = f"{url('start')}#source-{source.pk}"
        return format_html(
            '<a class="office-button" href="{}">{}</a>', place, _("On the page of imports")
        )
