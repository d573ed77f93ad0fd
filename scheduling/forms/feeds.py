from django import forms
from django.utils.translation import gettext_lazy as _


class FeedForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        required=False,
        help_text=_("What it is for, like: calendar on my phone."),
    )
