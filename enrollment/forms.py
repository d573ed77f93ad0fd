from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from enrollment.domain.messages import LONGEST
from enrollment.models import Course, Lesson, Teacher


class EnrollmentForm(forms.Form):
    """The original flow's one form. Field names are the neutral answer names of both flows."""

    teacher = forms.ModelChoiceField(
        queryset=Teacher.objects.none(),
        required=False,
        empty_label=_("No preference"),
        label=_("Teacher you would like"),
    )
    wished_times = forms.CharField(
        required=False,
        # A thousand more than where a time is chosen from a list: a draft from there comes with
        # that time in words, and must not be refused because of words that are ours.
        max_length=3000,
        label=_("Times that suit you"),
        help_text=_("In your own words, for example: Mondays after 16:00, or Saturday mornings."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    note = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Anything we should know"),
        help_text=_("Previous experience, goals, needs."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, course: Course, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teachers = self.fields["teacher"]
        assert isinstance(teachers, forms.ModelChoiceField)
        teachers.queryset = course.teachers.all()


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What it is for, like: calendar on my phone.")
    )
    lifetime = forms.TypedChoiceField(
        label=_("Valid for"),
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("a year"))],
        coerce=lambda days: timedelta(days=int(days)),
        initial=90,
    )


class PlainText(forms.CharField):
    """What PostgreSQL can store, counted as the browser counts it: a line break is one character."""

    def to_python(self, value: Any) -> str:
        text = str(value or "").replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
        return super().to_python(text) or ""


class MessageForm(forms.Form):
    body = PlainText(
        max_length=LONGEST,
        label=_("Your message"),
        error_messages={"required": _("There is nothing in it yet. Write something first.")},
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def clean(self) -> dict[str, Any] | None:
        """Nobody checks files for what they may carry, so there are none: said, and never silently lost."""
        if self.files:
            words = _(
                "Files cannot be sent here, and your message was not sent. Send the text alone, and say "
                "where the file can be found, or write to the office."
            )
            raise forms.ValidationError(words, code="files")
        return super().clean()


class TickForm(forms.Form):
    """One button at a unit: it is done (in that lesson), or it is not."""

    done = forms.ChoiceField(choices=[("yes", _("Done")), ("no", _("Not done"))])
    lesson = forms.ModelChoiceField(queryset=Lesson.objects.none(), required=False)

    def __init__(self, *args: Any, lessons: QuerySet[Lesson], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["lesson"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = lessons


class DeleteMeForm(forms.Form):
    """Whose browser was left open is still asked for the password."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    sure = forms.BooleanField(
        label=_("Yes, delete my account. I know that nobody can undo this."),
        error_messages={"required": _("Tick this box if you really want it.")},
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self._user.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password
