"""Two people who save at once: the second waits, and is told at the field what is in the way."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from scheduling.operations.hours import changing_hours, one_at_a_time


class OneAtATime(ModelAdmin):
    """For what says when one teacher gives lessons."""

    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Inside Django's transaction and before it validates: what the first of two saved is there
        # when the second is looked at.
        if request.method == "POST":
            one_at_a_time(teacher_id=request.POST.get("teacher", ""))
        response: HttpResponse = super()._changeform_view(request, *args, **kwargs)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with changing_hours(teacher=obj.teacher, now=timezone.now()) as impact:
            super().save_model(request, obj, form, change)
        if impact.hit:
            words = ngettext(
                "%(count)s planned lesson is outside the hours of %(teacher)s now. It stays planned.",
                "%(count)s planned lessons are outside the hours of %(teacher)s now. They stay planned.",
                len(impact.hit),
            )
            messages.warning(request, words % {"count": len(impact.hit), "teacher": obj.teacher})
