"""Where the school is, and who lives elsewhere."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline

from enrollment.admin.impact import ImpactAdmin
from enrollment.admin.lesson_form import TeacherHere
from holidays.models import Region, TeacherRegion


class TeachersHere(TabularInline):
    """All who live in one region, in one place."""

    model = TeacherRegion
    form = TeacherHere
    autocomplete_fields = ("teacher",)
    extra = 0
    verbose_name = _("teacher who lives here")
    verbose_name_plural = _("teachers who live here")


@admin.register(Region)
class RegionAdmin(ImpactAdmin, ModelAdmin):
    list_display = ("code", "is_school", "lives")
    list_filter = ("is_school", "country")
    search_fields = ("country", "subdivision")
    fields = (("country", "subdivision"), "is_school")
    inlines = (TeachersHere,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        regions: QuerySet[Region] = super().get_queryset(request)
        return regions.annotate(people=Count("teachers"))

    def could_hit(self, obj: Region) -> Q:
        """Whose days it closes depends on who lives where, and on where the school is."""
        return ~Q(pk__in=[])

    @admin.display(description=_("region"), ordering="country")
    def code(self, region: Region) -> str:
        return str(region)

    @admin.display(description=_("teachers who live here"), ordering="people")
    def lives(self, region: Any) -> int:
        return int(region.people)


@admin.register(TeacherRegion)
class TeacherRegionAdmin(ImpactAdmin, ModelAdmin):
    form = TeacherHere
    list_display = ("teacher", "region")
    list_filter = (("region", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("teacher", "region")
    list_per_page = 50
    search_fields = ("teacher__display_name", "teacher__user__email", "region__country")
    autocomplete_fields = ("teacher", "region")
    ordering = ("teacher__display_name",)

    def could_hit(self, obj: TeacherRegion) -> Q:
        return Q(teacher=obj.teacher_id)
