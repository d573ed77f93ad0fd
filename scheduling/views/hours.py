"""A teacher's own weekly hours."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import Teacher
from enrollment.views.see_other import see_other
from scheduling.forms import HoursForm
from scheduling.models import AvailabilityRule
from scheduling.operations import hours as operations
from scheduling.queries.hours import week_of
from scheduling.views.changed import page_of, save_form, tell
from scheduling.views.who import teacher_page


@teacher_page
def my_hours(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    now = timezone.now()
    form = HoursForm(request.POST or None, teacher=teacher, now=now)
    if request.method == "POST":
        impact = save_form(form, lambda: operations.save_hours(rule=form.instance, now=now))
        if impact is not None:
            tell(request, teacher, impact, done=_saved(form))
            return see_other("scheduling:hours")
    context = page_of(teacher, now=now, week=week_of(teacher), form=form)
    return render(request, "scheduling/hours.html", context, status=422 if form.errors else 200)


@teacher_page
def change_hours(request: HttpRequest, teacher: Teacher, rule: int) -> HttpResponse:
    now = timezone.now()
    found = get_object_or_404(AvailabilityRule, pk=rule, teacher=teacher)
    form = HoursForm(request.POST or None, instance=found, teacher=teacher, now=now)
    if request.method == "POST":
        try:
            impact = save_form(form, lambda: operations.save_hours(rule=form.instance, now=now))
        except AvailabilityRule.DoesNotExist as gone:
            raise Http404 from gone
        if impact is not None:
            tell(request, teacher, impact, done=_saved(form))
            return see_other("scheduling:hours")
    context = {"teacher": teacher, "form": form, "what": "hours", "pk": rule}
    return render(request, "scheduling/change.html", context, status=422 if form.errors else 200)


@teacher_page
def delete_hours(request: HttpRequest, teacher: Teacher, rule: int) -> HttpResponse:
    if request.method != "POST":  # where a login in between leads back to
        return see_other("scheduling:hours")
    try:
        impact = operations.delete_hours(teacher=teacher, rule_id=rule, now=timezone.now())
    except AvailabilityRule.DoesNotExist as gone:
        raise Http404 from gone
    tell(request, teacher, impact, done=_("Removed. Lessons that are already planned stay."))
    return see_other("scheduling:hours")


def _saved(form: HoursForm) -> str:
    return _("Saved: %(hours)s.") % {"hours": form.instance.in_words()}
