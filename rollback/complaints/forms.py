from django import forms
from django.utils.translation import gettext_lazy as _

from enrollment.forms import PlainText
from rollback.models import Complaint

LONGEST = 2000


class ReportForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("What is it about?"),
        choices=Complaint.Kind.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest.")},
    )
    text = PlainText(
        label=_("What happened?"),
        max_length=LONGEST,
        help_text=_(
            "What you did, what you expected, and what came instead. At most %(most)s characters."
        ),
        widget=forms.Textarea(attrs={"rows": 6}),
        error_messages={"required": _("Say in a few words what happened.")},
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        text = self.fields["text"]
        text.help_text = str(text.help_text) % {"most": LONGEST}
