"""The forms of a student's way to an enrollment."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Teacher
from scheduling.domain import choice
from scheduling.domain.series import FEWEST, MOST


class SlotField(forms.CharField):
    """The start of a slot as it stands in a draft; cleaned to an aware datetime."""

    def clean(self, value: Any) -> datetime:
        start = choice.from_text(super().clean(value))
        if start is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return start


def _offer_only(teachers: QuerySet[Teacher], field: forms.Field) -> None:
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = teachers


class ChoiceForm(forms.Form):
    """Step 1. Field names are the neutral answer names of both flows.

    teachers: who may be chosen; those of the course.
    """

    teacher = forms.ModelChoiceField(
        queryset=Teacher.objects.none(),
        label=_("Teacher"),
        widget=forms.HiddenInput,
        error_messages={
            "required": _("Choose a teacher."),
            "invalid_choice": _("This teacher does not teach this course. Choose another."),
        },
    )
    slot = SlotField(
        label=_("Time"),
        max_length=40,
        # Goes along with the wished times: a save of those alone would be the original form's, where
        # the slot stands among them in words.
        widget=forms.HiddenInput(attrs={"data-with": "wished_times"}),
        error_messages={
            "required": _("Choose a time."),
            "invalid": _("This is no time that can be read. Choose one from the list."),
        },
    )

    def __init__(
        self, *args: Any, course: Course, teachers: QuerySet[Teacher] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        _offer_only(course.teachers.all() if teachers is None else teachers, self.fields["teacher"])

    @property
    def choice_is_valid(self) -> bool:
        return not {"teacher", "slot"} & set(self.errors)


class DetailsForm(ChoiceForm):
    """Steps 2 and 3: what is posted says everything again, so that what was seen is what is done."""

    wished_times = forms.CharField(
        required=False,
        max_length=2000,
        label=_("Other times that suit you"),
        help_text=_(
            "For the lessons after the first. In your own words, like: Mondays after 16:00."
        ),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    note = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Anything we should know"),
        help_text=_("Previous experience, goals, needs."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class BookForm(ChoiceForm):
    """One lesson, or a series of them, whose weeks are shown before they are booked."""

    class Repeat(models.IntegerChoices):
        ONCE = 0, _("Once")
        WEEKLY = 1, _("Every week")
        FORTNIGHTLY = 2, _("Every second week")

    repeat = forms.TypedChoiceField(
        label=_("How often"),
        choices=Repeat.choices,
        coerce=int,
        initial=Repeat.ONCE,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how often.")},
    )
    count = forms.IntegerField(
        label=_("How many lessons"),
        min_value=FEWEST,
        max_value=MOST,
        initial=5,
        required=False,
        help_text=_("For a series: from 2 to 52. Every week is shown before it is booked."),
        error_messages={
            "invalid": _("Write a whole number from 2 to 52."),
            "min_value": _("A series has at least 2 lessons."),
            "max_value": _("A series has at most 52 lessons."),
        },
    )

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if answers.get("repeat") and answers.get("count") is None and "count" not in self.errors:
            self.add_error("count", _("Say how many lessons the series has."))
        return answers


class SeriesForm(ChoiceForm):
    """Which series: asked for by the address, and posted along with what was chosen for each week."""

    every = forms.IntegerField(min_value=1, max_value=2, widget=forms.HiddenInput)
    count = forms.IntegerField(min_value=FEWEST, max_value=MOST, widget=forms.HiddenInput)


class MoveForm(ChoiceForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        help_text=_("The other side reads it, and the office."),
    )


class CancelForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        help_text=_("The other side reads it, and the office."),
    )


class FilterForm(forms.Form):
    """Whose times, and which week. Nonsense in the address counts as nothing asked."""

    teacher = forms.ModelChoiceField(
        queryset=Teacher.objects.none(), required=False, label=_("Teacher"), empty_label=None
    )
    week = forms.DateField(required=False, input_formats=["%Y-%m-%d"], widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, course: Course, teachers: QuerySet[Teacher] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        _offer_only(course.teachers.all() if teachers is None else teachers, self.fields["teacher"])

    def asked(self) -> tuple[Teacher | None, date | None]:
        self.is_valid()
        return self.cleaned_data.get("teacher"), self.cleaned_data.get("week")


class PickerForm(FilterForm):
    """Which month, which day of it, and what is chosen so far: a script sends that along, which keeps
    it while other days are looked at."""

    month = forms.DateField(required=False, input_formats=["%Y-%m"], widget=forms.HiddenInput)
    day = forms.DateField(required=False, input_formats=["%Y-%m-%d"], widget=forms.HiddenInput)
    slot = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def clean_slot(self) -> datetime | None:
        return choice.from_text(self.cleaned_data["slot"])

    def answers(self) -> dict[str, Any]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) for name in ("teacher", "month", "day", "slot")}


class WaitForm(forms.Form):
    """Both or neither: a teacher's time, or a place in the course."""

    teacher = forms.ModelChoiceField(
        queryset=Teacher.objects.none(),
        required=False,
        label=_("Teacher"),
        error_messages={
            "invalid_choice": _("This teacher does not teach this course. Choose another."),
        },
    )
    slot = forms.CharField(required=False, max_length=40, label=_("Time"))

    def __init__(self, *args: Any, course: Course, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_only(course.teachers.all(), self.fields["teacher"])

    def clean_slot(self) -> datetime | None:
        text = self.cleaned_data["slot"]
        start = choice.from_text(text) if text else None
        if text and start is None:
            raise ValidationError(
                _("This is no time that can be read. Choose one from the list."), code="invalid"
            )
        return start

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and (cleaned["teacher"] is None) != (cleaned["slot"] is None):
            missing = "teacher" if cleaned["teacher"] is None else "slot"
            words = _("Choose a teacher.") if missing == "teacher" else _("Choose a time.")
            self.add_error(missing, words)
        return cleaned
