"""Two people who save at once: the second waits, and is told at the field what is in the way."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from enrollment.admin.impact import ImpactAdmin
from scheduling.operations.hours import one_at_a_time


class OneAtATime(ImpactAdmin, ModelAdmin):
    """For what says when one teacher gives lessons. Before it displaces any, the office is asked."""

    def could_hit(self, obj: Any) -> Q:
        return Q(teacher=obj.teacher_id)

    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Inside Django's transaction and before it validates: what the first of two saved is there
        # when the second is looked at.
        if request.method == "POST":
            one_at_a_time(teacher_id=request.POST.get("teacher", ""))
        response: HttpResponse = super()._changeform_view(request, *args, **kwargs)
        return response
