"""Channels, the policy, and the pages that were called, in the admin."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import oncall
from rollback.audit import ChangeRefused, actor_of
from rollback.console.roster_forms import ChannelForm, PolicyForm
from rollback.domain.oncall import EVERYBODY
from rollback.models import Channel, Notification, OnCallPolicy, Page, PageCall
from rollback.oncall import acknowledging, testing
from rollback.oncall.policy import made
from rollback.outbox.programs import ProgramRefused

ASK = "admin/rollback/change_flag.html"


class JustAButton(forms.Form):
    """Nothing is asked: the button says it."""


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "is_active", "last_error")
    list_filter = ("kind", "is_active")
    search_fields = ("name",)
    readonly_fields = ("last_error",)
    actions_detail = ("send_test",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if not self.has_change_permission(request, obj):
            # The address is a key with some of them.
            return ("name", "kind", "is_active", "last_error")
        shown = ("name", "kind", "url", "secret", "is_active")
        return (*shown, "last_error") if obj else shown

    @admin.display(description=gettext_lazy("last error"))
    def last_error(self, channel: Channel) -> str:
        rows = Notification.objects.filter(channel=channel).order_by("-pk")
        newest = rows.exclude(state=Notification.State.STOPPED).first()
        return newest.error if newest and newest.error else "–"

    def has_test_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("rollback.change_channel")

    @action(
        description=gettext_lazy("Send a test"),
        url_path="test",
        permissions=["test"],
        icon="send",
    )
    def send_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        channel: Channel | None = self.get_object(request, object_id)
        if channel is None:
            raise Http404
        back = reverse("admin:rollback_channel_change", args=[channel.pk])
        form = JustAButton(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                testing.send(channel, key=f"test.{uuid4().hex}")
            except (ProgramRefused, OSError) as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, _("It took the test."), messages.SUCCESS)
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Send a test to %(name)s") % {"name": channel.name},
            "consequence": _(
                "It gets a page that says it is a test, and then that it is over. Nobody is called "
                "by the school itself."
            ),
            "button_text": _("Send a test"),
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, ASK, context)


@admin.register(OnCallPolicy)
class OnCallPolicyAdmin(ModelAdmin):
    """One row, which is there as soon as somebody looks for it."""

    form = PolicyForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:rollback_oncallpolicy_change", args=[made().pk]))


class Calls(TabularInline):
    model = PageCall
    extra = 0
    can_delete = False
    hide_title = True
    fields = ("called_at", "number", "person", "outcome")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("who was called")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rollback.view_page")

    @admin.display(description=gettext_lazy("number"))
    def number(self, call: PageCall) -> str:
        return "–" if call.level == EVERYBODY else str(call.level)

    @admin.display(description=gettext_lazy("person"))
    def person(self, call: PageCall) -> str:
        return str(call.user) if call.user else _("everybody")

    @admin.display(description=gettext_lazy("mail"))
    def outcome(self, call: PageCall) -> str:
        if call.sending is None:
            return "–"
        rows = call.sending.notifications.filter(channel=None).order_by("state")
        states = dict.fromkeys(str(row.get_state_display()) for row in rows)
        return ", ".join(states) or "–"


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("what", "kind", "state", "opened_at", "acknowledged_by_name")
    list_display_links = ("what",)
    list_filter = ("kind", ("acknowledged_at", admin.EmptyFieldListFilter))
    list_select_related = ("incident",)
    fields = (
        "what", "kind", "state_in_words", "incident", "opened_at", "escalates_at", "acknowledged_at",
        "acknowledged_by_name", "closed_at",
    )  # fmt: skip
    readonly_fields = ("what", "state_in_words")
    inlines = (Calls,)
    actions_detail = ("acknowledge",)

    @admin.display(description=gettext_lazy("page"))
    def what(self, page: Page) -> str:
        return f"{page.pk}: {page.incident.title if page.incident else page.get_kind_display()}"

    @display(
        description=gettext_lazy("state"),
        label={"waits": "danger", "acknowledged": "success", "closed": "info"},
    )
    def state(self, page: Page) -> tuple[str, str]:
        if acknowledging.waits(page):
            return "waits", _("Waits for an answer")
        if page.acknowledged_at is not None:
            return "acknowledged", _("Acknowledged")
        return "closed", _("Over")

    @admin.display(description=gettext_lazy("state"))
    def state_in_words(self, page: Page) -> str:
        return str(self.state(page)[1])

    def has_acknowledge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("rollback.change_incident")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        page: Page | None = self.get_object(request, object_id)
        if page is None or not acknowledging.waits(page):
            return []
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found

    @action(
        description=gettext_lazy("Acknowledge"),
        url_path="acknowledge",
        permissions=["acknowledge"],
        icon="task_alt",
    )
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        page: Page | None = self.get_object(request, object_id)
        if page is None:
            raise Http404
        back = reverse("admin:rollback_page_change", args=[page.pk])
        form = JustAButton(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                oncall.acknowledge(page=page.pk, actor=actor_of(request.user))
            except ChangeRefused as refused:
                form.add_error(None, str(refused))
            else:
                self.message_user(request, _("Nobody else is called."), messages.SUCCESS)
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Acknowledge page %(what)s") % {"what": self.what(page)},
            "consequence": _("You are at it: nobody else is called."),
            "button_text": _("Acknowledge"),
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, ASK, context)
