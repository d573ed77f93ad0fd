"""Unfinished enrollments as the office sees them, above all those that could not be read."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast, Left
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import quarantine
from rollback.domain.answers import AnswersTooLarge
from rollback.models import EnrollmentDraft
from rollback.quarantine import Bytes, NothingToContinue

SHOWN = 20_000  # characters of the answers


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unreadable", _("Set aside, unreadable")),
            ("open", _("Unfinished")),
            ("finished", _("Finished")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "finished":
            return queryset.filter(finished_at__isnull=False)
        if self.value() in ("unreadable", "open"):
            is_open = self.value() == "open"
            return queryset.filter(finished_at__isnull=True, quarantined_at__isnull=is_open)
        return queryset


@admin.register(EnrollmentDraft)
class EnrollmentDraftAdmin(ReadOnlyAdmin):
    list_display = ("student", "course", "state", "what_is_wrong", "step", "saved_at")
    list_filter = (StateFilter, ("turned_away_at", admin.EmptyFieldListFilter))
    list_select_related = ("student__user", "course")
    search_fields = ("student__user__email", "student__user__last_name", "course__title")
    fields = (
        "student",
        "course",
        "what_is_wrong",
        "quarantined_at",
        "size",
        "answers_as_text",
        "aside_as_text",
        "step",
        "started_at",
        "saved_at",
        "turned_away_at",
        "finished_at",
        "reminded_at",
        "enrollment",
    )
    readonly_fields = ("what_is_wrong", "size", "answers_as_text", "aside_as_text")
    actions_detail = ("give_back", "delete_unreadable")

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a draft; what happens to an unreadable one is decided with this permission."""
        return request.user.has_perm("rollback.change_enrollmentdraft")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EnrollmentDraft]:
        """Without what was typed: it may be of any size and shape."""
        drafts: QuerySet[EnrollmentDraft] = super().get_queryset(request)
        return drafts.defer(*quarantine.JSON).select_related("student__user", "course")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what could not be read is the office's to decide about."""
        if not quarantine.set_aside_drafts().filter(pk=object_id).exists():
            return []
        actions: list[Any] = super().get_actions_detail(request, object_id)
        return actions

    @display(
        description=gettext_lazy("state"),
        label={"unreadable": "danger", "open": "warning", "finished": "success"},
    )
    def state(self, draft: EnrollmentDraft) -> tuple[str, str]:
        if draft.finished_at:
            return "finished", _("Finished")
        if draft.quarantined_at:
            return "unreadable", _("Set aside")
        return "open", _("Unfinished")

    @admin.display(description=gettext_lazy("what is wrong"))
    def what_is_wrong(self, draft: EnrollmentDraft) -> str:
        return str(draft.get_problem_display()) or "–"

    @admin.display(description=gettext_lazy("size"))
    def size(self, draft: EnrollmentDraft) -> str:
        return filesizeformat(_row(draft).values_list(Bytes(F("answers")), flat=True).get())

    @admin.display(description=gettext_lazy("answers, as they stand in the database"))
    def answers_as_text(self, draft: EnrollmentDraft) -> str:
        return _as_text(draft, "answers")

    @admin.display(description=gettext_lazy("set aside"))
    def aside_as_text(self, draft: EnrollmentDraft) -> str:
        return _as_text(draft, "set_aside")

    @action(
        description=gettext_lazy("Give back to the student"),
        url_path="give-back",
        permissions=["decide"],
        icon="restore_page",
    )
    def give_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(
            request,
            object_id,
            title=_("Give back to the student"),
            consequence=_(
                "It is read once more. What can be read goes into the student's unfinished "
                "enrollment; what the student has typed since stays as it is."
            ),
            do=self._give_back,
        )

    def _give_back(self, request: HttpRequest, draft: EnrollmentDraft) -> None:
        try:
            is_whole = quarantine.give_back(draft, now=timezone.now())
        except EnrollmentDraft.DoesNotExist as gone:
            raise Http404 from gone  # the button was pressed twice, and the first one did it
        except NothingToContinue:
            self.message_user(
                request, _("The student is enrolled in this course by now."), messages.ERROR
            )
        except AnswersTooLarge:
            self.message_user(
                request,
                _("It does not fit beside what the student has typed since."),
                messages.ERROR,
            )
        else:
            self.log_change(request, draft, "Given back to the student.")
            self.message_user(request, *_given_back(is_whole))

    @action(
        description=gettext_lazy("Delete"),
        url_path="delete-unreadable",
        permissions=["decide"],
        icon="delete",
        variant=ActionVariant.DANGER,
    )
    def delete_unreadable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask(
            request,
            object_id,
            title=_("Delete"),
            consequence=_(
                "The unreadable answers are gone for good. The student's newer, readable ones stay."
            ),
            do=self._delete,
            danger=True,
        )

    def _delete(self, request: HttpRequest, draft: EnrollmentDraft) -> None:
        self.log_change(request, draft, "Deleted, because it could not be read.")
        _row(draft).delete()
        self.message_user(request, _("The unreadable draft is deleted."), messages.SUCCESS)

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        consequence: str,
        do: Callable[[HttpRequest, EnrollmentDraft], None],
        danger: bool = False,
    ) -> HttpResponse:
        """What will happen, and one button."""
        draft = self.get_object(request, object_id)
        if draft is None or draft.quarantined_at is None or draft.finished_at is not None:
            raise Http404
        if request.method == "POST":
            do(request, draft)
            back = reverse("admin:rollback_enrollmentdraft_changelist")
            return HttpResponseRedirect(f"{back}?state=unreadable")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "consequence": f"{draft}: {draft.get_problem_display()} {consequence}",
            "form": forms.Form(),
            "danger": danger,
            "back": reverse("admin:rollback_enrollmentdraft_change", args=[draft.pk]),
        }
        return TemplateResponse(request, "admin/rollback/change_flag.html", context)


def _row(draft: EnrollmentDraft) -> QuerySet[EnrollmentDraft]:
    return EnrollmentDraft.objects.filter(pk=draft.pk)


def _as_text(draft: EnrollmentDraft, column: str) -> str:
    """The database cuts it, and as text: it is not even parsed on its way to the page."""
    text = Left(Cast(column, TextField()), SHOWN + 1)
    found: str = _row(draft).values_list(text, flat=True).get()
    cut = _("… cut after %(count)s characters") % {"count": SHOWN} if found[SHOWN:] else ""
    return format_html('<div class="whitespace-pre-wrap break-all">{}</div>{}', found[:SHOWN], cut)


def _given_back(is_whole: bool) -> tuple[str, int]:
    if is_whole:
        return _("All of it could be read, and the student has it again."), messages.SUCCESS
    return (
        _("The student has what could be read; the whole is still set aside here."),
        messages.WARNING,
    )
