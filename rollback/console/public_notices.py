"""Planned work and banners in the admin: what will stand above every page, in each language."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from rollback import runner
from rollback.console.wording import MomentField, WordedForm, initial_words, local, looked
from rollback.domain.notices import Level, in_language
from rollback.models import Banner, Maintenance
from rollback.public import notices, updates
from rollback.public.updates import UpdateRefused, Words

PAGE = "admin/rollback/words/page.html"
STATES = {"open": "info", "now": "warning", "over": "", "cancelled": "danger"}


class MaintenanceForm(WordedForm):
    starts_at = MomentField(label=gettext_lazy("Begins"))
    ends_at = MomentField(label=gettext_lazy("Ends"))
    announced_from = MomentField(
        label=gettext_lazy("Announced from"),
        help_text=gettext_lazy("From then on it stands above every page, until it ends."),
    )
    components = forms.MultipleChoiceField(
        label=gettext_lazy("Parts of the school that it concerns"),
        error_messages={"required": gettext_lazy("Choose at least one part of the school.")},
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["components"].choices = updates.component_choices()  # type: ignore[attr-defined]

    def basis_now(self) -> str | None:
        starts, ends = (_moment(str(self.data.get(name, ""))) for name in ("starts_at", "ends_at"))
        parts = self.fields["components"].widget.value_from_datadict(self.data, {}, "components")
        if starts is None or ends is None or not parts:
            return None
        return basis_of(starts, ends, parts)

    def prefilled(self, basis: str) -> dict[str, Words]:
        starts, ends, *parts = basis.split("|")
        return notices.prefilled(
            starts_at=_moment(starts) or timezone.now(),
            ends_at=_moment(ends) or timezone.now(),
            components=parts,
        )

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        times: list[Any] = [
            answers.get(name) for name in ("announced_from", "starts_at", "ends_at")
        ]
        if all(times):
            faults = notices.faults_of_times(*times, now=timezone.now())
            for name, sentence in faults:
                self.add_error(name, sentence)
        return answers


def basis_of(starts_at: datetime, ends_at: datetime, components: list[str]) -> str:
    return "|".join([local(starts_at), local(ends_at), *sorted(components)])


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return timezone.make_aware(at) if at and timezone.is_naive(at) else at


class BannerForm(WordedForm):
    with_headings = False
    most_text = notices.MOST_BANNER
    level = forms.ChoiceField(
        label=gettext_lazy("Level"), choices=Banner.Level.choices, widget=UnfoldAdminSelectWidget
    )
    audience = forms.ChoiceField(
        label=gettext_lazy("For"), choices=Banner.Audience.choices, widget=UnfoldAdminSelectWidget
    )
    starts_at = MomentField(label=gettext_lazy("From"))
    ends_at = MomentField(label=gettext_lazy("Until"))
    is_dismissible = forms.BooleanField(
        label=gettext_lazy("Can be closed"),
        required=False,
        help_text=gettext_lazy("Whoever has closed it sees it again when it is changed."),
        widget=UnfoldBooleanWidget,
    )

    def basis_now(self) -> str:
        """Nothing is filled in: there is no letter for what only a person knows."""
        return ""

    def prefilled(self, basis: str) -> dict[str, Words]:
        return {}


class WordedAdmin(ModelAdmin):
    """Adding and changing on a page of its own; what may not be changed any more is only read."""

    form_class: type[WordedForm]
    preview_of = ""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._found(request, object_id)
        may = (
            self.has_add_permission(request)
            if object_id is None
            else self.has_change_permission(request, row)
        )
        if not may:
            read: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
            return read
        return self._page(request, row)

    def _found(self, request: HttpRequest, object_id: str | None) -> Any:
        """:raises PermissionDenied: before it says whether there is one. :raises Http404:"""
        if object_id is None:
            return None
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def _page(self, request: HttpRequest, row: Any) -> HttpResponse:
        form, note = self.form_class(initial=self.initial_of(row)), ""
        if request.method == "POST":
            found = looked(self.form_class(request.POST), send="save")
            form, note = found.form, found.note
            if found.is_sent and form.is_valid() and self._save(request, row, form):
                return HttpResponseRedirect(self._list())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.title_of(row),
            "about": self.about(),
            "form": form,
            "note": note,
            "preview_of": self.preview_of,
            "level": form["level"].value() if "level" in form.fields else Level.INFO.value,
            "back": self._list(),
            "more": list(self.more_of(row)),
        }
        return TemplateResponse(request, PAGE, context)

    def _save(self, request: HttpRequest, row: Any, form: WordedForm) -> bool:
        try:
            saved = self.write(request, row, form)
        except UpdateRefused as refused:
            form.refuse(refused)
            return False
        log = self.log_addition if row is None else self.log_change
        log(request, saved, [{"changed": {}} if row else {"added": {}}])
        messages.success(request, _("Saved. It is on every page within seconds of its beginning."))
        return True

    def _list(self) -> str:
        return reverse(f"admin:rollback_{self.opts.model_name}_changelist")

    def initial_of(self, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def title_of(self, row: Any) -> str:
        raise NotImplementedError

    def about(self) -> str:
        raise NotImplementedError

    def more_of(self, row: Any) -> list[tuple[str, str]]:
        """Further buttons: words and address."""
        return []

    def write(self, request: HttpRequest, row: Any, form: Any) -> Any:
        """:raises UpdateRefused:"""
        raise NotImplementedError


def words_here(told: dict[str, str]) -> str:
    language = get_language() or "en"
    return in_language(told, language=language, otherwise="en")


def _of_row(row: Any, languages: list[tuple[str, str]]) -> dict[str, str]:
    headings = getattr(row, "headings", {})
    found = {f"text_{code}": row.texts.get(code, "") for code, _name in languages}
    return found | {f"heading_{code}": headings.get(code, "") for code, _name in languages}


@admin.register(Maintenance)
class MaintenanceAdmin(WordedAdmin):
    form_class = MaintenanceForm
    preview_of = "maintenance"
    list_display = ("what", "state", "announced_from", "starts_at", "ends_at", "planned_by_name")
    list_filter = (("cancelled_at", admin.EmptyFieldListFilter),)
    fields = readonly_fields = (
        "what", "state", "announced_from", "starts_at", "ends_at", "cancelled_at", "planned_by_name",
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Cancelled, not deleted: somebody has read it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may: bool = super().has_change_permission(request, obj)
        is_over = obj is not None and (obj.cancelled_at or obj.ends_at <= timezone.now())
        return may and not is_over

    @admin.display(description=gettext_lazy("what"))
    def what(self, row: Maintenance) -> str:
        return words_here(row.headings)

    @display(description=gettext_lazy("state"), label=STATES)
    def state(self, row: Maintenance) -> tuple[str, str]:
        now = timezone.now()
        if row.cancelled_at:
            return "cancelled", _("Cancelled")
        if row.ends_at <= now:
            return "over", _("Over")
        return ("now", _("Going on")) if row.starts_at <= now else ("open", _("Planned"))

    def initial_of(self, row: Maintenance | None) -> dict[str, Any]:
        if row is not None:
            basis = basis_of(row.starts_at, row.ends_at, row.components)
            names = ("starts_at", "ends_at", "announced_from", "components")
            own = {name: getattr(row, name) for name in names}
            return own | _of_row(row, updates.languages()) | {"basis": basis}
        now = timezone.localtime()
        starts = now.replace(hour=22, minute=0, second=0, microsecond=0) + timedelta(days=1)
        ends, parts = starts + timedelta(hours=1), [updates.SCHOOL]
        filled = notices.prefilled(starts_at=starts, ends_at=ends, components=parts)
        return {
            "starts_at": starts,
            "ends_at": ends,
            "announced_from": now.replace(second=0, microsecond=0),
            "components": parts,
            "basis": basis_of(starts, ends, parts),
            **initial_words(filled),
        }

    def title_of(self, row: Maintenance | None) -> str:
        return _("Plan maintenance") if row is None else _("Change the planned maintenance")

    def about(self) -> str:
        return _("It is announced above every page and on the status page until it ends.")

    def more_of(self, row: Maintenance | None) -> list[tuple[str, str]]:
        if row is None:
            return []
        return [(_("Cancel it"), reverse("admin:rollback_maintenance_cancel", args=[row.pk]))]

    def write(self, request: HttpRequest, row: Maintenance | None, form: Any) -> Maintenance:
        answers = form.cleaned_data
        return notices.plan(
            texts=form.texts(),
            components=answers["components"],
            announced_from=answers["announced_from"],
            starts_at=answers["starts_at"],
            ends_at=answers["ends_at"],
            actor=runner.actor_of(request.user),
            now=timezone.now(),
            maintenance=row.pk if row else None,
        )

    def get_urls(self) -> list[Any]:
        cancel: Callable[..., Any] = self.admin_site.admin_view(self.cancel)
        own = path("<path:object_id>/cancel/", cancel, name="rollback_maintenance_cancel")
        return [own, *super().get_urls()]

    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first."""
        row = self._found(request, object_id)
        if not super().has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self._cancel(request, row)
            return HttpResponseRedirect(self._list())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Cancel: %s") % words_here(row.headings),
            "consequence": _("It stands nowhere any more. To have it after all, plan it anew."),
            "button_text": _("Cancel the maintenance"),
            "danger": True,
            "form": forms.Form(),
            "back": reverse("admin:rollback_maintenance_change", args=[row.pk]),
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)

    def _cancel(self, request: HttpRequest, row: Maintenance) -> None:
        try:
            cancelled = notices.cancel(maintenance=row.pk, now=timezone.now())
        except UpdateRefused as refused:
            messages.error(request, str(refused))
        else:
            self.log_change(request, cancelled, _("Cancelled."))
            messages.success(request, _("The maintenance is cancelled."))


@admin.register(Banner)
class BannerAdmin(WordedAdmin):
    form_class = BannerForm
    preview_of = "banner"
    list_display = ("what", "level", "audience", "starts_at", "ends_at", "written_by_name")
    list_filter = ("level", "audience")
    fields = readonly_fields = (
        "what", "level", "audience", "is_dismissible", "starts_at", "ends_at", "written_by_name",
    )  # fmt: skip

    @admin.display(description=gettext_lazy("what"))
    def what(self, row: Banner) -> str:
        return words_here(row.texts)

    def initial_of(self, row: Banner | None) -> dict[str, Any]:
        if row is not None:
            names = ("level", "audience", "starts_at", "ends_at", "is_dismissible")
            return {name: getattr(row, name) for name in names} | _of_row(row, updates.languages())
        now = timezone.localtime().replace(second=0, microsecond=0)
        return {
            "level": Banner.Level.INFO,
            "audience": Banner.Audience.EVERYBODY,
            "is_dismissible": True,
            "starts_at": now,
            "ends_at": now + timedelta(days=1),
        }

    def title_of(self, row: Banner | None) -> str:
        return _("Write a banner") if row is None else _("Change the banner")

    def about(self) -> str:
        return _(
            "A sentence above every page. Incidents and planned maintenance have theirs by themselves."
        )

    def write(self, request: HttpRequest, row: Banner | None, form: Any) -> Banner:
        answers = form.cleaned_data
        return notices.write_banner(
            texts={code: told.text for code, told in form.texts().items()},
            starts_at=answers["starts_at"],
            ends_at=answers["ends_at"],
            actor=runner.actor_of(request.user),
            now=timezone.now(),
            banner=row.pk if row else None,
            **{name: answers[name] for name in ("level", "audience", "is_dismissible")},
        )

    def delete_model(self, request: HttpRequest, obj: Banner) -> None:
        super().delete_model(request, obj)
        notices.taken_down()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        super().delete_queryset(request, queryset)
        notices.taken_down()
