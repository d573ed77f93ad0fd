"""Which programs may read whose calendar. Feeds are made by their owners; the office can revoke them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from scheduling.models import CalendarFeed
from scheduling.operations.feeds import revoke_feed


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "user", "created_at", "last_read_on", "state")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    # The digest is nobody's business.
    fields = ("name", "user", "language", "created_at", "last_read_on", "revoked_at")
    search_fields = ("name", "user__email")
    actions = ("revoke_selected",)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a feed: who could give it to somebody else would read their calendar."""
        return request.user.has_perm("scheduling.change_calendarfeed")

    @display(description=_("state"), label={"live": "success", "revoked": "danger"})
    def state(self, feed: CalendarFeed) -> tuple[str, Any]:
        return ("revoked", _("Revoked")) if feed.revoked_at else ("live", _("Live"))

    @admin.action(description=_("Revoke selected"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[CalendarFeed]) -> None:
        now = timezone.now()
        assert request.user.is_authenticated
        count = sum(
            revoke_feed(pk=pk, by=request.user, now=now)
            for pk in queryset.values_list("pk", flat=True)
        )
        done = ngettext("%(count)d feed revoked.", "%(count)d feeds revoked.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
