"""When a teacher gives lessons: every week, and on single dates."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from enrollment.domain.weeks import LAST_DAY
from enrollment.models import Teacher
from scheduling.models import AvailabilityException, AvailabilityRule
from scheduling.operations.hours import check_not_over

if TYPE_CHECKING:
    _HoursModelForm = forms.ModelForm[AvailabilityRule]
    _ExceptionModelForm = forms.ModelForm[AvailabilityException]
else:
    _HoursModelForm = _ExceptionModelForm = forms.ModelForm


def clock_input() -> forms.TimeInput:
    return forms.TimeInput(format="%H:%M", attrs={"type": "time"})


def date_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


NOT_AFTER = MaxValueValidator(LAST_DAY, _("No day after %(limit_value)s."))


class HoursForm(_HoursModelForm):
    """A weekly window of one teacher. The model itself says what is wrong, as in the admin."""

    class Meta:
        model = AvailabilityRule
        fields = (
            "weekday",
            "starts",
            "ends",
            "ends_next_day",
            "every_weeks",
            "valid_from",
            "valid_until",
        )
        widgets = {
            "starts": clock_input(),
            "ends": clock_input(),
            "valid_from": date_input(),
            "valid_until": date_input(),
        }

    def __init__(self, *args: Any, teacher: Teacher, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.teacher = teacher
        self.now = now

    def clean_valid_until(self) -> date | None:
        day: date | None = self.cleaned_data["valid_until"]
        zone = self.instance.teacher.zone
        check_not_over(day, before=self.initial.get("valid_until"), zone=zone, now=self.now)
        return day


class ExceptionForm(_ExceptionModelForm):
    """One date of one teacher that differs from its weekday."""

    class Meta:
        model = AvailabilityException
        fields = ("day_on", "kind", "starts", "ends", "ends_next_day", "note")
        widgets = {
            "day_on": date_input(),
            "kind": forms.RadioSelect,
            "starts": clock_input(),
            "ends": clock_input(),
        }

    def __init__(self, *args: Any, teacher: Teacher, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.teacher = teacher
        self.now = now
        self.fields["day_on"].validators.append(NOT_AFTER)

    def clean_day_on(self) -> date:
        day: date = self.cleaned_data["day_on"]
        zone = self.instance.teacher.zone
        check_not_over(day, before=self.initial.get("day_on"), zone=zone, now=self.now)
        return day
