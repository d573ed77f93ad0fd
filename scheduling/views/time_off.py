"""When a teacher gives no lessons."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import Teacher
from enrollment.views.see_other import see_other
from scheduling.forms import TimeOffForm
from scheduling.models import TimeOff
from scheduling.operations import time_off as operations
from scheduling.queries.hours import coming_time_off
from scheduling.views.changed import page_of, save_form, tell
from scheduling.views.who import teacher_page


@teacher_page
def my_time_off(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    now = timezone.now()
    form = TimeOffForm(request.POST or None, teacher=teacher, now=now)
    if request.method == "POST":
        impact = save_form(form, lambda: operations.save_time_off(time_off=form.instance, now=now))
        if impact is not None:
            tell(request, teacher, impact, done=_("Saved. Nothing can be booked in your time off."))
            return see_other("scheduling:time_off")
    rows = coming_time_off(teacher=teacher, now=now)
    context = page_of(teacher, now=now, rows=rows, form=form)
    return render(request, "scheduling/time_off.html", context, status=422 if form.errors else 200)


@teacher_page
def change_time_off(request: HttpRequest, teacher: Teacher, time_off: int) -> HttpResponse:
    now = timezone.now()
    found = get_object_or_404(TimeOff, pk=time_off, teacher=teacher)
    form = TimeOffForm(request.POST or None, instance=found, teacher=teacher, now=now)
    if request.method == "POST":
        try:
            impact = save_form(
                form, lambda: operations.save_time_off(time_off=form.instance, now=now)
            )
        except TimeOff.DoesNotExist as gone:
            raise Http404 from gone
        if impact is not None:
            tell(request, teacher, impact, done=_("Saved. Nothing can be booked in your time off."))
            return see_other("scheduling:time_off")
    context = {"teacher": teacher, "form": form, "what": "time_off", "pk": time_off}
    return render(request, "scheduling/change.html", context, status=422 if form.errors else 200)


@teacher_page
def delete_time_off(request: HttpRequest, teacher: Teacher, time_off: int) -> HttpResponse:
    if request.method != "POST":  # where a login in between leads back to
        return see_other("scheduling:time_off")
    try:
        impact = operations.delete_time_off(
            teacher=teacher, time_off_id=time_off, now=timezone.now()
        )
    except TimeOff.DoesNotExist as gone:
        raise Http404 from gone
    tell(request, teacher, impact, done=_("Removed. Your hours count again."))
    return see_other("scheduling:time_off")
