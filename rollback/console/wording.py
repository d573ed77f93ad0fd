"""Forms whose words are filled in for each language of the school, from what else is chosen in them.

Whoever changes what the words were filled in for (`basis`) gets them anew if they were not touched, and is
asked to look at them if they were: so that no text says another time than the one beside it. Nothing typed
is lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Self, TypeVar, cast

from django import forms
from django.http import QueryDict
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment.forms import PlainText
from rollback.public import updates
from rollback.public.updates import MOST_HEADING, MOST_TEXT, UpdateRefused, Words


class MomentField(forms.DateTimeField):
    """The browser's own calendar and clock; where it has none, 2026-04-01T18:30 is typed."""

    def __init__(self, **options: Any) -> None:
        attrs = {"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}
        options.setdefault("widget", forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs=attrs))
        super().__init__(**options)


@dataclass(frozen=True, kw_only=True)
class InLanguage:
    """What the template shows for one language."""

    code: str
    name: str
    fields: list[forms.BoundField]
    heading: str
    text: str


class WordedForm(forms.Form):
    """In every language a text, and a heading where there is one."""

    with_headings = True
    most_text = MOST_TEXT
    basis = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, initial: Any = None, **own: Any) -> None:
        """own: what the form itself needs, to be made once more with other data."""
        super().__init__(data, initial=initial)
        self.own = own
        for code, name in updates.languages():
            facts = {"language": name}
            if self.with_headings:
                self.fields[f"heading_{code}"] = PlainText(
                    label=_("Heading, %(language)s") % facts,
                    max_length=MOST_HEADING,
                    widget=UnfoldAdminTextInputWidget(attrs={"lang": code}),
                    error_messages=_missing(name),
                )
            self.fields[f"text_{code}"] = PlainText(
                label=_("Text, %(language)s") % facts,
                max_length=self.most_text,
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "lang": code}),
                error_messages=_missing(name),
            )

    def prefilled(self, basis: str) -> dict[str, Words]:
        """What the letters say where `basis` is chosen; nothing where that cannot be read."""
        raise NotImplementedError

    def basis_now(self) -> str | None:
        """What is chosen now, if it can be read."""
        raise NotImplementedError

    def texts(self) -> dict[str, Words]:
        answers = self.cleaned_data
        return {
            code: Words(
                heading=answers.get(f"heading_{code}", ""), text=answers.get(f"text_{code}", "")
            )
            for code, _name in updates.languages()
        }

    def languages(self) -> Iterator[InLanguage]:
        for code, name in updates.languages():
            names = [f"heading_{code}"] if self.with_headings else []
            fields = [self[one] for one in (*names, f"text_{code}")]
            told = [str(field.value() or "") for field in fields]
            yield InLanguage(
                code=code,
                name=name,
                fields=fields,
                heading=told[0] if self.with_headings else "",
                text=told[-1],
            )

    @property
    def others(self) -> list[forms.BoundField]:
        """What stands above the languages."""
        worded = {field.name for one in self.languages() for field in one.fields}
        return [field for field in self if field.name not in worded]

    def has_basis(self) -> bool:
        """What the words are filled in from is as it should be, whatever the words are."""
        return self.basis_now() is not None and not any(field.errors for field in self.others)

    def is_outdated(self) -> bool:
        now = self.basis_now()
        return now is not None and self.data.get("basis", "") != now

    def has_touched_words(self) -> bool:
        """Since they were filled in. Compared in single lines: browsers send other line ends."""
        filled = self.prefilled(self.data.get("basis", ""))
        return any(
            _plain(self.data.get(f"{part}_{code}", "")) != _plain(getattr(told, part))
            for code, told in filled.items()
            for part in ("heading", "text")
        )

    def refilled(self) -> Self:
        """As it was sent, with the words of what is chosen now. Not judged: nobody has sent that yet."""
        data, basis = self._sent(), self.basis_now() or ""
        for code, told in self.prefilled(basis).items():
            data[f"heading_{code}"], data[f"text_{code}"] = told.heading, told.text
        data["basis"] = basis
        sent = {
            name: field.widget.value_from_datadict(data, {}, name)
            for name, field in self.fields.items()
        }
        return type(self)(initial=sent, **self.own)

    def asked_to_be_checked(self) -> Self:
        """The same once more; sent again as it is, it counts."""
        data = self._sent()
        data["basis"] = self.basis_now() or ""
        form = type(self)(data, **self.own)
        form.is_valid()
        form.add_error(
            None,
            _(
                "You have chosen something else after the words were filled in, and changed the words. Check "
                "what they say about it, and send it again; or have them filled in anew."
            ),
        )
        return form

    def _sent(self) -> QueryDict:
        """A copy that may be changed."""
        return cast("QueryDict", self.data).copy()

    def refuse(self, refused: UpdateRefused) -> None:
        for name, sentence in refused.errors.items():
            self.add_error(name if name in self.fields else None, sentence)


F = TypeVar("F", bound=WordedForm)


@dataclass(frozen=True, kw_only=True)
class Looked(Generic[F]):
    """form: to be shown. note: why again. is_sent: the last button was pressed, and it is valid."""

    form: F
    note: str = ""
    is_sent: bool = False


def looked(form: F, *, send: str) -> Looked[F]:
    """What a press on one of the buttons comes to: "fill", "preview" or `send`."""
    if "fill" in form.data and form.has_basis():
        note = _("The words are filled in for what is chosen now. Nothing has been sent yet.")
        return Looked(form=form.refilled(), note=note)
    if send not in form.data or not form.is_valid():
        return Looked(form=form)
    if not form.is_outdated():
        return Looked(form=form, is_sent=True)
    if form.has_touched_words():
        return Looked(form=form.asked_to_be_checked())
    note = _("The words have been filled in for what you have chosen. Look at them, and send it.")
    return Looked(form=form.refilled(), note=note)


def initial_words(filled: Mapping[str, Words]) -> dict[str, str]:
    return {
        f"{part}_{code}": getattr(told, part)
        for code, told in filled.items()
        for part in ("heading", "text")
    }


def local(at: datetime) -> str:
    """As the browser's field sends it."""
    return localtime(at).strftime("%Y-%m-%dT%H:%M")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _missing(language: str) -> dict[str, str]:
    words = _("Write it in %(language)s as well: everybody reads it in their language.")
    return {"required": words % {"language": language}}
