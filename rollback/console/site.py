from typing import Any

from allauth.account.decorators import secure_admin_login
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from unfold.sites import UnfoldAdminSite

from rollback import registry, switchboard


class OfficeSite(UnfoldAdminSite):
    """The admin lists only the apps whose feature is on for this person."""

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # The palette stands in rollback/admin.css; as an inline style no browser would take it.
        return {**super().each_context(request), "colors": None}

    @method_decorator(secure_admin_login)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Through the school's own login: the admin's form would let anybody guess without limit."""
        response: HttpResponse = super().login(request, extra_context)
        return response

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

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """unfold's own would search past get_app_list, and remember for minutes what was on."""
        term = request.GET.get("s", "").strip().lower()
        if not term:
            return HttpResponse()
        template = "command" if "extended" in request.GET else "search"
        found = Paginator(self._search_apps(self.get_app_list(request), term), 100)
        return TemplateResponse(
            request,
            f"unfold/helpers/{template}_results.html",
            {
                "page_obj": found,
                "results": found.get_page(request.GET.get("page")),
                "page_counter": 0,
                "execution_time": 0,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )
