"""A teacher's own weekly hours."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from enrollment.models import Teacher
from enrollment.views.see_other import see_other
from scheduling.forms import HoursForm
from scheduling.operations import hours as operations
from scheduling.queries.hours import week_of
from scheduling.views.who import teacher_page


@teacher_page
def my_hours(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    form = HoursForm(request.POST or None, teacher=teacher)
    if request.method == "POST" and form.is_valid() and _save(form):
        messages.success(request, _("Saved: %(hours)s.") % {"hours": form.instance.in_words()})
        return see_other("scheduling:hours")
    context = {"teacher": teacher, "week": week_of(teacher), "form": form}
    return render(request, "scheduling/hours.html", context, status=422 if form.errors else 200)


def _save(form: HoursForm) -> bool:
    try:
        operations.save_hours(rule=form.instance)
    except ValidationError as error:
        # Another tab saved in between: the second look, under the lock, found what the first missed.
        form.add_error(None, error)
    return not form.errors


@teacher_page
def delete_hours(request: HttpRequest, teacher: Teacher, rule: int) -> HttpResponse:
    if request.method != "POST":  # where a login in between leads back to
        return see_other("scheduling:hours")
    if not operations.delete_hours(teacher=teacher, rule_id=rule):
        raise Http404
    messages.success(request, _("Removed. Lessons that are already planned stay."))
    return see_other("scheduling:hours")
