"""What is typed on the page of the phases."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from rollback.console.forms import ReasonForm
from rollback.console.phase_words import target_words
from rollback.models import Incident, PhaseRun

WHOLE = "whole"


def the_word() -> str:
    """What is typed before tables are moved, in the reader's language."""
    return gettext("archive")


class PhaseForm(ReasonForm):
    """may_bring_back: who may raise. incidents: the open ones."""

    target = forms.ChoiceField(
        label=_("What"),
        help_text=_(
            "Tables are never moved before a second person has approved it; what comes before in the "
            "sequence does not wait for that."
        ),
        widget=forms.RadioSelect,
    )
    mode = forms.ChoiceField(
        label=_("How"),
        choices=PhaseRun.Mode.choices,
        initial=PhaseRun.Mode.KILL,
        help_text=_("Either way everything that was typed is kept as a draft."),
        widget=forms.RadioSelect,
    )
    incident = forms.TypedChoiceField(
        label=_("Incident"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Every step and the proof stand in its timeline."),
        widget=UnfoldAdminSelectWidget,
    )
    word = forms.CharField(
        label="",
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    accept_changes = forms.BooleanField(
        label=_("Bring back also what was changed in the archive; else nothing is moved then"),
        required=False,
        widget=UnfoldBooleanWidget,
    )
    field_order = ("target", "mode", "incident", "reason", "word", "accept_changes")
    is_whole = False

    def __init__(
        self, *args: Any, may_bring_back: bool, incidents: Sequence[Incident], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.may_bring_back = may_bring_back
        fields: Any = self.fields
        fields["reason"].max_length = 500
        fields["reason"].widget.attrs["maxlength"] = 500
        fields["reason"].validators = [*fields["reason"].validators, _at_most]
        fields["target"].choices = [
            ("3", target_words(3)),
            ("2", target_words(2)),
            ("1", target_words(1)),
            (WHOLE, target_words(1, whole=True)),
            ("0", target_words(0)),
        ]
        none = gettext("the one that holds the features, or a new one")
        fields["incident"].choices = [("", none), *((one.pk, str(one)) for one in incidents)]
        fields["word"].label = gettext("When tables are archived: type “%(word)s”") % {
            "word": the_word()
        }

    def clean_target(self) -> int:
        """`is_whole` says whether it was the sequence."""
        chosen = self.cleaned_data["target"]
        self.is_whole = chosen == WHOLE
        target = int(PhaseRun.Target.TABLES) if self.is_whole else int(chosen)
        if target == PhaseRun.Target.BACK and not self.may_bring_back:
            raise forms.ValidationError(
                gettext("Bringing back is for administrators: ask one. Going down is for all here.")
            )
        return target

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        typed = str(answers.get("word") or "").strip().strip("“”„«»\"'").casefold()
        if answers.get("target") == PhaseRun.Target.TABLES and typed != the_word().casefold():
            words = gettext("Type the word “%(word)s” here; nothing was asked for yet.")
            self.add_error("word", words % {"word": the_word()})
        return answers


def _at_most(reason: str) -> None:
    if len(reason) > 500:
        raise forms.ValidationError(gettext("At most 500 characters."))


class ApproveForm(forms.Form):
    """Nothing to fill in but the word: it is the second time that somebody means it."""

    word = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["word"].label = gettext("Type “%(word)s”") % {"word": the_word()}

    def clean_word(self) -> str:
        typed: str = self.cleaned_data["word"].strip().strip("“”„«»\"'")
        if typed.casefold() != the_word().casefold():
            words = gettext("Type the word “%(word)s” here; nothing was approved yet.")
            raise forms.ValidationError(words % {"word": the_word()})
        return typed
