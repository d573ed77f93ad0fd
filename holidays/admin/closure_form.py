"""A closure as the office types it: what is needed follows from whom it closes for."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from holidays.models import Holiday

Scope = Holiday.Scope
NEEDS: Mapping[str, str] = {
    Scope.REGION: "region",
    Scope.TEACHERS: "teachers",
    Scope.COURSES: "courses",
}
MISSING: Mapping[str, str | Promise] = {
    "region": _("Choose the region, or close for somebody else."),
    "teachers": _("Choose at least one teacher, or close for somebody else."),
    "courses": _("Choose at least one course, or close for somebody else."),
}


def check_scope(form: forms.BaseForm, answers: Mapping[str, Any]) -> None:
    """Says at the field what is missing, or is there and does not count."""
    scope = answers.get("scope")
    if scope is None:
        return
    for needed_by, name in NEEDS.items():
        if name not in form.fields or name in form.errors:
            continue
        is_given = bool(answers.get(name))
        if scope == needed_by and not is_given:
            form.add_error(name, str(MISSING[name]))
        elif scope != needed_by and is_given:
            words = gettext("It closes for %(scope)s: leave this empty, or choose “%(needed)s”.")
            labels = dict(Scope.choices)
            form.add_error(name, words % {"scope": labels[scope], "needed": labels[needed_by]})


def name_in(code: str) -> str:
    """The field's."""
    return f"name_{code.replace('-', '_')}"


LANGUAGES = {name_in(code): code for code, _label in settings.LANGUAGES}


class _HolidayForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Holiday
        fields = (
            "name",
            "kind",
            "as_weekday",
            "first_on",
            "last_on",
            "starts",
            "ends",
            "scope",
            "region",
            "teachers",
            "courses",
            "note",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known: Mapping[str, str] = self.instance.names or {}
        for field, code in LANGUAGES.items():
            self.initial.setdefault(field, known.get(code, ""))

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        check_scope(self, answers)
        return answers

    def _post_clean(self) -> None:
        # Before the model's own rules: what an import knows in other languages stays.
        asked = set(LANGUAGES) & set(self.cleaned_data)
        typed = {LANGUAGES[field]: self.cleaned_data[field] for field in asked}
        names = {**(self.instance.names or {}), **typed}
        self.instance.names = {code: name for code, name in sorted(names.items()) if name}
        super()._post_clean()  # type: ignore[misc]


def _field(code: str) -> forms.CharField:
    return forms.CharField(
        label=dict(settings.LANGUAGES)[code],
        required=False,
        max_length=Holiday._meta.get_field("name").max_length,
        widget=UnfoldAdminTextInputWidget(attrs={"lang": code}),
    )


# One input for each language of the school.
HolidayForm: Any = type(
    "HolidayForm",
    (_HolidayForm,),
    {field: _field(code) for field, code in LANGUAGES.items()} | {"__module__": __name__},
)
