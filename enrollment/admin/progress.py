"""Units at their course, and an enrollment's progress: to be seen there, ticked on a page of its own.

Both tables have a page besides, for their files.
"""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from enrollment.admin.reading import ReadOnlyAdmin
from enrollment.admin.sheets import SheetAdmin
from enrollment.domain.progress import CourseGivenUp
from enrollment.models import CourseUnit, Enrollment, UnitDone, User
from enrollment.operations.progress import take_back, tick
from enrollment.queries.progress import progress_of


class UnitForm(forms.ModelForm):  # type: ignore[type-arg]
    def has_changed(self) -> bool:
        """A new line without a title is no line, whatever position was proposed for it."""
        changed: bool = super().has_changed()
        return changed and (self.instance.pk is not None or "title" in self.changed_data)

    def is_valid(self) -> bool:
        """Where the admin refuses what is protected, in a sentence that lists rows; ours is first."""
        valid: bool = super().is_valid()
        if self.cleaned_data.get(DELETION_FIELD_NAME) and (why := _why_it_stays(self.instance)):
            raise ValidationError(why)
        return valid


class UnitFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    def add_fields(self, form: Any, index: int | None) -> None:
        """A new unit is proposed as the last one."""
        super().add_fields(form, index)
        if form.instance.pk is None:
            last = max((unit.position for unit in self.get_queryset()), default=0)
            form.initial["position"] = last + 1


def _why_it_stays(unit: CourseUnit) -> str:
    """Empty: nobody has done it, and it may go."""
    students = unit.done.count() if unit.pk else 0
    if not students:
        return ""
    words = ngettext(
        "“%(unit)s” cannot be deleted: %(count)d student has done it. Take the tick back at the "
        "enrollment first, or give the unit another title.",
        "“%(unit)s” cannot be deleted: %(count)d students have done it. Take the ticks back at the "
        "enrollments first, or give the unit another title.",
        students,
    )
    return words % {"unit": unit, "count": students}


class UnitInline(TabularInline):
    model = CourseUnit
    form = UnitForm
    formset = UnitFormSet
    fields = ("position", "title")
    ordering_field = "position"
    extra = 1
    tab = True


@admin.register(CourseUnit)
class CourseUnitAdmin(SheetAdmin, ModelAdmin):
    list_display = ("title", "course", "position")
    list_filter = (("course", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("course",)
    ordering = ("course__title", "position", "pk")
    search_fields = ("title", "course__title", "course__slug")
    autocomplete_fields = ("course",)
    fields = ("course", "title", "position")

    def get_readonly_fields(self, request: HttpRequest, obj: CourseUnit | None = None) -> Any:
        """Whoever has done it has done it in this course."""
        return () if obj is None else ("course",)


@admin.register(UnitDone)
class UnitDoneAdmin(SheetAdmin, ReadOnlyAdmin):
    """Ticked and taken back at the enrollment, where its rules are asked; here for the file."""

    list_display = ("student", "course", "unit", "done_at", "by")
    list_display_links = ("unit",)
    list_filter = (("enrollment__course", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("enrollment__student__user", "enrollment__course", "unit", "by")
    list_per_page = 50
    ordering = ("-done_at", "-pk")
    date_hierarchy = "done_at"
    fields = ("enrollment", "unit", "done_at", "by", "lesson")
    search_fields = (
        "enrollment__student__user__last_name",
        "enrollment__student__user__first_name",
        "enrollment__student__user__email",
        "enrollment__course__title",
        "unit__title",
    )

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["enrollment.add_unitdone", "enrollment.change_unitdone"])

    @admin.display(description=_("student"), ordering="enrollment__student__user__last_name")
    def student(self, done: UnitDone) -> str:
        return str(done.enrollment.student)

    @admin.display(description=_("course"), ordering="enrollment__course__title")
    def course(self, done: UnitDone) -> str:
        return str(done.enrollment.course)


class TickMixin(ModelAdmin):
    """What `EnrollmentAdmin` shows and does about units."""

    @action(description=_("Tick units"), url_path="units", permissions=["view"], icon="checklist")
    def tick_units(self, request: HttpRequest, object_id: str) -> HttpResponse:
        enrollment: Enrollment | None = self.get_object(request, object_id)
        if enrollment is None:
            raise Http404
        may_tick = _may_tick(request)
        if request.method == "POST":
            if not may_tick:
                raise PermissionDenied
            return self._press(request, enrollment)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Units of %(enrollment)s") % {"enrollment": enrollment},
            "progress": progress_of(enrollment),
            "may_tick": may_tick,
            "back": reverse("admin:enrollment_enrollment_change", args=[enrollment.pk]),
        }
        return TemplateResponse(request, "admin/enrollment/units.html", context)

    def _press(self, request: HttpRequest, enrollment: Enrollment) -> HttpResponse:
        form = PressForm(request.POST, enrollment=enrollment)
        if not form.is_valid():
            self.message_user(request, gettext("Nothing was changed: choose a unit."), "ERROR")
            return HttpResponseRedirect(request.path)
        unit = form.cleaned_data["done"] or form.cleaned_data["back"]
        try:
            if form.cleaned_data["done"]:
                by = cast(User, request.user)
                tick(enrollment=enrollment, unit=unit, by=by, now=timezone.now())
                words = gettext("Done: %(unit)s.")
            else:
                take_back(enrollment=enrollment, unit=unit)
                words = gettext("Taken back: %(unit)s.")
            self.message_user(request, words % {"unit": unit}, "SUCCESS")
        except CourseGivenUp:
            words = gettext(
                "This enrollment was declined or cancelled; its progress stays as it is."
            )
            self.message_user(request, words, "ERROR")
        return HttpResponseRedirect(request.path)


class PressForm(forms.Form):
    """Which button was pressed: exactly one of both."""

    done = forms.ModelChoiceField(queryset=CourseUnit.objects.none(), required=False)
    back = forms.ModelChoiceField(queryset=CourseUnit.objects.none(), required=False)

    def __init__(self, *args: Any, enrollment: Enrollment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("done", "back"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = enrollment.course.units.all()

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(answers.get("done")) == bool(answers.get("back")):
            raise ValidationError(gettext("Choose a unit."))
        return answers


def _may_tick(request: HttpRequest) -> bool:
    return request.user.has_perms(["enrollment.add_unitdone", "enrollment.delete_unitdone"])


def progress_in_words(enrollment: Enrollment) -> str:
    """For the enrollment's page: how many, and which."""
    progress = progress_of(enrollment)
    if not progress.all:
        return gettext("This course has no units.")
    head = gettext("%(done)d of %(all)d units done") % {"done": progress.done, "all": progress.all}
    done = [(_done_in_words(step.done),) for step in progress.steps if step.done]
    return format_html("{}<ul>{}</ul>", head, format_html_join("", "<li>{}</li>", done))


def _done_in_words(done: UnitDone) -> str:
    day = date_format(timezone.localdate(done.done_at))
    return ", ".join(str(part) for part in (done.unit, day, done.by) if part)
