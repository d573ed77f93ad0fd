"""Which programs may act for whom. Tokens are made by their owners; the office can revoke them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from enrollment.models import ApiToken
from enrollment.operations.tokens import revoke_token


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "token_key", "created", "last_used_at", "expiry", "state")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    # The digest is nobody's business.
    fields = ("name", "user", "token_key", "created", "last_used_at", "expiry", "revoked_at")
    search_fields = ("name", "token_key", "user__email")
    actions = ("revoke_selected",)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a token: who could give it to somebody else would be somebody else."""
        return request.user.has_perm("enrollment.change_apitoken")

    @display(description=_("state"), label={"live": "success", "revoked": "danger"})
    def state(self, token: ApiToken) -> tuple[str, Any]:
        if token.is_live(now=timezone.now()):
            return "live", _("Live")
        return ("revoked", _("Revoked")) if token.revoked_at else ("expired", _("Expired"))

    @admin.action(description=_("Revoke selected"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        now = timezone.now()
        count = sum(
            revoke_token(key=key, by=request.user, now=now)
            for key in queryset.values_list("token_key", flat=True)
        )
        done = ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
