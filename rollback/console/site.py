from typing import Any

from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite

from rollback import registry, switchboard


class OfficeSite(UnfoldAdminSite):
    """The admin lists only the apps whose feature is on for this person."""

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # The palette stands in rollback/admin.css; as an inline style no browser would take it.
        return {**super().each_context(request), "colors": None}

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        covered = registry.by_admin_app()
        return [
            app
            for app in apps
            if app["app_label"] not in covered
            or switchboard.is_on(covered[app["app_label"]].flag, request)
        ]
