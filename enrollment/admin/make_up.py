"""Make-up credits: lessons that the school owes. Granted where a lesson is cancelled, used up here or
when the next one is planned."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from enrollment.admin.pressed import PressedAdmin, Refused
from enrollment.models import Enrollment, MakeUpCredit
from enrollment.operations.lessons import describe
from enrollment.operations.make_up import DoesNotMakeUp, use
from enrollment.queries.make_up import OPEN, may_make_up, open_credits


def credits_in_words(enrollment: Enrollment) -> str:
    count = open_credits(enrollment).count()
    if not count:
        return gettext("None")
    words = ngettext("%(count)d lesson is owed", "%(count)d lessons are owed", count)
    return words % {"count": count}


class CreditForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "used_lesson" in self.fields:
            field: Any = self.fields["used_lesson"]
            field.widget = UnfoldAdminSelectWidget()
            field.queryset = may_make_up(self.instance)
            field.label_from_instance = describe
            field.empty_label = gettext("Not made up yet")
            field.help_text = gettext("One of the enrollment's lessons. It makes up for one only.")
            field.widget.choices = field.choices


class OpenFilter(admin.SimpleListFilter):
    title = _("made up")
    parameter_name = "made_up"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Still owed")), ("yes", _("Made up"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[MakeUpCredit]
    ) -> QuerySet[MakeUpCredit]:
        if self.value() == "no":
            return queryset.filter(OPEN)
        return queryset.exclude(OPEN) if self.value() == "yes" else queryset


@admin.register(MakeUpCredit)
class MakeUpCreditAdmin(PressedAdmin):
    form = CreditForm
    list_display = ("student", "course", "minutes", "granted_at", "state")
    list_display_links = ("student", "course")
    list_filter = (OpenFilter,)
    list_select_related = ("enrollment__student__user", "enrollment__course", "used_lesson")
    ordering = ("-granted_at", "-pk")
    search_fields = (
        "enrollment__student__user__last_name",
        "enrollment__student__user__email",
        "enrollment__course__title",
    )
    fields = (
        "enrollment",
        "cancelled",
        "minutes",
        "granted_at",
        "granted_by",
        "used_lesson",
        "note",
    )
    readonly_fields = ("enrollment", "cancelled", "minutes", "granted_at", "granted_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MakeUpCredit]:
        owed: QuerySet[MakeUpCredit] = super().get_queryset(request)
        return owed.select_related(
            "enrollment__student__user", "enrollment__course", "lesson", "used_lesson", "granted_by"
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("student"), ordering="enrollment__student__user__last_name")
    def student(self, credit: MakeUpCredit) -> str:
        return str(credit.enrollment.student)

    @admin.display(description=_("course"), ordering="enrollment__course__title")
    def course(self, credit: MakeUpCredit) -> str:
        return str(credit.enrollment.course)

    @admin.display(description=_("cancelled lesson"))
    def cancelled(self, credit: MakeUpCredit) -> str:
        return describe(credit.lesson)

    @display(description=_("status"), label={"open": "warning", "used": "success"})
    def state(self, credit: MakeUpCredit) -> tuple[str, str]:
        if credit.is_open:
            return "open", gettext("Still owed")
        return "used", gettext("Made up")

    def save_model(self, request: HttpRequest, obj: MakeUpCredit, form: Any, change: bool) -> None:
        answers = form.cleaned_data
        try:
            use(
                credit=obj,
                lesson=answers["used_lesson"],
                note=answers["note"],
                now=timezone.now(),
            )
        except DoesNotMakeUp as refused:
            words = gettext("This lesson makes up for another one by now, or is cancelled.")
            raise Refused(words) from refused
