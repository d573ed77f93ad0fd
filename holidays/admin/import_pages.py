"""From the choice of a source to the preview, and from there to what is written."""

from dataclasses import replace
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from enrollment.domain.sheets import decode
from enrollment.models import User
from holidays.admin.import_forms import CountryForm, FileForm, LibraryForm
from holidays.admin.import_preview import chosen_in, preview_page
from holidays.admin.import_words import (
    FAILED,
    category_in_words,
    difference_in_words,
    joined,
    refusal_in_words,
)
from holidays.domain import ics, table
from holidays.domain.rows import Reading
from holidays.models import HolidaySource, Region
from holidays.operations import waiting
from holidays.operations.imports import Collides, Draft, PlanChanged, import_holidays
from holidays.queries.countries import (
    LibraryFailed,
    Place,
    Wanted,
    places,
    public_holidays,
    version,
)
from holidays.queries.imports import next_year, sources, years_of

MOST_PROBLEMS = 100


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:holidays_holidayimport_{name}", args=args)


def page(
    admin: ModelAdmin, request: HttpRequest, name: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    common = {**admin.admin_site.each_context(request), "opts": admin.opts}
    template = f"admin/holidays/import_{name}.html"
    return TemplateResponse(request, template, common | context, status=status)


def check_may_import(request: HttpRequest) -> None:
    """:raises PermissionDenied:"""
    needed = ("add_holidayimport", "add_holiday", "change_holiday", "delete_holiday")
    if not request.user.has_perms([f"holidays.{one}" for one in needed]):
        raise PermissionDenied


# ------------------------------------------------------------------ what to import
def start(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    check_may_import(request)
    alert, known = _places()
    form = CountryForm(request.GET if "country" in request.GET else None, places=known)
    if form.is_valid():
        return redirect(url("country", form.cleaned_data["country"]))
    today = timezone.localdate()
    context = {
        "title": _("Import holidays"),
        "form": form,
        "alert": alert,
        "version": version(),
        "sources": [
            {
                "source": one,
                "next": next_year(one, today=today),
                "years": _span(one, today.year),
                "difference": difference_in_words(one),
            }
            for one in sources()
        ],
    }
    return page(admin, request, "start", context, status=422 if form.is_bound else 200)


def country(admin: ModelAdmin, request: HttpRequest, code: str) -> HttpResponse:
    check_may_import(request)
    alert, known = _places()
    place = next((one for one in known if one.code == code), None)
    if place is None:
        if alert:
            messages.error(request, alert)
            return redirect(url("start"))
        raise Http404
    today = timezone.localdate()
    usual = {
        "first_year": today.year,
        "last_year": today.year + 1,
        "categories": ["public"],
        "closes": "school",
    }
    form = LibraryForm(
        request.POST if request.method == "POST" else None, place=place, initial=usual
    )
    if form.is_valid() and (token := _library(request, form, place)):
        return redirect(url("preview", token))
    context = {"title": _("Holidays of %(country)s") % {"country": place.name}, "form": form}
    return page(admin, request, "country", context, status=422 if form.is_bound else 200)


def _library(request: HttpRequest, form: LibraryForm, place: Place) -> str | None:
    """The token of what waits; None after saying in the form why nothing does."""
    categories = tuple(form.cleaned_data["categories"])
    where = place.called(form.part)
    kinds = joined(category_in_words(one) for one in categories)
    whom = f" [{'-'.join(part for part in form.region if part)}]" if form.region else ""
    draft = Draft(
        kind=HolidaySource.Kind.LIBRARY,
        title=f"{where}: {kinds}"[: 120 - len(whom)] + whom,
        years=form.years,
        rows=(),
        country=place.code,
        subdivision=form.part,
        categories=categories,
        region=form.region,
    )
    try:
        reading = read_library(draft)
    except LibraryFailed as failed:
        form.add_error(None, str(FAILED[failed.reason]))
        return None
    if not reading.rows:
        words = _("The library knows no such days of %(where)s in %(years)s.")
        form.add_error("first_year", words % {"where": where, "years": years_in_words(form.years)})
        return None
    return keep(request, draft, reading)


def read_library(draft: Draft) -> Reading:
    """:raises LibraryFailed:"""
    wanted = Wanted(
        country=draft.country,
        subdivision=draft.subdivision,
        categories=draft.categories,
        years=tuple(draft.span),
    )
    return public_holidays([wanted])[0]


def again(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """One click: the next year of a source, or the years that it has by now (`years=known`)."""
    check_may_import(request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    source = get_object_or_404(
        HolidaySource.objects.select_related("region"), pk=_number(object_id)
    )
    if source.kind != HolidaySource.Kind.LIBRARY:
        return redirect(f"{url('file')}?source={source.pk}")
    today = timezone.localdate()
    known = years_of(source, since=today.year)
    year = next_year(source, today=today)
    whole = request.POST.get("years") == "known" and known
    draft = Draft(
        kind=source.kind,
        title=source.title,
        source=source.pk,
        years=(known[0], known[-1]) if whole else (year, year),
        rows=(),
        country=source.country,
        subdivision=source.subdivision,
        categories=tuple(source.categories),
        region=codes_of(source.region),
    )
    try:
        reading = read_library(draft)
    except LibraryFailed as failed:
        messages.error(request, str(FAILED[failed.reason]))
        return redirect(url("start"))
    return redirect(url("preview", keep(request, draft, reading)))


def file(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    check_may_import(request)
    asked = request.GET.get("source")
    source = None
    if asked is not None:
        files = HolidaySource.objects.exclude(kind=HolidaySource.Kind.LIBRARY)
        source = get_object_or_404(files.select_related("region"), pk=_number(asked))
    year = timezone.localdate().year
    posted = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    usual = {"first_year": year, "last_year": year + 1}
    form = FileForm(*posted, source=source, initial=usual)
    result = None
    if form.is_valid():
        token, result = _file(request, form)
        if token:
            return redirect(url("preview", token))
    title = _("Import “%(source)s” again") % {"source": source} if source else _("Import a file")
    context = {"title": title, "form": form, "result": result, "columns": table.SHEET.columns}
    return page(admin, request, "file", context, status=422 if form.is_bound else 200)


def _file(request: HttpRequest, form: FileForm) -> tuple[str | None, dict[str, Any] | None]:
    """The token of what waits, or every problem of a table; a calendar's stands in the form."""
    chosen, name = form.cleaned_data["file"], str(form.cleaned_data["file"].name)
    data, years = chosen.read(), range(form.years[0], form.years[1] + 1)
    is_calendar = name.lower().endswith((".ics", ".ical", ".ifb")) or "BEGIN:VCALENDAR" in decode(
        data[:2000]
    )
    kind = HolidaySource.Kind.ICALENDAR if is_calendar else HolidaySource.Kind.CSV
    source = form.source
    if source is not None and source.kind != kind:
        words = _("This source is a %(kind)s; choose such a file.")
        form.add_error("file", words % {"kind": HolidaySource.Kind(source.kind).label})
        return None, None
    if is_calendar:
        wishes = ics.Wishes(
            years=years,
            zone=timezone.get_default_timezone_name(),
            kind=form.cleaned_data["kind"],
            notes=form.cleaned_data["notes"],
        )
        try:
            reading = ics.read(data, wishes, file_name=name)
        except ics.NotCalendar as refused:
            form.add_error("file", refusal_in_words(refused.note))
            return None, None
    else:
        reading, problems = table.read(data, years=years, file_name=name)
        if problems:
            form.add_error("file", _("This table has problems; they are listed below."))
            shown = {"problems": problems[:MOST_PROBLEMS], "problem_count": len(problems)}
            return None, shown
    if not reading.rows:
        words = _("In %(years)s this file closes no day.")
        form.add_error("first_year", words % {"years": years_in_words(form.years)})
        return None, None
    region = source.region if source else form.cleaned_data["region"]
    draft = Draft(
        kind=kind,
        title=source.title if source else form.cleaned_data["title"],
        source=source.pk if source else None,
        years=form.years,
        rows=(),
        region=codes_of(region),
    )
    return keep(request, draft, reading), None


def keep(request: HttpRequest, draft: Draft, reading: Reading) -> str:
    whole = replace(draft, rows=reading.rows, version=reading.version)
    return waiting.keep(by=cast(User, request.user), draft=whole, notes=reading.notes)


# ------------------------------------------------------------------ looked at, and done
def preview(admin: ModelAdmin, request: HttpRequest, token: str) -> HttpResponse:
    check_may_import(request)
    by = cast(User, request.user)
    try:
        found = waiting.find(by=by, token=token)
    except waiting.Gone:
        messages.error(
            request,
            _(
                "This preview is no longer here: an hour is over, or another import was begun since."
            ),
        )
        return redirect(url("start"))
    if request.method != "POST":
        return preview_page(admin, request, found)
    choices = chosen_in(request.POST)
    if request.POST.get("step") != "import":
        return preview_page(admin, request, found, choices=choices)
    try:
        done = import_holidays(
            found.draft, choices=choices, looked_at=request.POST.get("looked_at", ""), by=by
        )
    except PlanChanged:
        words = _(
            "Nothing is imported yet: somebody has changed these holidays since you looked at them. "
            "Look once more."
        )
        return preview_page(admin, request, found, choices=choices, alert=words)
    except Collides:
        words = _(
            "Nothing is imported: one of these holidays would stand there twice, word for word. Leave "
            "it out, or delete the other one first."
        )
        return preview_page(admin, request, found, choices=choices, alert=words)
    waiting.forget(by=by)
    admin.log_addition(request, done, [{"added": {"name": "holidays", "object": str(done)}}])
    messages.success(request, _("Imported. Here is what was changed, and it can be undone."))
    return redirect(url("change", done.pk))


def codes_of(region: Region | None) -> tuple[str, str] | None:
    return (region.country, region.subdivision) if region else None


def _places() -> tuple[str, list[Place]]:
    """What keeps the library from answering, and the countries it knows."""
    try:
        return "", places()
    except LibraryFailed as failed:
        return str(FAILED[failed.reason]), []


def _span(source: HolidaySource, year: int) -> str:
    years = years_of(source, since=year)
    return years_in_words((years[0], years[-1])) if years else ""


def years_in_words(years: tuple[int, int]) -> str:
    return str(years[0]) if years[0] == years[1] else f"{years[0]}–{years[1]}"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Http404
    return int(text)
