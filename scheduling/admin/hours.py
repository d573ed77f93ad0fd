from datetime import date
from typing import Any

from django.contrib import admin
from django.utils import timezone

from enrollment.admin.lesson_form import TeacherHere
from enrollment.admin.sheets import SheetAdmin
from enrollment.models import Teacher
from scheduling.admin.one_at_a_time import OneAtATime
from scheduling.models import AvailabilityException, AvailabilityRule
from scheduling.operations.hours import check_not_over


class _NotOver(TeacherHere):
    """The model's own clean() speaks here as on the teacher's page; only the clock is added."""

    def _not_over(self, name: str) -> Any:
        """The field's day, unless it is new and over; without a teacher nobody's today counts."""
        day: date | None = self.cleaned_data[name]
        teacher: Teacher | None = self.cleaned_data.get("teacher")
        if teacher is not None:
            before = self.initial.get(name) if self.instance.pk else None
            check_not_over(day, before=before, zone=teacher.zone, now=timezone.now())
        return day


class RuleForm(_NotOver):
    def clean_valid_until(self) -> Any:
        return self._not_over("valid_until")


class ExceptionForm(_NotOver):
    def clean_day_on(self) -> Any:
        return self._not_over("day_on")


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(SheetAdmin, OneAtATime):
    form = RuleForm
    list_display = (
        "teacher",
        "weekday",
        "starts",
        "ends",
        "ends_next_day",
        "every_weeks",
        "valid_from",
        "valid_until",
    )
    list_display_links = ("teacher", "weekday")
    list_filter = ("weekday", ("teacher", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("teacher",)
    list_per_page = 50
    search_fields = ("teacher__display_name", "teacher__user__email")
    autocomplete_fields = ("teacher",)
    ordering = ("teacher__display_name", "weekday", "starts")
    fields = (
        "teacher",
        "weekday",
        ("starts", "ends", "ends_next_day"),
        "every_weeks",
        ("valid_from", "valid_until"),
    )


@admin.register(AvailabilityException)
class AvailabilityExceptionAdmin(OneAtATime):
    form = ExceptionForm
    list_display = ("teacher", "day_on", "kind", "starts", "ends", "ends_next_day", "note")
    list_display_links = ("teacher", "day_on")
    list_filter = ("kind", ("teacher", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("teacher",)
    list_per_page = 50
    search_fields = ("teacher__display_name", "teacher__user__email", "note")
    autocomplete_fields = ("teacher",)
    date_hierarchy = "day_on"
    ordering = ("-day_on", "teacher__display_name", "starts")
    fields = ("teacher", "day_on", "kind", ("starts", "ends", "ends_next_day"), "note")
