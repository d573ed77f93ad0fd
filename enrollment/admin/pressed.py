"""Buttons beside “Save”, and rules that speak up at the last moment."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
            response: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def only(self, names: Sequence[str], actions: Sequence[Any]) -> list[Any]:
        """Of the buttons those called so."""
        return [one for one in actions if one.action_name.rsplit("_", 1)[-1] in names]
