from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from enrollment.admin.lesson_form import TeacherHere
from enrollment.models import Course, Teacher
from enrollment.operations import look_again
from enrollment.queries.people import teachers_here
from scheduling.models import BookingPolicy
from scheduling.operations.policies import one_policy_at_a_time
from scheduling.queries.policies import explained


class CountsForm(forms.Form):
    """For whom it is asked what counts."""

    teacher = forms.ModelChoiceField(
        label=_("Teacher"),
        queryset=Teacher.objects.none(),
        widget=UnfoldAdminSelectWidget,
        empty_label=_("Choose a teacher"),
    )
    course = forms.ModelChoiceField(
        label=_("Course"),
        queryset=Course.objects.all(),
        widget=UnfoldAdminSelectWidget,
        empty_label=_("Choose a course"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["teacher"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = teachers_here()


@admin.register(BookingPolicy)
class BookingPolicyAdmin(ModelAdmin):
    form = TeacherHere
    list_display = (
        "whose",
        "lesson_minutes",
        "buffer_before",
        "buffer_after",
        "notice_minutes",
        "horizon_days",
        "most_a_day",
        "most_a_week",
    )
    list_filter = (
        ("teacher", admin.RelatedOnlyFieldListFilter),
        ("course", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("teacher", "course")
    list_per_page = 50
    search_fields = ("teacher__display_name", "course__title")
    autocomplete_fields = ("teacher", "course")
    actions_list = ("counts",)
    pages = (("counts", _("What counts")),)
    fieldsets = (
        (None, {"fields": (("teacher", "course"),)}),
        (
            _("Lessons"),
            {
                "fields": (
                    ("lesson_minutes", "step_minutes"),
                    ("buffer_before", "buffer_after"),
                    ("most_a_day", "most_a_week"),
                )
            },
        ),
        (_("Booking"), {"fields": (("notice_minutes", "horizon_days"),)}),
        (
            _("Changes"),
            {"fields": (("cancel_notice_hours", "move_notice_hours"), "automatic_moves")},
        ),
    )

    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # As for hours: inside Django's transaction, and before it validates.
        if request.method == "POST":
            one_policy_at_a_time(teacher_id=request.POST.get("teacher", ""))
        response: HttpResponse = super()._changeform_view(request, *args, **kwargs)
        return response

    def save_model(self, request: HttpRequest, obj: BookingPolicy, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # No lesson stands wrong by a policy, but one may book nothing, or let lessons be moved.
        look_again.after_commit()

    @admin.display(description=_("for"))
    def whose(self, policy: BookingPolicy) -> str:
        return str(policy)

    @action(description=_("What counts"), url_path="counts", permissions=["view"], icon="rule")
    def counts(self, request: HttpRequest) -> HttpResponse:
        """For one teacher and course, line by line, with where it is said."""
        form = CountsForm(request.GET if request.GET else None)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("What counts for bookings"),
            "form": form,
        }
        if form.is_valid():
            context["asked"] = form.cleaned_data
            context["lines"] = explained(**form.cleaned_data)
        return TemplateResponse(request, "admin/scheduling/bookingpolicy/counts.html", context)
