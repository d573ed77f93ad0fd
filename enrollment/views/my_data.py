"""A person's own data: what is kept, a copy of it, and the way out."""

import structlog
from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from enrollment import personal
from enrollment.forms import DeleteMeForm
from enrollment.models import User
from enrollment.operations.erase import EraseRefused, check_can_erase, erase_person
from enrollment.queries.people import teacher_of
from enrollment.queries.personal import copy_of
from enrollment.refusals import BUSY, NO_COPY, NOT_WHOLE, why_not_erased
from enrollment.views.login import login_first
from enrollment.views.see_other import see_other

log = structlog.get_logger(__name__)


def the_user(request: HttpRequest) -> User:
    """Behind a login nobody else is asking."""
    assert isinstance(request.user, User)
    return request.user


@never_cache
@login_required
def my_data(request: HttpRequest) -> HttpResponse:
    return render(
        request, "enrollment/my_data.html", {"parts": personal.concerning(the_user(request))}
    )


@never_cache
@login_required
def my_copy(request: HttpRequest) -> HttpResponse:
    user = the_user(request)
    try:
        return copy_as_file(user)
    except personal.OutOfReach as why:
        log.error("person.out_of_reach", person=user.pk, because=str(why))
        messages.error(request, NO_COPY)
        return see_other("enrollment:my_data")


def copy_as_file(user: User, *, for_office: bool = False) -> JsonResponse:
    """JSON to be kept: readable keys, UTF-8, dates in ISO 8601."""
    now = timezone.now()
    response = JsonResponse(
        copy_of(user=user, now=now, for_office=for_office),
        encoder=DjangoJSONEncoder,
        json_dumps_params={"indent": 2, "ensure_ascii": False},
    )
    name = f"school-data-{user.pk}-{now:%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@never_cache
@login_first
def delete_me(request: HttpRequest) -> HttpResponse:
    user, posted = the_user(request), request.POST if request.method == "POST" else None
    form = DeleteMeForm(posted, user=user)
    refusal = _refusal(user)
    if posted is not None and refusal is None:
        # Whoever found an open browser must not guess the password here.
        too_often: HttpResponse | None = ratelimit.consume_or_429(
            request, action="reauthenticate", user=user
        )
        if too_often is not None:
            return too_often
        if form.is_valid() and _erase(user, form):
            logout(request)
            messages.success(request, _("Your account is deleted. We wish you all the best."))
            return see_other("enrollment:catalog")
    context = {
        "form": form,
        "parts": personal.concerning(user),
        "refusal": refusal,
        "teaches": teacher_of(user) is not None,
    }
    status = 200 if posted is None else 409 if refusal else 422
    return render(request, "enrollment/delete_me.html", context, status=status)


def _refusal(user: User) -> str | None:
    try:
        check_can_erase(user=user, by=user, now=timezone.now())
    except EraseRefused as refused:
        return why_not_erased(refused)
    return None


def _erase(user: User, form: DeleteMeForm) -> bool:
    try:
        erase_person(user=user, by=user, now=timezone.now())
    except EraseRefused as refused:
        form.add_error(None, why_not_erased(refused))
    except personal.EraseBlocked:
        form.add_error(None, BUSY)
    except personal.OutOfReach as why:
        log.error("person.out_of_reach", person=user.pk, because=str(why))
        form.add_error(None, NOT_WHOLE)
    return not form.errors
