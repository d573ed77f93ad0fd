"""A person's own API tokens."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from enrollment.forms import TokenForm
from enrollment.models import ApiToken
from enrollment.operations.tokens import MOST_TOKENS, TooManyTokens, make_token, revoke_token


@never_cache
@login_required
def my_tokens(request: HttpRequest) -> HttpResponse:
    form = TokenForm(request.POST if request.method == "POST" else None)
    secret = _make(request, form) if form.is_valid() else ""
    context = {
        # Nobody may make a second one by loading the page again.
        "form": TokenForm() if secret else form,
        "secret": secret,
        "tokens": ApiToken.objects.filter(user=request.user.pk)[:50],
        "now": timezone.now(),
    }
    status = 422 if form.errors else 200
    return render(request, "enrollment/tokens.html", context, status=status)


def _make(request: HttpRequest, form: TokenForm) -> str:
    """:returns: the token, or nothing where the form now says why not."""
    assert request.user.is_authenticated
    try:
        _row, secret = make_token(user=request.user, now=timezone.now(), **form.cleaned_data)
    except TooManyTokens:
        words = _("You have %(most)s tokens already. Revoke one first.")
        form.add_error(None, words % {"most": MOST_TOKENS})
        return ""
    return secret


@login_required
@require_POST
def revoke(request: HttpRequest, key: str) -> HttpResponse:
    assert request.user.is_authenticated
    if not revoke_token(key=key, user=request.user, by=request.user, now=timezone.now()):
        raise Http404
    messages.success(request, _("Revoked. Programs that use this token are locked out now."))
    return redirect("enrollment:tokens")
