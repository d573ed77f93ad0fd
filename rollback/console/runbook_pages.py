"""The runbooks in the office: what to do, read where one is when it is needed."""

import re
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from rollback import runbooks
from rollback.console import report

# Another runbook beside it; the rest of docs/ is not shown here.
BESIDE = re.compile(r"(?P<name>[a-z0-9-]+)\.md")
HEADING = re.compile(r"\A# (?P<title>.+)\n")


class RunbookPages(ModelAdmin):
    def get_urls(self) -> list[Any]:
        own = [
            path(
                "runbook/<slug:name>/",
                self.admin_site.admin_view(self.runbook),
                name="rollback_flag_runbook",
            )
        ]
        return [*own, *super().get_urls()]

    def runbook(self, request: HttpRequest, name: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            text = runbooks.text_of(name)
        except runbooks.NoRunbook as missing:
            if runbooks.is_deployed():
                raise Http404 from missing
            text = ""
        heading = HEADING.match(text)
        title = heading["title"] if heading else _("Runbook")
        may_see_room = request.user.has_perm("rollback.change_flag")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "name": name,
            "body": report.html(HEADING.sub("", text), leads=_leads, deeper=0) if text else "",
            "index": None if name == runbooks.INDEX else runbooks.page_of(runbooks.INDEX),
            "room": reverse("admin:rollback_flag_room") if may_see_room else None,
        }
        return TemplateResponse(request, "admin/rollback/runbook.html", context)


def _leads(address: str) -> str | None:
    beside = BESIDE.fullmatch(address)
    is_one = beside is not None and beside["name"] in runbooks.names()
    return runbooks.page_of(beside["name"]) if beside and is_one else None
