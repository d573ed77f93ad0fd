"""Which programs may act for whom. Tokens are made by their owners; the office can revoke them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from enrollment.models import ApiToken
from enrollment.operations.tokens import revoke_token


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ("name", "user", "token_key", "created", "last_used_at", "expiry", "state")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    # The digest is nobody's business, and the page to change one has nothing to offer.
    list_display_links = None
    search_fields = ("name", "token_key", "user__email")
    actions = ("revoke_selected",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("state"), label={"live": "success", "revoked": "danger"})
    def state(self, token: ApiToken) -> tuple[str, Any]:
        if token.is_live(now=timezone.now()):
            return "live", _("Live")
        return ("revoked", _("Revoked")) if token.revoked_at else ("expired", _("Expired"))

    @admin.action(description=_("Revoke selected"), permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        now = timezone.now()
        count = sum(
            revoke_token(key=key, by=request.user, now=now)
            for key in queryset.values_list("token_key", flat=True)
        )
        done = ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
