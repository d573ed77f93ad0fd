"""Many conflicts chosen in the list: all kept with one reason, or the lesson of each cancelled."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from enrollment.admin.conflict_page import keep_history, why_refused
from enrollment.admin.ready import can_be_told, message_for
from enrollment.domain.states import ConflictStatus, LessonStatus
from enrollment.models import Conflict, Lesson, User
from enrollment.operations.lessons import PersonDeleted
from enrollment.operations.settling import (
    CannotSettle,
    Case,
    ChangedMeanwhile,
    ConflictEnded,
    Decision,
    dismiss,
    settle,
)

MOST = 100
Conflicts = QuerySet[Conflict]


class KeepForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Why they stay as they are. Kept with each of them."),
    )


class CancelForm(forms.Form):
    credit = forms.BooleanField(
        label=_("With a make-up credit for each"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )
    send = forms.BooleanField(
        label=_("Tell each student"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text=_(
            "In the conversation of the enrollment: which lesson is cancelled, and what comes."
        ),
    )
    extra = forms.CharField(
        label=_("And say to all of them"),
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stands above the office's name. May be empty."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Kept in each lesson's history, where only the office reads it."),
    )


def keep(admin: Any, request: HttpRequest, chosen: Conflicts) -> HttpResponse:
    page = Page(admin, request, chosen, form_class=KeepForm)
    if page.may_go_on:
        reason = page.form.cleaned_data["reason"]
        try:
            dismiss(conflicts=page.conflicts, reason=reason, by=page.by, now=page.now)
        except ConflictEnded:
            page.form.add_error(None, _one_has_ended())
        else:
            for conflict in page.conflicts:
                admin.log_change(request, conflict, gettext("Kept as it is."))
            count = len(page.conflicts)
            words = ngettext(
                "%(count)d conflict stays as it is.", "%(count)d conflicts stay as they are.", count
            )
            return page.done(words % {"count": count})
    return page.ask(title=gettext("Keep as they are"), action="keep_selected")


def cancel(admin: Any, request: HttpRequest, chosen: Conflicts) -> HttpResponse:
    """Of a conflict with several planned lessons a person has to say which."""
    page = Page(admin, request, chosen, form_class=CancelForm, one_lesson=True)
    if page.may_go_on:
        reason = page.form.cleaned_data["reason"]
        try:
            done = settle(cases=page.cases(), reason=reason, by=page.by, now=page.now)
        except ConflictEnded:
            page.form.add_error(None, _one_has_ended())
        except (ChangedMeanwhile, CannotSettle, PersonDeleted) as refused:
            page.form.add_error(None, why_refused(refused))
        else:
            keep_history(admin, request, page.conflicts, done, reason=reason)
            count = len(done)
            words = ngettext("%(count)d lesson cancelled.", "%(count)d lessons cancelled.", count)
            return page.done(words % {"count": count})
    return page.ask(title=gettext("Cancel the lessons"), action="cancel_selected", danger=True)


def _one_has_ended() -> str:
    return gettext(
        "One of them has ended meanwhile. Nothing was done; please look at the list again."
    )


class Page:
    """conflicts: those chosen that are open, and of those, if asked, those with one planned lesson
    that no other of them is about, too."""

    def __init__(
        self,
        admin: Any,
        request: HttpRequest,
        chosen: Conflicts,
        *,
        form_class: Any,
        one_lesson: bool = False,
    ) -> None:
        self.admin, self.request = admin, request
        self.now: datetime = timezone.now()
        found = list(chosen.prefetch_related("lessons__enrollment__student__user")[: MOST + 1])
        self.too_many = len(found) > MOST
        self.lessons: dict[int, Lesson] = {}
        self.conflicts: list[Conflict] = []
        for conflict in found:
            if conflict.status == ConflictStatus.OPEN and (
                not one_lesson or self._single(conflict)
            ):
                self.conflicts.append(conflict)
        self.others = len(found) - len(self.conflicts)
        self.form = form_class(request.POST if "confirmed" in request.POST else None)

    def _single(self, conflict: Conflict) -> bool:
        planned = [one for one in conflict.lessons.all() if one.status == LessonStatus.PLANNED]
        known = {lesson.pk for lesson in self.lessons.values()}
        if len(planned) != 1 or planned[0].pk in known:
            return False
        self.lessons[conflict.pk] = planned[0]
        return True

    @property
    def by(self) -> User:
        return cast(User, self.request.user)

    @property
    def may_go_on(self) -> bool:
        return bool(self.conflicts) and not self.too_many and self.form.is_valid()

    def cases(self) -> list[Case]:
        return [
            Case(conflict=one, decisions=[self._decision(self.lessons[one.pk])])
            for one in self.conflicts
        ]

    def _decision(self, lesson: Lesson) -> Decision:
        answers = self.form.cleaned_data
        decision = Decision(lesson=lesson, credit=answers["credit"])
        if not answers["send"] or not can_be_told(lesson, now=self.now):
            return decision
        message = message_for(decision, extra=answers["extra"].replace("\r\n", "\n"))
        return Decision(lesson=lesson, credit=decision.credit, message=message)

    def done(self, words: str) -> HttpResponse:
        self.admin.message_user(self.request, words, messages.SUCCESS)
        if self.others:
            self.admin.message_user(self.request, self.left(), messages.WARNING)
        return HttpResponseRedirect(self.request.get_full_path())

    def left(self) -> str:
        words = ngettext(
            "%(count)d stays: it has ended, or has not just one planned lesson. Open it to decide.",
            "%(count)d stay: they have ended, or have not just one planned lesson. Open them to decide.",
            self.others,
        )
        return words % {"count": self.others}

    def ask(self, *, title: str, action: str, danger: bool = False) -> HttpResponse:
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": title,
            "form": self.form,
            "conflicts": [
                (self.admin.title_of(one), self.admin.words_of(one), one) for one in self.conflicts
            ],
            "left": self.left() if self.others else "",
            "too_many": MOST if self.too_many else 0,
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
            "danger": danger,
            "back": self.request.get_full_path(),
        }
        return TemplateResponse(self.request, "admin/enrollment/conflict/several.html", context)
