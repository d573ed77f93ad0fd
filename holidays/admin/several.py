"""Several closures at once: typed or pasted as lines, looked at, and entered together or not at all."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from enrollment.admin.fields import ClockField
from enrollment.admin.impact import BACK, STEP
from enrollment.models import Course
from enrollment.operations.impact import impact, planned_ahead
from enrollment.queries.people import teachers_here
from holidays.admin.closure_form import check_scope
from holidays.admin.year import Entry, entry_of
from holidays.domain.lines import Line, Wrong, WrongLine, in_years, read
from holidays.models import Holiday, Region
from holidays.models.closures import Weekday
from holidays.operations.entering import enter

# More would be a page nobody reads; an import of a file takes more.
MOST = 300
MOST_LETTERS = 40_000
MOST_YEARS = 10
CHECK, CHANGE, SAVE = "check", "change", "save"
WRONG = {
    Wrong.FORM: gettext_lazy("write “2026-12-24; Name” or “24.12.2026 – 26.12.2026; Name”."),
    Wrong.NO_SUCH_DAY: gettext_lazy("there is no such day."),
    Wrong.BACKWARDS: gettext_lazy("the last day is before the first."),
    Wrong.TOO_LONG: gettext_lazy("this is longer than a year."),
    Wrong.NO_NAME: gettext_lazy("the name is missing after the semicolon."),
    Wrong.LONG_NAME: gettext_lazy("the name is longer than 120 letters."),
    Wrong.TWICE: gettext_lazy("this stands in a line above, too."),
}


class SeveralForm(forms.Form):
    lines = forms.CharField(
        label=gettext_lazy("Closures"),
        max_length=MOST_LETTERS,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "A line for each: the day, or the first and the last one, a semicolon, and the name. Like "
            "“2026-12-24; Christmas Eve” or “24.12.2026 – 6.1.2027; Christmas break”."
        ),
    )
    years = forms.IntegerField(
        label=gettext_lazy("Further years"),
        initial=0,
        min_value=0,
        max_value=MOST_YEARS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Each line on the same days of so many years after it, too."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=Holiday.Kind.choices,
        initial=Holiday.Kind.OTHER,
        widget=UnfoldAdminSelectWidget,
    )
    as_weekday = forms.TypedChoiceField(
        label=gettext_lazy("Works like"),
        choices=[("", "–"), *Weekday.choices],
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Of a working day instead: whose weekly hours count on it."),
    )
    starts = ClockField(
        label=gettext_lazy("Closed from"),
        required=False,
        help_text=gettext_lazy("Empty: from the morning on."),
    )
    ends = ClockField(
        label=gettext_lazy("Closed until"),
        required=False,
        help_text=gettext_lazy("Empty: until the evening."),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Closes for"),
        choices=Holiday.Scope.choices,
        initial=Holiday.Scope.SCHOOL,
        widget=UnfoldAdminSelectWidget,
    )
    region = forms.ModelChoiceField(
        label=gettext_lazy("Region"),
        queryset=Region.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="–",
    )
    teachers: Any = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Teachers"),
        queryset=teachers_here(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 6}),
    )
    courses: Any = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Courses"),
        queryset=Course.objects.all(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 6}),
    )
    note = forms.CharField(
        label=gettext_lazy("Note for students"),
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        check_scope(self, answers)
        self.holidays: list[Holiday] = []
        lines, wrong = _lines(answers.get("lines") or "", answers.get("years") or 0)
        if len(lines) > MOST:
            wrong = [_("These are more than %(most)d. Enter fewer at once.") % {"most": MOST}]
        else:
            # What is wrong in the other fields is the same for each line, and said once.
            all(self._enter(line, wrong) for line in lines)
        for words in dict.fromkeys(wrong):
            self.add_error("lines", words)
        if not lines and "lines" not in self.errors:
            self.add_error("lines", _("There is no closure in these lines."))
        return answers

    def _enter(self, line: Line, wrong: list[str]) -> bool:
        """:returns: False, when what is wrong is the same for each line, and stands at its field."""
        named = ("kind", "as_weekday", "starts", "ends", "scope", "region", "note")
        if any(name in self.errors for name in named):
            return False
        one = Holiday(
            name=line.name,
            first_on=line.first_on,
            last_on=line.last_on,
            **{name: self.cleaned_data[name] for name in named},
        )
        try:
            one.clean()
        except ValidationError as refused:
            said = refused.message_dict
            for name in set(said) - {"name", "first_on", "last_on"}:
                self.add_error(name, said[name])
            wrong += [_at(line.number, words) for words in said.get("name", ())]
            if set(said) - {"name"}:
                return False
        self.holidays.append(one)
        return True


def _lines(text: str, years: int) -> tuple[list[Line], list[str]]:
    """With those of further years; and what is wrong, in words."""
    lines, errors = read(text)
    wrong = [_words(one) for one in errors]
    found: dict[tuple[date, date, str], Line] = {}
    for line in lines:
        try:
            for one in in_years(line, years):
                if found.setdefault((one.first_on, one.last_on, one.name), one) is not one:
                    raise WrongLine(line.number, Wrong.TWICE)
        except WrongLine as error:
            wrong.append(_words(error))
    return list(found.values()), wrong


def _words(wrong: WrongLine) -> str:
    return _at(wrong.number, str(WRONG[wrong.why]))


def _at(number: int, words: str) -> str:
    return _("Line %(number)d: %(words)s") % {"number": number, "words": words}


def several_page(admin: Any, request: HttpRequest, *, now: datetime) -> HttpResponse:
    """Called within `ImpactAdmin._asking`: what hits lessons is asked about before it is saved."""
    form = SeveralForm(request.POST if request.method == "POST" else None)
    is_back = request.POST.get(STEP) == BACK or request.POST.get("step") == CHANGE
    if request.method != "POST" or not form.is_valid() or is_back:
        return _page(admin, request, form)
    if request.POST.get("step") == SAVE:
        return _save(admin, request, form)
    return _preview(admin, request, form, now=now)


def _save(admin: Any, request: HttpRequest, form: SeveralForm) -> HttpResponse:
    """:raises Asks:"""
    admin._begin(request, form.holidays)
    made = _entered(form)
    admin._weigh(request)
    LogEntry.objects.log_actions(
        int(request.user.pk or 0), Holiday.objects.filter(pk__in=[one.pk for one in made]), ADDITION
    )
    words = ngettext("%(count)d closure is entered.", "%(count)d closures are entered.", len(made))
    messages.success(request, words % {"count": len(made)})
    first = min(one.first_on for one in made)
    return HttpResponseRedirect(f"{reverse('admin:holidays_holiday_year')}?year={first.year}")


def _entered(form: SeveralForm) -> Sequence[Holiday]:
    answers = form.cleaned_data
    return enter(holidays=form.holidays, teachers=answers["teachers"], courses=answers["courses"])


def _preview(admin: Any, request: HttpRequest, form: SeveralForm, *, now: datetime) -> HttpResponse:
    could_hit = Q(pk__in=[])
    for one in form.holidays:
        could_hit |= admin.could_hit(one)
    entries: list[Entry] = []

    def change() -> None:
        made = [one.pk for one in _entered(form)]
        rows = Holiday.objects.filter(pk__in=made).select_related("region")
        entries.extend(entry_of(one) for one in rows.prefetch_related("teachers", "courses"))

    lessons = planned_ahead(now=now).filter(could_hit).values_list("pk", flat=True)
    hits = impact(lessons=set(lessons), change=change, now=now)
    for one in form.holidays:
        one.pk = None
    context = {"entries": entries, "hits": len(hits), "is_preview": True}
    return _page(admin, request, form, **context)


def _page(admin: Any, request: HttpRequest, form: SeveralForm, **context: Any) -> HttpResponse:
    is_wrong = form.is_bound and bool(form.errors)
    common = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "media": admin.media,
        "title": _("Add several closures"),
        "form": form,
        "typed": _typed(request),
    }
    page = "admin/holidays/holiday/several.html"
    return TemplateResponse(request, page, common | context, status=422 if is_wrong else 200)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """To be sent once more by the page between."""
    return [
        (name, str(value))
        for name, values in request.POST.lists()
        if name in SeveralForm.base_fields
        for value in values
    ]
