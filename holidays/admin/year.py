"""A year of closures: twelve small months, and the same as a list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from enrollment.models import Course, Teacher
from enrollment.queries.people import teachers_here
from holidays.domain.year import Day, months, spread
from holidays.models import Holiday, Region
from holidays.queries.words import LETTERS, days_in_words, part_of, whom_in_words, works_like
from holidays.queries.year import For, holidays_of

FIRST, LAST = 1990, 2199


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A closure, in words. hours: where it does not close its days whole. url: of its row."""

    kind: str
    letter: str
    what: str
    name: str
    days: str
    hours: str
    whom: str
    note: str
    url: str

    @property
    def in_full(self) -> str:
        """One line, as it is read out."""
        known = (self.what, self.hours, self.whom)
        return f"{self.name} ({', '.join(part for part in known if part)})"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A date with closures: the look of the first of them, the names of all."""

    on: date
    entries: Sequence[Entry]
    url: str

    @property
    def looks(self) -> str:
        first = self.entries[0]
        some = ("part", all(one.hours and one.kind != "working_day" for one in self.entries))
        few = ("some", all(one.whom for one in self.entries))
        return " ".join([first.kind, *(name for name, holds in (some, few) if holds)])

    @property
    def letters(self) -> str:
        return "".join(dict.fromkeys(one.letter for one in self.entries))


class YearForm(forms.Form):
    year = forms.IntegerField(
        label=gettext_lazy("Year"),
        required=False,
        min_value=FIRST,
        max_value=LAST,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    region = forms.ModelChoiceField(
        label=gettext_lazy("Region"),
        queryset=Region.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=gettext_lazy("All regions"),
    )
    teacher: Any = forms.ModelChoiceField(
        label=gettext_lazy("Teacher"),
        queryset=Teacher.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=gettext_lazy("All teachers"),
    )
    course = forms.ModelChoiceField(
        label=gettext_lazy("Course"),
        queryset=Course.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=gettext_lazy("All courses"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here: QuerySet[Teacher] = teachers_here()
        self.fields["teacher"].queryset = here  # type: ignore[attr-defined]


def year_page(admin: ModelAdmin, request: HttpRequest, *, today: date) -> HttpResponse:
    form = YearForm(request.GET or None, initial={"year": today.year})
    asked = form.cleaned_data if form.is_valid() else {}
    year = asked.pop("year", None) or today.year
    found = [(one, entry_of(one)) for one in holidays_of(year=year, whose=For(**asked))]
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "media": admin.media,
        "title": _("Closures of %(year)d") % {"year": year},
        "form": form,
        "year": year,
        "today": today,
        "before": year - 1 if year > FIRST else None,
        "after": year + 1 if year < LAST else None,
        "is_asked": any(asked.values()),
        "weekdays": [(WEEKDAYS[day], WEEKDAYS_ABBR[day]) for day in range(7)],
        "months": list(_months(year, found)),
        "entries": [entry for _holiday, entry in found],
        "legend": [(kind, LETTERS[kind], kind.label) for kind in Holiday.Kind],
        "may_add": admin.has_add_permission(request),
    }
    return TemplateResponse(request, "admin/holidays/holiday/year.html", context)


def entry_of(holiday: Holiday) -> Entry:
    kind = Holiday.Kind(holiday.kind)
    return Entry(
        kind=holiday.kind,
        letter=str(LETTERS[kind]),
        what=str(kind.label),
        name=holiday.shown_name,
        days=days_in_words(holiday.first_on, holiday.last_on),
        hours=works_like(holiday.as_weekday) or part_of(holiday),
        whom=whom_in_words(holiday),
        note=holiday.note,
        url=reverse("admin:holidays_holiday_change", args=[holiday.pk]),
    )


def _months(year: int, found: Sequence[tuple[Holiday, Entry]]) -> Iterator[dict[str, Any]]:
    # What closes most is what the cell looks like: whole days before parts, all before some.
    order = sorted(found, key=lambda pair: (bool(pair[1].hours), bool(pair[1].whom)))
    spans = [(holiday.first_on, holiday.last_on, entry) for holiday, entry in order]
    by_day = spread(spans, first=date(year, 1, 1), last=date(year, 12, 31))
    for month in months(year, by_day):
        weeks = [[_cell(day) for day in week] for week in month.weeks]
        yield {"first_on": month.first_on, "weeks": weeks}


def _cell(day: Day[Entry] | None) -> Cell | Day[Entry] | None:
    if day is None or not day.found:
        return day
    return Cell(on=day.on, entries=day.found, url=_url(day))


def _url(day: Day[Entry]) -> str:
    """The row, or the list of the rows of this day."""
    if len(day.found) == 1:
        return day.found[0].url
    changelist = reverse("admin:holidays_holiday_changelist")
    return f"{changelist}?first_on__lte={day.on}&last_on__gte={day.on}"
