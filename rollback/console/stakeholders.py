"""The management's list: who gets the briefings, in which language, and whether a mail arrives."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from rollback import briefing, runner
from rollback.models import DeafAddress, Stakeholder


def language_name(code: str) -> str:
    """In the reader's language; of one that is not offered any more its code."""
    known = code in dict(settings.LANGUAGES)
    return str(translation.get_language_info(code)["name_translated"]) if known else code


class StakeholderForm(forms.ModelForm):  # type: ignore[type-arg]
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        help_text=gettext_lazy("In which they get the briefings."),
        choices=lambda: [(code, language_name(code)) for code, _name in settings.LANGUAGES],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Stakeholder
        fields = ("name", "email", "language", "is_active")

    def clean_email(self) -> str:
        """At its field; the database would say it of the whole form. Upper case is no other address."""
        email: str = self.cleaned_data["email"]
        others = Stakeholder.objects.exclude(pk=self.instance.pk)
        if other := others.filter(email__iexact=email).first():
            words = _("This address is on the list already: %(name)s. Change that row instead.")
            raise forms.ValidationError(words % {"name": other.name})
        return email


@admin.register(Stakeholder)
class StakeholderAdmin(ModelAdmin):
    form = StakeholderForm
    list_display = ("name", "email", "in_words", "state", "added_by_name", "added_at")
    list_filter = ("is_active", "language")
    search_fields = ("name", "email")
    readonly_fields = ("added_by_name", "added_at")
    fields = ("name", "email", "language", "is_active", *readonly_fields)
    actions_detail = ("test",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stakeholder]:
        deaf = DeafAddress.objects.filter(email__iexact=OuterRef("email"))
        found: QuerySet[Stakeholder] = super().get_queryset(request)
        return found.annotate(is_deaf=Exists(deaf))

    def get_fields(self, request: HttpRequest, obj: Stakeholder | None = None) -> Any:
        return (
            self.fields if obj else [one for one in self.fields if one not in self.readonly_fields]
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"language": settings.LANGUAGE_CODE, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Stakeholder, form: Any, change: bool) -> None:
        if not change:
            obj.added_by_name = runner.actor_of(request.user).name[:150]
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("language"), ordering="language")
    def in_words(self, one: Stakeholder) -> str:
        return language_name(one.language)

    @display(
        description=gettext_lazy("state"),
        label={"on": "success", "off": "default", "deaf": "danger"},
    )
    def state(self, one: Stakeholder) -> tuple[str, str]:
        if not one.is_active:
            return "off", _("gets none")
        if one.is_deaf:  # type: ignore[attr-defined]
            return "deaf", _("no mail reaches this address")
        return "on", _("gets briefings")

    def has_send_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("rollback.send")

    @action(
        description=gettext_lazy("Send a test"),
        url_path="test",
        permissions=["send"],
        icon="outgoing_mail",
    )
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        one: Stakeholder | None = self.get_object(request, object_id)
        if one is None:
            raise Http404
        back = reverse("admin:rollback_stakeholder_change", args=[one.pk])
        if request.method == "POST":
            briefing.send_test(to=one, actor=runner.actor_of(request.user))
            words = _("A test is in the outbox, to %(name)s.") % {"name": one.name}
            self.message_user(request, words, messages.SUCCESS)
            return HttpResponseRedirect(back)
        told = {"name": one.name, "language": self.in_words(one)}
        consequence = _(
            "%(name)s gets a briefing that says that it is a test and that nothing has happened, in "
            "%(language)s."
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Send a test to %(name)s") % {"name": one.name},
            "button_text": _("Send the test"),
            "consequence": consequence % told,
            "form": forms.Form(),
            "back": back,
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)
