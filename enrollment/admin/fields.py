"""Days and times as the browser itself asks for them: no script, and every keyboard and phone knows."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES

from enrollment.admin.lesson_form import DAYS

CLASSES = " ".join(INPUT_CLASSES)


class DayField(forms.DateField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date", "class": CLASSES}, format="%Y-%m-%d")
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], validators=DAYS, **kwargs)


class ClockField(forms.TimeField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TimeInput(attrs={"type": "time", "class": CLASSES}, format="%H:%M")
        kwargs.setdefault("help_text", _("On the teacher's clock."))
        super().__init__(widget=widget, input_formats=["%H:%M", "%H:%M:%S"], **kwargs)
