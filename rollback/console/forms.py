from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from rollback.models import Flag, Incident

# What a person may choose: a case to be decided takes nothing away, and so says nothing to people.
KINDS = [one for one in Incident.Kind.choices if one[0] != Incident.Kind.CASE]


class ReasonForm(forms.Form):
    """Every change of a flag says why."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        help_text=_("One sentence for whoever reads the audit later."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class ShareForm(ReasonForm):
    """most: above it only who may raise may go; None: they may."""

    percent = forms.DecimalField(
        label=_("Share in %"),
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=5,
        decimal_places=2,
        help_text=_("0 to 100, two decimals. Who is off at 50 is off at 25."),
        widget=UnfoldAdminDecimalFieldWidget(attrs={"inputmode": "decimal"}),
    )
    field_order = ("percent", "reason")

    def __init__(self, *args: Any, most: Decimal | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.most = most

    def clean_percent(self) -> Decimal:
        percent: Decimal = self.cleaned_data["percent"]
        if self.most is not None and percent > self.most:
            words = gettext(
                "Raising is for administrators: ask one. You may go down from %(most)s %%."
            )
            raise forms.ValidationError(words % {"most": f"{self.most.normalize():f}"})
        return percent


class KillForm(ReasonForm):
    """A kill, and whether it stays."""

    latch = forms.BooleanField(
        label=_("Open an incident"),
        required=False,
        help_text=_("Nobody can bring it back until the incident is resolved."),
        widget=UnfoldBooleanWidget,
    )
    incident = forms.CharField(
        label=_("Title of the incident"),
        required=False,
        max_length=200,
        help_text=_("Left empty, the reason is the title."),
        widget=UnfoldAdminTextInputWidget,
    )

    kind = forms.ChoiceField(
        label=_("What is wrong"),
        required=False,
        choices=KINDS,
        help_text=_("Decides the words that people read meanwhile."),
        widget=UnfoldAdminSelectWidget,
    )
    field_order: Sequence[str] = ("reason", "latch", "incident", "kind")

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if answers.get("kind") and not answers.get("latch"):
            words = _(
                "Tick this to open the incident whose words are shown, or choose “anything else”."
            )
            self.add_error("latch", words)
        if answers.get("incident") and not answers.get("latch"):
            self.add_error("latch", _("Tick this to open the incident, or empty its title."))
        answers["incident"] = answers.get("incident") or answers.get("reason", "")[:200]
        return answers


class ResolveForm(ReasonForm):
    reason = forms.CharField(
        label=_("How it was resolved"),
        max_length=4000,
        help_text=_("What was wrong and what was done, for whoever reads it later."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )


class EarlyForm(forms.ModelForm):  # type: ignore[type-arg]
    """The change page: who has the flag early. Share and kill are actions of their own.

    may_raise: set by the admin's page. Giving it to more people is raising, whatever the share is.
    """

    may_raise = False
    reason = ReasonForm.base_fields["reason"]

    class Meta:
        model = Flag
        fields = ("staff", "superusers", "users")

    def clean_reason(self) -> str:
        reason: Any = self.cleaned_data["reason"]
        return str(reason).strip()

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.may_raise:
            # As it stands in the database: what was shown may be older.
            self._check_fewer(answers, Flag.objects.filter(pk=self.instance.pk).first())
        return answers

    def _check_fewer(self, answers: dict[str, Any], stands: Flag | None) -> None:
        before = set(stands.users.values_list("pk", flat=True)) if stands else set()
        added = [user for user in answers.get("users") or () if user.pk not in before]
        more = [
            name
            for name in ("staff", "superusers")
            if answers.get(name) and not getattr(stands, name, False)
        ]
        for name in [*more, *(["users"] if added else [])]:
            self.add_error(
                name,
                gettext(
                    "Giving it to more people is for administrators: ask one. You may take it from "
                    "whoever has it early."
                ),
            )
