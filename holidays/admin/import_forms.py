"""What is to be imported: a country's holidays, or a file."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from enrollment.admin.uploads import KINDS as WRONG_KINDS
from holidays.admin.import_words import category_in_words
from holidays.domain.rows import FIRST_YEAR, LAST_YEAR, MOST_YEARS
from holidays.models import Holiday, HolidaySource, Region
from holidays.queries.countries import Place

MOST_BYTES = 1024 * 1024
SCHOOL, REGION = "school", "region"


def _year(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=FIRST_YEAR,
        max_value=LAST_YEAR,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class YearsForm(forms.Form):
    first_year = _year(gettext_lazy("First year"))
    last_year = _year(gettext_lazy("Last year"))

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = answers.get("first_year"), answers.get("last_year")
        if first and last and last < first:
            self.add_error("last_year", _("The last year is not before the first."))
        elif first and last and last - first >= MOST_YEARS:
            words = _("At most %(most)d years at once; import the others afterwards.")
            self.add_error("last_year", words % {"most": MOST_YEARS})
        return answers

    @property
    def years(self) -> tuple[int, int]:
        return self.cleaned_data["first_year"], self.cleaned_data["last_year"]


class CountryForm(forms.Form):
    country = forms.ChoiceField(label=gettext_lazy("Country"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, places: Sequence[Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["country"]
        field.choices = [("", "–"), *((one.code, f"{one.name} ({one.code})") for one in places)]


class LibraryForm(YearsForm):
    subdivision = forms.ChoiceField(
        label=gettext_lazy("Part of the country"), required=False, widget=UnfoldAdminSelectWidget
    )
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("Which days"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick at least one.")},
    )
    closes = forms.ChoiceField(label=gettext_lazy("They close"), widget=forms.RadioSelect)
    field_order = ("subdivision", "first_year", "last_year", "categories", "closes")

    def __init__(self, *args: Any, place: Place, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place = place
        subdivision: Any = self.fields["subdivision"]
        whole = _("The whole country: only what is free everywhere")
        subdivision.choices = [
            ("", whole),
            *((one, _named(one, name)) for one, name in _sorted(place)),
        ]
        if not place.subdivisions:
            del self.fields["subdivision"]
        categories: Any = self.fields["categories"]
        categories.choices = [
            (one, category_in_words(one)) for one in _public_first(place.categories)
        ]
        closes: Any = self.fields["closes"]
        closes.choices = [
            (SCHOOL, _("the whole school")),
            (REGION, _("teachers there, and in no other place")),
        ]

    @property
    def part(self) -> str:
        return str(self.cleaned_data.get("subdivision") or "")

    @property
    def region(self) -> tuple[str, str] | None:
        return (self.place.code, self.part) if self.cleaned_data["closes"] == REGION else None


class FileForm(YearsForm):
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=UnfoldAdminFileFieldWidget(
            attrs={"accept": ".ics,.ical,.csv,.txt,text/calendar,text/csv"}
        ),
        help_text=gettext_lazy("A calendar (.ics) or a table (.csv), at most 1 MB."),
    )
    title = forms.CharField(
        label=gettext_lazy("Name of the source"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Under which the next file of this kind is imported again."),
    )
    region = forms.ModelChoiceField(
        label=gettext_lazy("Closes for"),
        queryset=Region.objects.all(),
        required=False,
        empty_label=gettext_lazy("the whole school"),
        widget=UnfoldAdminSelectWidget,
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of events that do not say it"),
        choices=[one for one in Holiday.Kind.choices if one[0] != Holiday.Kind.WORKING_DAY],
        initial=Holiday.Kind.OTHER,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Of calendars. A table has a column for it."),
    )
    notes = forms.BooleanField(
        label=gettext_lazy("Students read the descriptions of the events"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    field_order = ("file", "title", "first_year", "last_year", "region", "kind", "notes")

    def __init__(self, *args: Any, source: HolidaySource | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source
        if source is not None:
            # What it is called and closes was said the first time.
            del self.fields["title"], self.fields["region"]

    def clean_title(self) -> str:
        title = " ".join(str(self.cleaned_data["title"]).split())
        if HolidaySource.objects.filter(title=title).exists():
            words = _(
                "There is a source of this name already. Choose it in the list of sources to import it "
                "again, or find another name."
            )
            raise forms.ValidationError(words)
        return title

    def clean_file(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["file"]
        size = file.size or 0
        if size > MOST_BYTES:
            words = _("This file has %(size)s; at most %(most)s can be imported.")
            sizes = {"size": filesizeformat(size), "most": filesizeformat(MOST_BYTES)}
            raise forms.ValidationError(words % sizes)
        data = file.read()
        file.seek(0)
        for start, kind in WRONG_KINDS:
            if data.lstrip().startswith(start):
                words = _("This is %(kind)s, not a calendar (.ics) or a table (.csv).")
                raise forms.ValidationError(words % {"kind": kind})
        return file


def _named(code: str, name: str) -> str:
    return f"{name} ({code})" if name else code


def _sorted(place: Place) -> list[tuple[str, str]]:
    return sorted(place.subdivisions, key=lambda one: one[1] or one[0])


def _public_first(categories: Sequence[str]) -> list[str]:
    return sorted(categories, key=lambda one: (one != "public", one))
