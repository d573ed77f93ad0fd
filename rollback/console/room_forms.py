"""What is typed at the console: how to take everything back, and a plan."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from rollback import exposure, registry
from rollback.console.forms import KillForm, ReasonForm
from rollback.models import Plan

MOST_STEPS = 10
HUNDRED = Decimal(100)
Steps = Sequence[tuple[Decimal, int]]


def the_word() -> str:
    """What is typed to take everything back, in the reader's language."""
    return gettext("everything")


class WordForm(forms.Form):
    """What takes everything back is typed, so that no click too many does it."""

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
            words = gettext("Type the word “%(word)s” here; nothing was changed yet.")
            raise forms.ValidationError(words % {"word": the_word()})
        return typed


class TakeBackForm(WordForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        help_text=_("What you see. It becomes the incident's title."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class KillEverythingForm(WordForm, KillForm):
    field_order = ("word", *KillForm.field_order)


class PlanForm(ReasonForm):
    """A way down or up. `steps` become (share, seconds to wait afterwards)."""

    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=[
            (Plan.Direction.DOWN.value, _("Step back")),
            (Plan.Direction.UP.value, _("Bring back")),
        ],
        widget=forms.RadioSelect,
    )
    flags = forms.MultipleChoiceField(
        label=_("Features"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Changed together. What needs one of them goes off with it."),
    )
    mode = forms.ChoiceField(
        label=_("People in the middle of an enrollment"),
        choices=[
            (Plan.Mode.DRAIN.value, _("move last, after ten minutes at the latest")),
            (Plan.Mode.KILL.value, _("move with everybody else")),
        ],
        initial=Plan.Mode.DRAIN.value,
        widget=forms.RadioSelect,
    )
    steps = forms.CharField(
        label=_("Shares in %, one after the other"),
        max_length=200,
        help_text=_("For example 50, 25, 0 to step back, or 5, 25, 50, 100 to bring back."),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "text", "autocomplete": "off"}),
    )
    minutes = forms.IntegerField(
        label=_("Minutes between two steps"),
        min_value=0,
        max_value=7 * 24 * 60,
        initial=10,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    field_order = ("direction", "flags", "steps", "minutes", "mode", "reason")

    def __init__(self, *args: Any, may_raise: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.may_raise = may_raise
        features: Any = self.fields["flags"]
        features.choices = [(one.flag, exposure.title(one.flag)) for one in registry.features()]

    def clean_direction(self) -> str:
        direction: str = self.cleaned_data["direction"]
        if direction == Plan.Direction.UP and not self.may_raise:
            raise forms.ValidationError(
                gettext(
                    "Raising is for administrators: ask one. Stepping back is for everybody here."
                )
            )
        return direction

    def clean_steps(self) -> list[Decimal]:
        """Separated by whatever people write between numbers."""
        typed = self.cleaned_data["steps"].replace("%", " ")
        shares = [_share(one) for one in re.split(r"[\s,;→>/]+", typed) if one]
        if not 0 < len(shares) <= MOST_STEPS:
            words = gettext("Give one to %(most)s shares, such as 50, 25, 0.")
            raise forms.ValidationError(words % {"most": MOST_STEPS})
        return shares

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        shares, direction = answers.get("steps"), answers.get("direction")
        if shares and direction:
            self._check_order(shares, is_down=direction == Plan.Direction.DOWN)
        return answers

    def _check_order(self, shares: Sequence[Decimal], *, is_down: bool) -> None:
        wanted = sorted(set(shares), reverse=is_down)
        if list(shares) != wanted:
            words = (
                gettext("Each share must be below the one before: %(shares)s.")
                if is_down
                else gettext("Each share must be above the one before: %(shares)s.")
            )
            order = ", ".join(f"{share.normalize():f}" for share in wanted)
            self.add_error("steps", words % {"shares": order})

    @property
    def chosen_steps(self) -> list[tuple[Decimal, int]]:
        """After the last one there is nothing to wait for."""
        seconds = 60 * self.cleaned_data["minutes"]
        shares = self.cleaned_data["steps"]
        return [*((share, seconds) for share in shares[:-1]), (shares[-1], 0)]


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 <= share <= HUNDRED and share == round(share, 2)):
        words = gettext("“%(text)s” is no share; give numbers from 0 to 100, two decimals at most.")
        raise forms.ValidationError(words % {"text": text[:40]})
    return share
