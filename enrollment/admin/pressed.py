"""Buttons beside “Save”, and rules that speak up at the last moment."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin


class Refused(Exception):
    """Somebody was faster between the form's check and the writing; the message says what."""


class PressedAdmin(ModelAdmin):
    """An admin whose submit buttons are POSTs under CSRF, unlike links that change something."""

    # A hundred rows of these took longer than a page may.
    list_per_page = 50

    def run_pressed(self, request: HttpRequest, obj: Any) -> None:
        for action in self.get_actions_submit_line(request, obj.pk):
            if action.action_name in request.POST:
                action.method(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return self._answer(request, object_id, form_url, extra_context)
        except Refused as refused:
            # Nothing was written. Asked once more, the form shows the refusal and what was typed.
            request.refused = str(refused)  # type: ignore[attr-defined]
            return self._answer(request, object_id, form_url, extra_context)

    def _answer(self, request: HttpRequest, *page: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(request, *page)
        return response

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        why = getattr(request, "refused", None)
        return form if why is None else refusing(form, why)

    def only(self, names: Sequence[str], actions: Sequence[Any]) -> list[Any]:
        """Of the buttons those called so."""
        return [one for one in actions if one.action_name.rsplit("_", 1)[-1] in names]


def refusing(form: Any, why: str) -> Any:
    """The form class, made to refuse whatever is typed."""

    class Refusing(form):
        def clean(self) -> dict[str, Any]:
            answers: dict[str, Any] = super().clean()
            # Where the form itself sees by now what is in the way, it says it better.
            if not self.errors:
                raise forms.ValidationError(why)
            return answers

    return Refusing
