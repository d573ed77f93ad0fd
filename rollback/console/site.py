from collections.abc import Iterator
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from rollback import registry, switchboard


class OfficeSite(UnfoldAdminSite):
    """The admin lists only the apps whose feature is on for this person; and those whose tables are in
    the archive, with that word: their pages say since when, and how they come back.
    """

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
        for app in apps:
            app["models"] = [page for model in app["models"] for page in self._pages(model)]
            if _is_archived(app):
                app["name"] = _("%(app)s: in the archive") % {"app": app["name"]}
                app["models"] = [{**model, "add_url": None} for model in app["models"]]
        shown = [
            app
            for app in apps
            if app["app_label"] not in covered
            or switchboard.is_on(covered[app["app_label"]].flag, request)
            or _is_archived(app)
        ]
        return _first(shown)

    def _pages(self, model: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The list, and the further pages that a model's admin names in `pages`; those in
        `first_pages` are for who may change its rows, and stand before everything else.
        """
        admin = self._registry[model["model"]]
        yield model
        for name, title in getattr(admin, "pages", ()):
            yield self._page(model, name, title)
        if model["perms"].get("change"):
            for name, title in getattr(admin, "first_pages", ()):
                yield self._page(model, name, title) | {"is_first": True}

    def _page(self, model: dict[str, Any], name: str, title: Any) -> dict[str, Any]:
        opts = model["model"]._meta
        return {
            **model,
            "name": title,
            "object_name": f"{model['object_name']}-{name}",
            "admin_url": reverse(f"{self.name}:{opts.app_label}_{opts.model_name}_{name}"),
            "add_url": None,
            "view_only": True,
        }

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


def _is_archived(app: dict[str, Any]) -> bool:
    feature = registry.by_admin_app().get(app["app_label"])
    return feature is not None and switchboard.is_archived(feature.flag)


def _first(apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is needed in a hurry is not looked for: its page first, in the first app."""
    for app in apps:
        app["models"].sort(key=lambda page: not page.get("is_first"))
    return sorted(apps, key=lambda app: not any(page.get("is_first") for page in app["models"]))
