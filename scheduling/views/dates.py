"""Single dates on which a teacher's hours differ."""

from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _

from enrollment.models import Teacher
from enrollment.views.see_other import see_other
from scheduling.forms import ExceptionForm
from scheduling.models import AvailabilityException
from scheduling.operations import exceptions as operations
from scheduling.queries.hours import coming_exceptions
from scheduling.views.changed import page_of, save_form, tell
from scheduling.views.who import teacher_page


@teacher_page
def my_dates(request: HttpRequest, teacher: Teacher) -> HttpResponse:
    now = timezone.now()
    form = ExceptionForm(
        request.POST or None, initial={"kind": "replace"}, teacher=teacher, now=now
    )
    if request.method == "POST":
        impact = save_form(
            form, lambda: operations.save_exception(exception=form.instance, now=now)
        )
        if impact is not None:
            tell(request, teacher, impact, done=_saved(form))
            return see_other("scheduling:dates")
    today = now.astimezone(ZoneInfo(teacher.zone)).date()
    rows = coming_exceptions(teacher=teacher, today=today)
    context = page_of(teacher, now=now, rows=rows, form=form)
    return render(request, "scheduling/dates.html", context, status=422 if form.errors else 200)


@teacher_page
def change_date(request: HttpRequest, teacher: Teacher, exception: int) -> HttpResponse:
    now = timezone.now()
    found = get_object_or_404(AvailabilityException, pk=exception, teacher=teacher)
    form = ExceptionForm(request.POST or None, instance=found, teacher=teacher, now=now)
    if request.method == "POST":
        try:
            impact = save_form(
                form, lambda: operations.save_exception(exception=form.instance, now=now)
            )
        except AvailabilityException.DoesNotExist as gone:
            raise Http404 from gone
        if impact is not None:
            tell(request, teacher, impact, done=_saved(form))
            return see_other("scheduling:dates")
    context = {"teacher": teacher, "form": form, "what": "dates", "pk": exception}
    return render(request, "scheduling/change.html", context, status=422 if form.errors else 200)


@teacher_page
def delete_date(request: HttpRequest, teacher: Teacher, exception: int) -> HttpResponse:
    if request.method != "POST":  # where a login in between leads back to
        return see_other("scheduling:dates")
    try:
        impact = operations.delete_exception(
            teacher=teacher, exception_id=exception, now=timezone.now()
        )
    except AvailabilityException.DoesNotExist as gone:
        raise Http404 from gone
    tell(request, teacher, impact, done=_("Removed. Lessons that are already planned stay."))
    return see_other("scheduling:dates")


def _saved(form: ExceptionForm) -> str:
    return _("Saved: %(hours)s.") % {"hours": form.instance}
