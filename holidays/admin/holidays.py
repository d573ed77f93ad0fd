from collections.abc import Callable
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from enrollment.admin.impact import ImpactAdmin
from holidays.admin import several, year
from holidays.admin.closure_form import LANGUAGES, HolidayForm
from holidays.admin.filters import PartOfDay, Year
from holidays.models import Holiday
from holidays.operations.entering import one_at_a_time
from holidays.queries.displaced import around
from holidays.queries.holidays import overlapping
from holidays.queries.words import days_in_words, part_of, whom_in_words, works_like

# Whoever planned a lesson before one of these changed could not know.
SAYS_WHEN = frozenset(
    [
        "first_on",
        "last_on",
        "starts",
        "ends",
        "kind",
        "as_weekday",
        "scope",
        "region",
        "teachers",
        "courses",
    ]
)


NAMES = tuple(LANGUAGES)
# Two in a row: a school may have many.
PAIRS = tuple(NAMES[place : place + 2] for place in range(0, len(NAMES), 2))


@admin.register(Holiday)
class HolidayAdmin(ImpactAdmin, ModelAdmin):
    form = HolidayForm
    list_display = ("name", "days", "what_kind", "part", "whom", "source")
    list_filter = (
        "kind",
        "scope",
        Year,
        PartOfDay,
        ("source", admin.RelatedOnlyFieldListFilter),
        ("region", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("region", "source")
    list_per_page = 50
    search_fields = ("name", "names", "note", "teachers__display_name", "courses__title")
    date_hierarchy = "first_on"
    autocomplete_fields = ("teachers", "courses")
    actions_list = ("year", "several")
    # Pages of their own that the index and the side bar name beside the list.
    pages = (("year", gettext_lazy("Year at a glance")),)
    fieldsets = (
        (gettext_lazy("What"), {"fields": ("name", "kind", "as_weekday")}),
        (gettext_lazy("When"), {"fields": (("first_on", "last_on"), ("starts", "ends"))}),
        (gettext_lazy("For whom"), {"fields": ("scope", "region", "teachers", "courses")}),
        (gettext_lazy("For students to read"), {"fields": ("note",)}),
        (
            gettext_lazy("Name in other languages"),
            {
                "fields": PAIRS,
                "description": gettext_lazy(
                    "Where a language is left empty, its readers see the name above."
                ),
            },
        ),
    )

    class Media:
        css = {"all": ("holidays/office.css",)}
        js = ("holidays/office.js",)

    def get_fieldsets(self, request: HttpRequest, obj: Holiday | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or obj.source_id is None:
            return fieldsets
        return (*fieldsets, (_("Where it comes from"), {"fields": (("source", "known_at"),)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Holiday | None = None) -> Any:
        return ("source", "known_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Holiday]:
        holidays: QuerySet[Holiday] = super().get_queryset(request)
        return holidays.prefetch_related("teachers", "courses")

    # -------------------------------------------------------------- what it changes
    def could_hit(self, obj: Holiday) -> Q:
        return around(obj.first_on, obj.last_on)

    def _asking(self, request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
        def alone() -> HttpResponse:
            if request.method == "POST":
                one_at_a_time()
            return page()

        try:
            return super()._asking(request, alone)
        except IntegrityError as error:
            if "holiday_once" not in str(error):
                raise
            # An import was faster between the form's check and the writing. Nothing was written; the
            # check sees it now, and says so at the field.
            return super()._asking(request, alone)

    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: bool) -> None:
        if change and SAYS_WHEN.intersection(form.changed_data):
            obj.known_at = timezone.now()
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        super().save_related(request, form, *args)
        if others := overlapping(form.instance)[:5]:
            names = ", ".join(
                f"{other.name} ({days_in_words(other.first_on, other.last_on)})" for other in others
            )
            text = _("The same kind is also entered for some of these days: %(names)s.")
            messages.warning(request, text % {"names": names})

    # -------------------------------------------------------------- the list
    @admin.display(description=gettext_lazy("days"), ordering="first_on")
    def days(self, holiday: Holiday) -> str:
        return days_in_words(holiday.first_on, holiday.last_on)

    @display(
        description=gettext_lazy("kind"),
        ordering="kind",
        label={
            "public": "info",
            "school_break": "success",
            "other": "danger",
            "working_day": "warning",
        },
    )
    def what_kind(self, holiday: Holiday) -> tuple[str, str]:
        return holiday.kind, holiday.get_kind_display()

    @admin.display(description=gettext_lazy("part of day"))
    def part(self, holiday: Holiday) -> str:
        return works_like(holiday.as_weekday) or part_of(holiday) or _("whole day")

    @admin.display(description=gettext_lazy("for whom"))
    def whom(self, holiday: Holiday) -> str:
        return whom_in_words(holiday) or _("the whole school")

    # -------------------------------------------------------------- pages
    @action(
        description=gettext_lazy("Year"),
        url_path="year",
        permissions=["view"],
        icon="calendar_month",
    )
    def year(self, request: HttpRequest) -> HttpResponse:
        return year.year_page(self, request, today=timezone.localdate())

    @action(
        description=gettext_lazy("Add several"),
        url_path="several",
        permissions=["add"],
        icon="playlist_add",
    )
    def several(self, request: HttpRequest) -> HttpResponse:
        return self._asking(
            request, lambda: several.several_page(self, request, now=timezone.now())
        )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """The year's cells lead to the list of one day."""
        if lookup in ("first_on__lte", "last_on__gte"):
            return _is_date(value)
        return bool(super().lookup_allowed(lookup, value, request))


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value[0] if isinstance(value, list) else value))
    except ValueError:
        return False
    return True
