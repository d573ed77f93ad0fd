"""The outbox in the admin: what waits, what was given up and why; and the addresses that no mail reaches.

What a letter says to somebody is shown nowhere here: it is made when it goes out. To whom a letter to the
affected people goes, is shown to who may see those; to others they are nobody by name.
"""

import re
from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import outbox, runner
from rollback.domain.letters import BY_KEY, Audience
from rollback.models import DeafAddress, Notification

State = Notification.State
COLORS = {
    State.HELD: "info",
    State.WAITING: "warning",
    State.SENT: "success",
    State.DEAD: "danger",
    State.STOPPED: "info",
    State.NOT_NEEDED: "info",
}

UNNAMED = {
    "who": "unnamed_who",
    "shown_error": "unnamed_shown_error",
    "error": "unnamed_error",
    "bounce": "unnamed_bounce",
}
# Any address: it may be led on to another.
MAILS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


def about_people(row: Notification) -> bool:
    """A letter that is not known any more could have been one."""
    letter = BY_KEY.get(row.sending.letter)
    return row.user is not None and (letter is None or letter.audience == Audience.PEOPLE)


class LetterFilter(admin.SimpleListFilter):
    title = gettext_lazy("letter")
    parameter_name = "letter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, _(letter.title)) for key, letter in BY_KEY.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = self.value() in BY_KEY
        return queryset.filter(sending__letter=self.value()) if known else queryset


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("number", "shown_state", "letter", "who", "tries", "shown_error", "when")
    list_display_links = ("number",)
    list_filter = ("state", LetterFilter, ("bounced_at", admin.EmptyFieldListFilter))
    list_select_related = ("sending", "user", "channel")
    search_fields = ("user__email__iexact", "email__iexact", "user__last_name", "message_id__exact")
    search_help_text = gettext_lazy("A whole mail address, a last name, or a Message-ID")
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "in_words", "letter", "incident", "who", "tries", "when", "message_id", "error", "bounced_at",
        "bounce",
    )  # fmt: skip
    readonly_fields = ("in_words", "letter", "incident", "who", "when")
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """Without what it says: `values` may hold what only the person is to read."""
        rows: QuerySet[Notification] = super().get_queryset(request)
        return rows.defer("values")

    def sees_people(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.view_affectedperson")

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._for(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._for(request, super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._for(request, super().get_readonly_fields(request, obj))

    def _for(self, request: HttpRequest, columns: Any) -> Any:
        """A server's answer may repeat the address."""
        unnamed = {} if self.sees_people(request) else UNNAMED
        return tuple(dict.fromkeys(unnamed.get(name, name) for name in columns))

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Or whoever may not see who is affected would find it out by trying addresses."""
        return self.search_fields if self.sees_people(request) else ("message_id__exact",)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        if not self.sees_people(request):
            shown.search_help_text = _("Message-ID")
        return shown

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """What was given up stands on top: it waits for somebody. Usually there is none, and nothing to
        be sorted: the newest are read by their numbers."""
        if not Notification.objects.filter(state=State.DEAD).exists():
            return ["-pk"]
        return [Case(When(state=State.DEAD, then=Value(0)), default=Value(1)).asc(), "-pk"]

    def has_send_again_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rollback.change_notification")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        return found if self.has_send_again_permission(request) else {}

    @admin.display(description=gettext_lazy("number"), ordering="pk")
    def number(self, row: Notification) -> str:
        return str(row.pk)

    @display(description=gettext_lazy("state"), ordering="state", label=COLORS)
    def shown_state(self, row: Notification) -> tuple[str, str]:
        return State.DEAD if row.bounced_at else row.state, self.in_words(row)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, row: Notification) -> str:
        return _("came back") if row.bounced_at else str(row.get_state_display())

    @admin.display(description=gettext_lazy("letter"), ordering="sending__letter")
    def letter(self, row: Notification) -> str:
        known = BY_KEY.get(row.sending.letter)
        return _(known.title) if known else row.sending.letter

    @admin.display(description=gettext_lazy("incident"))
    def incident(self, row: Notification) -> str:
        return str(row.sending.incident or "–")

    @admin.display(description=gettext_lazy("to"))
    def who(self, row: Notification) -> str:
        if row.user is not None:
            return f"{row.user} <{row.user.email}>"
        return row.channel.name if row.channel else row.email

    @admin.display(description=gettext_lazy("last error"))
    def shown_error(self, row: Notification) -> str:
        return Truncator(row.bounce or row.error).chars(80) or "–"

    @admin.display(description=gettext_lazy("to"))
    def unnamed_who(self, row: Notification) -> str:
        return _("a person") if about_people(row) else self.who(row)

    @admin.display(description=gettext_lazy("last error"))
    def unnamed_shown_error(self, row: Notification) -> str:
        return Truncator(_unnamed(row, row.bounce or row.error)).chars(80) or "–"

    @admin.display(description=gettext_lazy("last error"))
    def unnamed_error(self, row: Notification) -> str:
        return _unnamed(row, row.error) or "–"

    @admin.display(description=gettext_lazy("why it came back"))
    def unnamed_bounce(self, row: Notification) -> str:
        return _unnamed(row, row.bounce) or "–"

    @admin.display(description=gettext_lazy("sent, or due"), ordering="next_at")
    def when(self, row: Notification) -> Any:
        if row.state == State.SENT:
            return row.sent_at
        return row.next_at if row.state == State.WAITING else None

    @action(description=gettext_lazy("Send again"), permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> Any:
        """Only what was given up: a second mail to who has it is nobody's wish."""
        chosen = list(queryset.values_list("pk", flat=True))
        to_people = request.user.has_perm("rollback.send")
        by = runner.actor_of(request.user)
        done = outbox.resend(notifications=chosen, to_people=to_people, actor=by)
        if done.waiting:
            words = ngettext(
                "%(number)s mail is tried again.", "%(number)s mails are tried again.", done.waiting
            )
            self.message_user(request, words % {"number": done.waiting}, messages.SUCCESS)
        for number, words in _left_out(done, chosen=len(chosen)):
            if number:
                self.message_user(request, words % {"number": number}, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:rollback_notification_changelist"))


def _left_out(done: outbox.Resent, *, chosen: int) -> list[tuple[int, str]]:
    """How many, and why they do not go out now."""
    return [
        (done.held, _("They wait until their sending goes on: %(number)s.")),
        (done.stopped, _("Left out, because their sending was stopped: %(number)s.")),
        (done.over, _("Left out, because somebody is at it, or it is over: %(number)s.")),
        (
            done.not_allowed,
            _(
                "Left out, because only who may send mails to the affected people may send these: "
                "%(number)s."
            ),
        ),
        (
            chosen - done.all,
            _("Only what was given up can be sent again; %(number)s stay as they are."),
        ),
    ]


def _unnamed(row: Notification, said: str) -> str:
    return MAILS.sub("…", said) if about_people(row) else said


@admin.register(DeafAddress)
class DeafAddressAdmin(ReadOnlyAdmin):
    list_display = ("email", "shown_why", "said", "since")
    list_filter = ("why",)
    search_fields = ("email__iexact",)
    search_help_text = gettext_lazy("A whole mail address")
    fields = ("email", "why", "said", "since")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """To delete it is to write to that address again."""
        return request.user.has_perm("rollback.delete_deafaddress")

    @display(
        description=gettext_lazy("why"),
        ordering="why",
        label={DeafAddress.Why.BOUNCED: "warning", DeafAddress.Why.COMPLAINED: "danger"},
    )
    def shown_why(self, row: DeafAddress) -> tuple[str, str]:
        return row.why, row.get_why_display()
