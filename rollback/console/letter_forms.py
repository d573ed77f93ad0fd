from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment.models import User
from rollback.domain.letters import Audience, Letter
from rollback.models import AffectedPerson, Incident
from rollback.words import grammar

MAIL, TEXT = "mail", "text"
# The newest; who looks for an older one finds the letters that it has sent at the incident itself.
INCIDENTS_OFFERED = 30


class LetterForm(forms.Form):
    """What is wrong with the words says `rollback.words.check`, field by field, and not this form.

    seen: the version that was shown, so that nobody undoes what they have not read.
    """

    subject = forms.CharField(
        label=_("Subject"), required=False, strip=False, widget=UnfoldAdminTextInputWidget
    )
    text = forms.CharField(
        label=_("Text"),
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "spellcheck": "true"}),
        help_text=_(
            "A blank line begins a paragraph. A line that ends with a colon, and an address alone in the "
            "next one, become a button; lines that begin with “- ” a list."
        ),
    )
    html = forms.CharField(
        label=_("HTML"),
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Usually empty: it is made from the text then, and says the same."),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    incident = forms.ModelChoiceField(
        label=_("Filled with"),
        required=False,
        queryset=Incident.objects.none(),
        empty_label=_("Samples"),
        widget=UnfoldAdminSelectWidget,
    )
    person = forms.CharField(
        label=_("As this person would read it"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "email"}),
        help_text=_("The e-mail address of somebody whom the incident concerns."),
    )
    show = forms.ChoiceField(
        label=_("Shown as"),
        required=False,
        choices=((MAIL, _("Mail")), (TEXT, _("Plain text"))),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(
        self,
        *args: Any,
        letter: Letter,
        user: AbstractBaseUser | AnonymousUser,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.letter = letter
        fields: Any = self.fields
        for name in ("subject", "text", "html"):
            fields[name].widget.attrs["maxlength"] = grammar.LONGEST[name]
        fields["subject"].required = fields["text"].required = False
        if letter.audience == Audience.PUBLIC:
            fields["subject"].label = _("Heading")
            del fields["html"], fields["show"]
        about_one = letter.states and user.has_perm("rollback.view_incident")  # type: ignore[union-attr]
        if about_one:
            newest = Incident.objects.order_by("-pk").values_list("pk", flat=True)
            offered = list(newest[:INCIDENTS_OFFERED])
            fields["incident"].queryset = Incident.objects.filter(pk__in=offered).order_by("-pk")
            fields["incident"].label_from_instance = _named
        else:
            del fields["incident"]
        sees_people = user.has_perm("rollback.view_affectedperson")  # type: ignore[union-attr]
        if not about_one or not sees_people or letter.audience != Audience.PEOPLE:
            del fields["person"]

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        answers["person_found"] = None
        typed = answers.get("person", "").strip()
        if typed and not answers.get("incident"):
            self.add_error("incident", gettext("Choose the incident that concerns this person."))
        elif typed:
            answers["person_found"] = self._concerned(answers["incident"], typed)
        return answers

    def _concerned(self, incident: Incident, address: str) -> User | None:
        concerned = AffectedPerson.objects.filter(incident=incident, user__email__iexact=address)
        found = concerned.select_related("user__student", "user__teacher").first()
        if found is None:
            words = gettext(
                "This incident concerns nobody with that address. Whom it concerns stands on its page."
            )
            self.add_error("person", words)
            return None
        return found.user

    @property
    def words(self) -> Any:
        """subject, text and html as they were typed, also where something else is wrong."""
        return {
            name: str(self.data.get(name, "")) if name in self.fields else ""
            for name in ("subject", "text", "html")
        }


def _named(incident: Any) -> str:
    return gettext("Incident %(number)s: %(title)s") % {
        "number": incident.pk,
        "title": incident.title,
    }
