"""The switchboard in the admin: what is on for how many, and the buttons that change it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from rollback import exposure, incidents, runbooks, runner, timings
from rollback.console import processes, words
from rollback.console.forms import EarlyForm, KillForm, ShareForm
from rollback.console.room import RoomPage
from rollback.console.room_forms import KillEverythingForm
from rollback.console.runbook_pages import RunbookPages
from rollback.console.who import WhoPage
from rollback.models import Flag, FlagChange
from rollback.runner import ChangeRefused

Change = Callable[[dict[str, Any]], list[FlagChange]]


@admin.register(Flag)
class FlagAdmin(RoomPage, WhoPage, RunbookPages):
    form = EarlyForm
    list_display = (
        "title", "state", "share", "on_now", "turned_away", "load", "master", "latch", "runbook_link",
    )  # fmt: skip
    list_display_links = ("title",)
    autocomplete_fields = ("users",)
    readonly_fields = (
        "in_words",
        "share",
        "on_now",
        "master",
        "latch",
        "last_change",
        "runbook_link",
    )
    fields = (*readonly_fields, "staff", "superusers", "users", "reason")
    actions_row = ("set_share", "kill", "restore")
    actions_detail = ("set_share", "kill", "restore", "audit")
    # Django's own history would be empty: FlagChange is the audit.
    actions_detail_hide_default = True
    actions_list = ("room", "kill_everything", "who")
    list_before_template = processes.TEMPLATE

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Flag | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flag]:
        # One count for the whole page, not one for each row and column.
        self._numbers = exposure.numbers()
        self._latches = incidents.latches()
        flags: QuerySet[Flag] = super().get_queryset(request).select_related("requires")
        return flags

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), **processes.context()}
        self._timings = timings.today(now=timezone.now())
        page: HttpResponse = super().changelist_view(request, context)
        return page

    @admin.display(description=gettext_lazy("feature"))
    def title(self, flag: Flag) -> str:
        return format_html("{}<br><small>{}</small>", exposure.title(flag.name), flag.name)

    @display(
        description=gettext_lazy("state"),
        label={
            "on": "success",
            "part": "warning",
            "off": "danger",
            "killed": "danger",
            "archived": "info",
        },
    )
    def state(self, flag: Flag) -> tuple[str, str]:
        return exposure.state(flag)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, flag: Flag) -> str:
        return exposure.state(flag)[1]

    @admin.display(description=gettext_lazy("share"))
    def share(self, flag: Flag) -> str:
        return f"{flag.percent.normalize():f}\N{NO-BREAK SPACE}%"

    @admin.display(description=gettext_lazy("on now for"))
    def on_now(self, flag: Flag) -> str:
        return _("%(on)s of %(all)s users") % {
            "on": self._numbers.on.get(flag.name, 0),
            "all": self._numbers.users,
        }

    @admin.display(description=gettext_lazy("turned away today"))
    def turned_away(self, flag: Flag) -> int:
        return self._numbers.turned_away.get(flag.name, 0)

    @admin.display(description=gettext_lazy("95 % of pages today within"))
    def load(self, flag: Flag) -> str:
        server, browser = (
            self._timings.get((flag.name, kind)) for kind in (timings.SERVER, timings.BROWSER)
        )
        known = [
            words % {"ms": round(found.p95)}
            for words, found in ((_("%(ms)s ms"), server), (_("%(ms)s ms in browsers"), browser))
            if found is not None and found.p95 is not None
        ]
        return ", ".join(known) or "–"

    @admin.display(description=gettext_lazy("master"))
    def master(self, flag: Flag) -> str:
        return exposure.title(flag.requires.name) if flag.requires else "–"

    @admin.display(description=gettext_lazy("latched by"))
    def latch(self, flag: Flag) -> str:
        incident = self._latches.get(flag.name)
        if incident is None:
            return "–"
        page = reverse("admin:rollback_incident_change", args=[incident.pk])
        link = '<a class="underline" href="{}">{}</a>'
        return format_html(link, page, _("Incident %s") % incident)

    @admin.display(description=gettext_lazy("runbook"))
    def runbook_link(self, flag: Flag) -> str:
        link = '<a class="underline" href="{}">{}</a>'
        return format_html(link, runbooks.url_of(flag.name), _("What to do"))

    @admin.display(description=gettext_lazy("last change"))
    def last_change(self, flag: Flag) -> str:
        change = FlagChange.objects.filter(flag_name=flag.name).order_by("-pk").first()
        return words.last_change(change) if change else "–"

    def get_form(
        self, request: HttpRequest, obj: Flag | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.may_raise = self.has_raise_permission(request)
        return form

    def save_model(self, request: HttpRequest, obj: Flag, form: Any, change: bool) -> None:
        runner.set_early(
            flag=obj.name,
            staff=form.cleaned_data["staff"],
            superusers=form.cleaned_data["superusers"],
            users=form.cleaned_data["users"],
            actor=runner.actor_of(request.user),
            reason=form.cleaned_data["reason"],
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The users were saved by the runner, with the audit row, in one transaction."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """FlagChange is the audit."""

    @action(
        description=gettext_lazy("Set share"),
        url_path="set-share",
        permissions=["change"],
        icon="tune",
    )
    def set_share(self, request: HttpRequest, object_id: str) -> HttpResponse:
        flag = self._flag(request, object_id)
        most = None if self.has_raise_permission(request) else flag.percent
        return self._ask(
            request,
            form=ShareForm(request.POST or None, initial={"percent": flag.percent}, most=most),
            title=_("Set the share of %(feature)s") % {"feature": exposure.title(flag.name)},
            consequence=_("Lowering takes effect in every process within a fraction of a second."),
            change=lambda answers: runner.set_share(
                flag=flag.name,
                percent=answers["percent"],
                actor=runner.actor_of(request.user),
                reason=answers["reason"],
            ),
        )

    @action(
        description=gettext_lazy("Kill"),
        url_path="kill",
        permissions=["change"],
        icon="power_settings_new",
        variant=ActionVariant.DANGER,
    )
    def kill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        flag = self._flag(request, object_id)
        return self._ask(
            request,
            form=KillForm(request.POST or None, initial={"latch": "latch" in request.GET}),
            title=_("Kill %(feature)s") % {"feature": exposure.title(flag.name)},
            consequence=_(
                "It goes off for everybody, administrators included. Whoever is enrolling "
                "continues in the original form with everything saved."
            ),
            change=lambda answers: self._kill(request, answers, flag.name),
            danger=True,
        )

    @action(
        description=gettext_lazy("Restore"),
        url_path="restore",
        permissions=["raise"],
        icon="settings_backup_restore",
    )
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        flag = self._flag(request, object_id)
        return self._ask(
            request,
            form=ShareForm(request.POST or None, initial={"percent": flag.percent}),
            title=_("Restore %(feature)s") % {"feature": exposure.title(flag.name)},
            consequence=_("Undoes a kill. Start with a smaller share if you are not sure."),
            change=lambda answers: runner.restore(
                flag=flag.name,
                percent=answers["percent"],
                actor=runner.actor_of(request.user),
                reason=answers["reason"],
            ),
        )

    @action(
        description=gettext_lazy("Switch everything off"),
        url_path="kill-everything",
        permissions=["change"],
        icon="emergency_home",
        variant=ActionVariant.DANGER,
    )
    def kill_everything(self, request: HttpRequest) -> HttpResponse:
        return self._ask(
            request,
            form=KillEverythingForm(request.POST or None),
            title=_("Switch every feature off"),
            consequence=_(
                "All four features go off for everybody at once. The original enrollment, "
                "lessons and the manual schedule stay as they are."
            ),
            change=lambda answers: self._kill(request, answers),
            danger=True,
        )

    def _kill(self, request: HttpRequest, answers: dict[str, Any], *flags: str) -> list[FlagChange]:
        """Those flags; without one, all."""
        said = {"actor": runner.actor_of(request.user), "reason": answers["reason"]}
        if not answers["latch"]:
            return runner.kill(flag=flags[0] if flags else None, **said)
        done = runner.roll_back(
            flags=flags, incident=answers["incident"], kind=answers["kind"], **said
        )
        opened = _("Incident %s is open; until it is resolved, nothing comes back.")
        self.message_user(request, opened % done.incident, messages.WARNING)
        return done.changes

    @action(
        description=gettext_lazy("Audit"),
        url_path="audit",
        permissions=["view"],
        icon="history",
    )
    def audit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        flag = self._flag(request, object_id)
        changes = reverse("admin:rollback_flagchange_changelist")
        return HttpResponseRedirect(f"{changes}?flag_name__exact={flag.name}")

    def _changeform_view(self, request: HttpRequest, object_id: str, *args: Any) -> HttpResponse:
        try:
            page: HttpResponse = super()._changeform_view(request, object_id, *args)
        except ChangeRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.path)
        return page

    def _flag(self, request: HttpRequest, object_id: str) -> Flag:
        flag: Flag | None = self.get_object(request, object_id)
        if flag is None:
            raise Http404
        return flag

    def _ask(
        self,
        request: HttpRequest,
        *,
        form: forms.Form,
        title: str,
        consequence: str,
        change: Change,
        danger: bool = False,
    ) -> HttpResponse:
        """One page for every change: what will happen, the reason, one button."""
        back = reverse("admin:rollback_flag_changelist")
        if request.method == "POST" and form.is_valid():
            try:
                made = change(form.cleaned_data)
            except ChangeRefused as refused:
                form.add_error(None, str(refused))
            else:
                self._tell(request, made)
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "consequence": consequence,
            "form": form,
            "danger": danger,
            "back": back,
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)

    def _tell(self, request: HttpRequest, made: list[FlagChange]) -> None:
        if not made:
            self.message_user(request, _("Nothing to change: it was so already."), messages.INFO)
        for change in made:
            done = {"feature": exposure.title(change.flag_name), "action": words.action(change)}
            self.message_user(request, _("%(feature)s: %(action)s done.") % done, messages.SUCCESS)
        processes.tell(request, made)
