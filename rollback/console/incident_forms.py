from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from enrollment.models import User
from rollback import registry
from rollback.console.forms import KINDS, ReasonForm
from rollback.domain import decisions
from rollback.models import Incident

ROWS_OF_ACTIONS = 3


def _features() -> list[tuple[str, Any]]:
    return [(feature.flag, feature.title) for feature in registry.features()]


class AcknowledgeForm(forms.Form):
    """Nothing is asked: the button says it."""


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Note"),
        max_length=4000,
        help_text=_("What you saw or did. It stays in the timeline as it is; name nobody."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )


class DecideForm(ReasonForm):
    field = forms.ChoiceField(
        label=_("Decision"),
        choices=[(key, key) for key in decisions.BY_KEY],
        error_messages={
            "required": _("Choose one field of the matrix."),
            "invalid_choice": _("Choose one field of the matrix."),
        },
        widget=forms.RadioSelect,
    )
    field_order = ("field", "reason")


class TakeAwayForm(ReasonForm):
    flags = forms.MultipleChoiceField(
        label=_("Features to take away"),
        choices=_features,
        error_messages={"required": _("Choose at least one feature.")},
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    field_order = ("flags", "reason")


class OpenForm(forms.Form):
    """By hand, with or without taking something away."""

    title = forms.CharField(
        label=_("Title"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )
    severity = forms.TypedChoiceField(
        label=_("Severity"),
        coerce=int,
        choices=Incident.Severity.choices,
        initial=Incident.Severity.THREE,
        widget=UnfoldAdminSelectWidget,
    )
    flags = forms.MultipleChoiceField(
        label=_("Features it is about"),
        required=False,
        choices=_features,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    take_away = forms.BooleanField(
        label=_("Take them away now, for everybody"),
        required=False,
        help_text=_("Nobody can bring them back until the incident is resolved."),
        widget=UnfoldBooleanWidget,
    )
    kind = forms.ChoiceField(
        label=_("What is wrong"),
        required=False,
        choices=KINDS,
        help_text=_("Decides the words that people read where something is taken away."),
        widget=UnfoldAdminSelectWidget,
    )
    cause = forms.CharField(
        label=_("What was seen"),
        max_length=4000,
        help_text=_("One or two sentences, for whoever takes it up."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, may_take_away: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_take_away:
            del self.fields["take_away"]

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if answers.get("take_away") and not answers.get("flags") and "flags" not in self.errors:
            self.add_error("flags", _("Choose what is to be taken away, or untick it below."))
        return answers


class ReviewForm(forms.Form):
    """What no machine can fill in. Further actions can be added by reviewing again."""

    root_cause = forms.CharField(
        label=_("Root cause"),
        max_length=8000,
        help_text=_("What made it possible, not who. Name nobody."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    lessons = forms.CharField(
        label=_("Lessons learned"),
        max_length=8000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, ROWS_OF_ACTIONS + 1):
            self.fields |= _action(number)

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        for number in range(1, ROWS_OF_ACTIONS + 1):
            text, who, due = _names(number)
            told = answers.get(who) or answers.get(due)
            if told and not answers.get(text) and text not in self.errors:
                self.add_error(text, _("Say what is to be done, or empty the two beside it."))
        return answers

    def actions(self) -> Iterator[tuple[str, User | None, date | None]]:
        for number in range(1, ROWS_OF_ACTIONS + 1):
            text, who, due = (self.cleaned_data.get(name) for name in _names(number))
            if text:
                yield text, who, due


def _names(number: int) -> tuple[str, str, str]:
    return f"action_{number}", f"who_{number}", f"due_{number}"


def _action(number: int) -> dict[str, forms.Field]:
    text, who, due = _names(number)
    facts = {"number": number}
    return {
        text: forms.CharField(
            label=_("Action %(number)s") % facts,
            max_length=300,
            required=False,
            widget=UnfoldAdminTextInputWidget,
        ),
        who: forms.ModelChoiceField(
            label=_("By whom, action %(number)s") % facts,
            queryset=User.objects.filter(is_staff=True, is_active=True).order_by(
                "last_name", "first_name", "pk"
            ),
            required=False,
            widget=UnfoldAdminSelectWidget,
        ),
        due: forms.DateField(
            label=_("Until, action %(number)s") % facts,
            required=False,
            # The browser's own calendar; where it has none, 2026-04-01 is typed.
            widget=forms.DateInput(
                format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(INPUT_CLASSES)}
            ),
        ),
    }
