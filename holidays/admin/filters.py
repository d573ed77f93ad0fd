from typing import Any

from django.contrib import admin
from django.db.models import Max, Min, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from holidays.models import Holiday

# Whoever types the year 9999 must not fill the page with links.
MOST = 12


class Year(admin.SimpleListFilter):
    """Those with a day in it."""

    title = _("year")
    parameter_name = "year"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ends = Holiday.objects.aggregate(first=Min("first_on"), last=Max("last_on"))
        if ends["first"] is None:
            return []
        years = range(ends["first"].year, ends["last"].year + 1)
        return [(str(year), str(year)) for year in years[-MOST:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Holiday]) -> QuerySet[Holiday]:
        value = self.value()
        if not value or not (value.isascii() and value.isdigit()) or not 0 < int(value) < 10_000:
            return queryset
        return queryset.filter(first_on__year__lte=int(value), last_on__year__gte=int(value))


class PartOfDay(admin.SimpleListFilter):
    title = _("part of day")
    parameter_name = "part"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("whole", _("whole days")), ("part", _("part of the day"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Holiday]) -> QuerySet[Holiday]:
        part = Q(starts__isnull=False) | Q(ends__isnull=False)
        if self.value() == "part":
            return queryset.filter(part)
        return queryset.exclude(part) if self.value() == "whole" else queryset
