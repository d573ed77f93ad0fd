from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from enrollment.admin.impact import ImpactAdmin
from enrollment.admin.progress import UnitInline
from enrollment.admin.sheets import SheetAdmin
from enrollment.models import Course, Teacher
from enrollment.queries.courses import with_places
from enrollment.queries.people import teachers_here


@admin.register(Course)
class CourseAdmin(ImpactAdmin, SheetAdmin, ModelAdmin):
    list_display = (
        "title",
        "places",
        "teacher_names",
        "lesson_minutes",
        "seats",
        "opens_on",
        "closes_on",
    )
    list_filter = ("lesson_minutes", ("teachers", admin.RelatedOnlyFieldListFilter))
    search_fields = ("title", "slug", "teachers__display_name")
    autocomplete_fields = ("teachers",)
    prepopulated_fields = {"slug": ("title",)}
    fields = (
        "title",
        "slug",
        "description",
        "teachers",
        ("lesson_minutes", "seats"),
        "capacity",
        ("opens_on", "closes_on"),
    )

    inlines = (UnitInline,)

    def could_hit(self, obj: Course) -> Q:
        return Q(course=obj.pk)

    def get_queryset(self, request: HttpRequest) -> Any:
        teachers = Prefetch("teachers", queryset=Teacher.objects.only("id", "display_name"))
        return with_places(super().get_queryset(request)).prefetch_related(teachers)

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, queryset=teachers_here(), **kwargs
        )

    @admin.display(description=_("places taken"), ordering="taken")
    def places(self, course: Course) -> str:
        taken: int = getattr(course, "taken", 0)
        return f"{taken} / {course.capacity}"

    @admin.display(description=_("teachers"))
    def teacher_names(self, course: Course) -> str:
        return ", ".join(teacher.display_name for teacher in course.teachers.all())
