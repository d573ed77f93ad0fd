"""The page that answers “why does this person not see it?”."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from rollback import exposure


class WhoForm(forms.Form):
    who = forms.CharField(
        label=gettext_lazy("Person, token or visitor"),
        max_length=300,
        help_text=gettext_lazy(
            "A mail address, the first 15 characters of an API token, or a visitor's cookie."
        ),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_who(self) -> exposure.Known:
        try:
            return exposure.find(self.cleaned_data["who"])
        except exposure.NobodyFound as nobody:
            raise forms.ValidationError(str(nobody)) from nobody


class WhoPage(ModelAdmin):
    @action(
        description=gettext_lazy("Who has what"),
        url_path="who",
        permissions=["view"],
        icon="person_search",
    )
    def who(self, request: HttpRequest) -> HttpResponse:
        """Asked with GET: nothing changes, and the address can be passed on."""
        form = WhoForm(request.GET if "who" in request.GET else None)
        known = form.cleaned_data["who"] if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Who has what"),
            "form": form,
            "known": known,
            "rows": _rows(known) if known else [],
            "back": reverse("admin:rollback_flag_changelist"),
        }
        return TemplateResponse(request, "admin/rollback/who.html", context)


def _rows(known: exposure.Known) -> list[tuple[str, bool, str]]:
    return [
        (exposure.title(flag), answer.on, exposure.in_words(answer))
        for flag, answer in exposure.answers(known.subject).items()
    ]
