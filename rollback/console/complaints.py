"""What people reported, in the admin: open ones first, answered in words, entered for who calls."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment.admin.reading import ReadOnlyAdmin
from enrollment.forms import PlainText
from enrollment.models import User
from rollback import complaints, exposure, registry, runner, switchboard
from rollback.complaints.forms import ReportForm
from rollback.models import Complaint


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("done", _("Answered"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() in ("open", "done"):
            return queryset.filter(done_at__isnull=self.value() == "open")
        return queryset


class FeatureFilter(admin.SimpleListFilter):
    """Whether those with a feature complain, or those without."""

    title = gettext_lazy("feature on for them")
    parameter_name = "feature"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        found = [(feature.flag, feature.title) for feature in registry.features()]
        return [*found, ("none", _("None of them"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "none":
            return queryset.filter(features=[])
        # Whatever else somebody writes into the address is no flag, and filters nothing.
        is_known = self.value() in {feature.flag for feature in registry.features()}
        return queryset.filter(features__contains=[self.value()]) if is_known else queryset


class AnswerForm(forms.Form):
    words = PlainText(
        label=gettext_lazy("What was done"),
        max_length=4000,
        help_text=gettext_lazy("For colleagues, and in the person's copy of their data."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        error_messages={"required": gettext_lazy("Say in words what was done.")},
    )


class EnterForm(ReportForm):
    """The same as everybody's, by somebody of the office, who may know whose it is."""

    who = forms.CharField(
        label=gettext_lazy("Mail address"),
        required=False,
        max_length=254,
        help_text=gettext_lazy("Of whom it comes from. Left empty, it counts as somebody unknown."),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "email"}),
    )
    field_order = ("who", "kind", "text")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        kind, text = self.fields["kind"], self.fields["text"]
        kind.widget = UnfoldAdminRadioSelectWidget(choices=Complaint.Kind.choices)
        text.widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})
        text.help_text = _("As they told it. At most %(most)s characters.") % {"most": 2000}

    def clean_who(self) -> User | None:
        address = str(self.cleaned_data["who"]).strip()
        found = User.objects.filter(email__iexact=address, is_active=True).first()
        if address and found is None:
            raise forms.ValidationError(
                _("Nobody has this address. Correct it, or leave it empty and say who it is below.")
            )
        return found


@admin.register(Complaint)
class ComplaintAdmin(ReadOnlyAdmin):
    list_display = ("summary", "state", "kind", "name", "path", "reported_at")
    list_display_links = ("summary",)
    list_filter = (StateFilter, "kind", FeatureFilter)
    list_select_related = ("by",)
    search_fields = ("text", "path", "answer", "by__email", "by__last_name")
    fields = (
        "in_words", "kind", "whole_text", "path", "who", "on", "reported_at", "done_at",
        "done_by_name", "answer",
    )  # fmt: skip
    readonly_fields = ("in_words", "whole_text", "who", "on")
    actions_list = ("enter",)
    actions_detail = ("give_answer",)
    actions_detail_hide_default = True
    list_before_template = "admin/rollback/complaints.html"

    def has_answer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """What was said is corrected nowhere; with this it is answered, and entered."""
        return request.user.has_perm("rollback.change_complaint")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        complaint = self.get_object(request, object_id)
        if complaint is None or complaint.done_at is not None:
            return []
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        people = complaints.people_of_the_last_hour()
        words = ngettext(
            "%(people)s person has reported something in the last hour.",
            "%(people)s people have reported something in the last hour.",
            people,
        )
        context = {**(extra_context or {}), "how_many": words % {"people": people}}
        page: HttpResponse = super().changelist_view(request, context)
        return page

    @admin.display(description=gettext_lazy("what happened"))
    def summary(self, complaint: Complaint) -> str:
        return Truncator(complaint.text).chars(80) or "–"

    @admin.display(description=gettext_lazy("what happened"))
    def whole_text(self, complaint: Complaint) -> str:
        return format_html('<div class="whitespace-pre-wrap">{}</div>', complaint.text or "–")

    @display(description=gettext_lazy("state"), label={"open": "warning", "done": "success"})
    def state(self, complaint: Complaint) -> tuple[str, str]:
        return "open" if complaint.done_at is None else "done", self.in_words(complaint)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, complaint: Complaint) -> str:
        return _("Open") if complaint.done_at is None else _("Answered")

    @admin.display(description=gettext_lazy("by"))
    def who(self, complaint: Complaint) -> str:
        address = f" <{complaint.by.email}>" if complaint.by is not None else ""
        return self.name(complaint) + address

    @admin.display(description=gettext_lazy("by"), ordering="by__last_name")
    def name(self, complaint: Complaint) -> str:
        if complaint.by is not None:
            return str(complaint.by)
        return _("A visitor") if complaint.reporter.startswith("a:") else _("Somebody unknown")

    @admin.display(description=gettext_lazy("features on"))
    def on(self, complaint: Complaint) -> str:
        return ", ".join(exposure.title(flag) for flag in complaint.features) or "–"

    @action(
        description=gettext_lazy("Enter a report for somebody"),
        url_path="enter",
        permissions=["answer"],
        icon="call",
    )
    def enter(self, request: HttpRequest) -> HttpResponse:
        """For who calls: the same operation as the form on each page."""
        form = EnterForm(request.POST or None)
        back = reverse("admin:rollback_complaint_changelist")
        if request.method == "POST" and form.is_valid():
            user = form.cleaned_data["who"]
            entered = complaints.report(
                kind=form.cleaned_data["kind"],
                text=form.cleaned_data["text"],
                path="",
                user=user,
                reporter=switchboard.subject_of(user).key if user else complaints.nobody(),
                features=switchboard.flags_on(user) if user else (),
            )
            self.log_addition(request, entered, "Entered for somebody.")
            self.message_user(request, _("The report is entered."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        return self._ask(
            request,
            form,
            title=_("Enter a report for somebody"),
            consequence=_("It counts as if they had sent it themselves."),
            button=_("Enter"),
            back=back,
        )

    @action(
        description=gettext_lazy("Answer"),
        url_path="answer",
        permissions=["answer"],
        icon="task_alt",
    )
    def give_answer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        complaint: Complaint | None = self.get_object(request, object_id)
        if complaint is None:
            raise Http404
        back = reverse("admin:rollback_complaint_change", args=[complaint.pk])
        form = AnswerForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                complaints.answer(
                    complaint=complaint.pk,
                    words=form.cleaned_data["words"],
                    actor=runner.actor_of(request.user),
                )
            except complaints.CannotAnswer as refused:
                form.add_error(None, str(refused))
            else:
                self.message_user(request, _("The report is answered."), messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:rollback_complaint_changelist"))
        return self._ask(
            request,
            form,
            title=_("Answer: %(kind)s") % {"kind": complaint.get_kind_display()},
            consequence=complaint.text,
            button=_("Save"),
            back=back,
        )

    def _ask(
        self, request: HttpRequest, form: forms.Form, *, title: str, consequence: str, button: str,
        back: str,
    ) -> HttpResponse:  # fmt: skip
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "consequence": consequence,
            "button_text": button,
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)
