"""What is typed before people are written to."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from rollback import sendings
from rollback.console import event_words
from rollback.domain.sendings import OFF, TO_PEOPLE
from rollback.models import Incident

MOST_NEWS = 2000


class ReleaseForm(forms.Form):
    """held: how many it would go to now. versions: of the letter, by language, as the page shows it now."""

    people = forms.CharField(
        label=_("How many people get it"),
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "inputmode": "numeric", "autofocus": True}
        ),
    )

    versions = forms.CharField(max_length=1000, required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, held: int, versions: Mapping[str, int], **options: Any
    ) -> None:
        now = json.dumps(versions, sort_keys=True)
        # The page that is drawn again has the letter as it is now, and says so when it is sent.
        typed = data if data is None else {**data.dict(), "versions": now}
        super().__init__(typed, initial={"versions": now}, **options)
        self.is_older = data is not None and data.get("versions") != now
        self.held = held
        self.fields["people"].help_text = gettext("Type %s to release it.") % held

    def clean_people(self) -> int:
        """Whoever typed it from an older page sees that it has changed."""
        digits = "".join(one for one in self.cleaned_data["people"] if one in "0123456789")
        if digits != str(self.held):
            words = ngettext(
                "It is %(held)s person now. If that is right, type %(held)s.",
                "It is %(held)s people now. If that is right, type %(held)s.",
                self.held,
            )
            raise forms.ValidationError(words % {"held": self.held})
        return self.held

    def clean(self) -> None:
        if self.is_older:
            words = gettext("The letter was changed meanwhile. Read it again, then release it.")
            raise forms.ValidationError(words)


class StopForm(forms.Form):
    """Nothing is asked: the page says what it means, and the button says it."""


class WriteForm(forms.Form):
    """counts: reason → people. languages: code → how many of them read it."""

    letter = forms.ChoiceField(label=_("Letter"), widget=UnfoldAdminSelectWidget)
    reasons = forms.MultipleChoiceField(
        label=_("To those who"),
        error_messages={"required": _("Choose at least one.")},
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    next_news_at = forms.DateTimeField(
        label=_("Next news by"),
        required=False,
        help_text=_(
            "Only what somebody keeps: it stands in the letter. Empty: no time is promised."
        ),
        error_messages={"invalid": _("Write it like 2026-04-01 15:30.")},
        # The browser's own calendar and clock; where it has none, it is typed.
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M",
            attrs={"type": "datetime-local", "class": " ".join(INPUT_CLASSES)},
        ),
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        incident: Incident,
        counts: Mapping[str, int],
        languages: Mapping[str, int],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.languages = languages
        letter, reasons = self.fields["letter"], self.fields["reasons"]
        letter.choices = [(key.value, sendings.title(key)) for key in letters_for(incident)]  # type: ignore[attr-defined]
        reasons.choices = [  # type: ignore[attr-defined]
            (key, f"{text} ({counts[key]})")
            for key, text in event_words.reason_choices()
            if counts.get(key)
        ]
        for code, name in settings.LANGUAGES:
            if code in languages:
                self.fields[f"news_{code}"] = _news(code, gettext(name), languages[code])
        self.order_fields(["letter", "reasons", *self.news_fields, "next_news_at", "seen"])

    @property
    def news_fields(self) -> list[str]:
        return [name for name in self.fields if name.startswith("news_")]

    @property
    def news(self) -> dict[str, str]:
        """By language, what was added."""
        told = {name.removeprefix("news_"): self.cleaned_data[name] for name in self.news_fields}
        return {code: text for code, text in told.items() if text}

    def clean_next_news_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["next_news_at"]
        if at is not None and at <= timezone.now():
            raise forms.ValidationError(gettext("That has passed: choose a later time."))
        return at

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        told = [name for name in self.news_fields if answers.get(name)]
        for name in self.news_fields:
            if told and not answers.get(name) and name not in self.errors:
                words = _("Say it in this language as well, or leave it out in all of them.")
                self.add_error(name, words)
        return answers


def letters_for(incident: Incident) -> Sequence[Any]:
    """What can be true of it."""
    return OFF if incident.is_open else TO_PEOPLE


def _news(code: str, language: str, people: int) -> forms.Field:
    words = ngettext("%(people)s person reads it.", "%(people)s people read it.", people)
    return forms.CharField(
        label=gettext("News, in %(language)s") % {"language": language},
        required=False,
        max_length=MOST_NEWS,
        help_text=words % {"people": people},
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "lang": code}),
    )
