"""Which week a teacher looks at, and for which course."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Teacher


class WeekForm(forms.Form):
    """Nonsense in the address counts as nothing asked."""

    course = forms.ModelChoiceField(
        queryset=Course.objects.none(),
        to_field_name="slug",
        required=False,
        label=_("Course"),
        empty_label=None,
    )
    on = forms.DateField(
        required=False,
        label=_("Week of"),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )

    def __init__(
        self, *args: Any, teacher: Teacher, first: date, last: date, **kwargs: Any
    ) -> None:
        """first, last: the days of which something is known, both counted."""
        super().__init__(*args, **kwargs)
        self.fields["on"].validators += [MinValueValidator(first), MaxValueValidator(last)]
        field = self.fields["course"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = teacher.courses.all()

    def asked(self) -> tuple[Course | None, date | None]:
        self.is_valid()
        return self.cleaned_data.get("course"), self.cleaned_data.get("on")
