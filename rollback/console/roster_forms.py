"""Who is on call: filled in with errors at the field that is meant."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.timezone import get_default_timezone_name, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment.models import User
from rollback.domain.letters import BY_KEY
from rollback.domain.sendings import BY_ITSELF
from rollback.models import Channel, OnCallPolicy, OnCallShift
from rollback.oncall import roster
from rollback.outbox import outward

NOBODY_SUCH = gettext_lazy("Choose somebody of the active staff who has a mail address.")


def moment(at: datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


class ShiftForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = OnCallShift
        fields = ("user", "level", "starts_at", "ends_at")
        help_texts = {
            "level": gettext_lazy("1 is called first; 2 when 1 does not answer, and so on."),
        }
        error_messages = {"user": {"invalid_choice": NOBODY_SUCH}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "user" in self.fields:
            self.fields["user"].queryset = roster.candidates()  # type: ignore[attr-defined]
        zone = {"zone": get_default_timezone_name()}
        for name in ("starts_at", "ends_at"):
            if name in self.fields:
                self.fields[name].help_text = _("By the school's clock (%(zone)s).") % zone

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or {}
        starts_at, ends_at = answers.get("starts_at"), answers.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("A shift ends after it begins."))
        elif starts_at and ends_at and answers.get("level"):
            self._check_free(answers["level"], starts_at, ends_at)
        return answers

    def _check_free(self, level: int, starts_at: datetime, ends_at: datetime) -> None:
        """In the transaction that saves it: nobody can come in between."""
        other = roster.overlapping(
            level=level, starts_at=starts_at, ends_at=ends_at, but=self.instance.pk
        )
        if other is None:
            return
        words = _(
            "%(name)s is called as number %(level)s from %(from)s to %(until)s. Choose another time or "
            "number, or change that shift."
        )
        told = {"name": other.user, "level": level}
        told |= {"from": moment(other.starts_at), "until": moment(other.ends_at)}
        # At the end that lies in the other shift.
        self.add_error("starts_at" if starts_at >= other.starts_at else "ends_at", words % told)

    def _get_validation_exclusions(self) -> set[str]:
        """Constraints are not asked again: they could name no field."""
        found: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return found | {"level"} if self.errors else found


class HandOverForm(forms.Form):
    to = forms.ModelChoiceField(
        queryset=User.objects.none(),
        label=gettext_lazy("Who takes over"),
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": NOBODY_SUCH, "required": NOBODY_SUCH},
    )

    def __init__(self, *args: Any, but: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = roster.candidates().exclude(pk=but.pk)  # type: ignore[attr-defined]


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """The key goes in and never comes out."""

    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=gettext_lazy(
            "Slack: the webhook's address. PagerDuty: https://events.pagerduty.com/v2/enqueue."
        ),
        # No link beside it, as Django's own has: some of them are keys.
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url"}),
    )
    secret = forms.CharField(
        label=gettext_lazy("Key"),
        required=False,
        max_length=200,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Channel
        fields = ("name", "kind", "url", "secret", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "secret" not in self.fields:
            return
        words = _(
            "PagerDuty: the routing key. Signed JSON: what it is signed with. Slack needs none."
        )
        if self.instance.secret:
            stays = _("One is stored; left empty, it stays.")
            words = f"{words} {stays}"
        self.fields["secret"].help_text = words

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            outward.check(url)
        except outward.AddressRefused as refused:
            raise forms.ValidationError(_(str(refused))) from refused
        return url

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or {}
        needs_one = answers.get("kind") in ("pagerduty", "generic")
        if not answers.get("secret") and self._goes_where_it_went(answers):
            answers["secret"] = self.instance.secret
        elif not answers.get("secret") and self.instance.secret and needs_one:
            words = _(
                "The stored key stays with its address and kind: type the key of the new one."
            )
            self.add_error("secret", words)
            return answers
        if not answers.get("secret") and needs_one:
            self.add_error("secret", _("This kind of channel needs a key."))
        return answers

    def _goes_where_it_went(self, answers: dict[str, Any]) -> bool:
        """Else whoever may change an address, and not read the key, would have it sent to themselves."""
        if "url" not in answers or "kind" not in answers:  # which has an error of its own
            return True
        before = self.instance
        return bool(
            before.kind == answers["kind"]
            and before.url
            and outward.server_of(before.url) == outward.server_of(answers["url"])
        )


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    WEEKDAYS = (
        (0, gettext_lazy("Monday")),
        (1, gettext_lazy("Tuesday")),
        (2, gettext_lazy("Wednesday")),
        (3, gettext_lazy("Thursday")),
        (4, gettext_lazy("Friday")),
        (5, gettext_lazy("Saturday")),
        (6, gettext_lazy("Sunday")),
    )
    test_weekday = forms.TypedChoiceField(
        label=gettext_lazy("Weekday of the test page"),
        choices=WEEKDAYS,
        coerce=int,
        widget=UnfoldAdminSelectWidget,
    )
    by_itself = forms.MultipleChoiceField(
        label=gettext_lazy("Letters that go out by themselves"),
        required=False,
        choices=[(key.value, BY_KEY[key].title) for key in BY_ITSELF],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("As soon as they are prepared; all others wait for a person."),
    )

    class Meta:
        model = OnCallPolicy
        fields = (
            "escalate_minutes",
            "page_severity",
            "test_weekday",
            "test_hour",
            "first_update_minutes",
            "update_minutes",
            "by_itself",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = {"zone": get_default_timezone_name()}
        if "test_hour" in self.fields:
            self.fields["test_hour"].help_text = (
                _("0 to 23, by the school's clock (%(zone)s).") % zone
            )
        if "by_itself" in self.fields:
            known = [(key, _(title)) for key, title in self.fields["by_itself"].choices]  # type: ignore[attr-defined]
            self.fields["by_itself"].choices = known  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or {}
        for name in ("first_update_minutes", "update_minutes"):
            if answers.get(name) == 0:
                self.add_error(name, _("Give it at least one minute."))
        return answers
