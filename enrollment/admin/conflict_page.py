"""One conflict: its lessons side by side, the choices, and the message to each student before it is
sent. Two pages of one address: what is decided, and once more all of it, with one click to do it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from enrollment.admin.conflict_form import (
    DecisionForm,
    MessageForm,
    ReasonForm,
    changed_meanwhile,
    decided,
)
from enrollment.admin.words import because, somebody_gone
from enrollment.domain.clock import NoSuchTime
from enrollment.domain.messages import ThreadClosed
from enrollment.domain.states import ConflictStatus, LessonStatus
from enrollment.models import Conflict, Enrollment, Lesson, User
from enrollment.operations.lessons import PersonDeleted, SlotTaken
from enrollment.operations.settling import (
    CannotSettle,
    Case,
    ChangedMeanwhile,
    ConflictEnded,
    Decision,
    Done,
    dismiss,
    give_back_hold,
    reopen,
    settle,
)

# More stand on the page as they are; one at a time is enough to decide about.
MOST = 12


class ConflictPage:
    def __init__(self, admin: ModelAdmin, request: HttpRequest, conflict: Conflict) -> None:
        self.admin, self.request, self.conflict = admin, request, conflict
        self.now: datetime = timezone.now()
        data = request.POST if request.method == "POST" else None
        self.lessons = _lessons_of(conflict)
        self.is_open = conflict.status == ConflictStatus.OPEN
        self.may_change = admin.has_change_permission(request, conflict)
        self.reason = ReasonForm(data)
        self.forms = [
            DecisionForm(data, lesson=lesson, conflict=conflict, now=self.now)
            for lesson in self.lessons[:MOST]
            if self.is_open and self.may_change and lesson.status == LessonStatus.PLANNED
        ]
        self.alert = ""

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._show("change")
        step = self.request.POST.get("step", "")
        if step == "reopen":
            return self._reopen()
        if not self.is_open:
            return self._ended()
        if step == "back":
            return self._show("change")
        if not self._valid():
            return self._show("change")
        if step == "give_back":
            return self._give_back()
        decisions = [form.decision for form in self.forms if form.decision]
        if not decisions:
            return self._keep()
        return self._apply(decisions) if step == "apply" else self._check(decisions)

    def _valid(self) -> bool:
        """Each is asked, so that each says what is wrong with it."""
        valid = [form.is_valid() for form in (self.reason, *self.forms)]
        return all(valid)

    # -------------------------------------------------------------- what is done
    @property
    def by(self) -> User:
        return cast(User, self.request.user)

    @property
    def why(self) -> str:
        return str(self.reason.cleaned_data["reason"])

    def _keep(self) -> HttpResponse:
        if not self.why:
            self.reason.add_error("reason", gettext("Say why everything stays as it is."))
            return self._show("change")
        try:
            dismiss(conflicts=[self.conflict], reason=self.why, by=self.by, now=self.now)
        except ConflictEnded:
            return self._ended()
        # Never the reason, nor a name: the log of the admin outlives people.
        self.admin.log_change(self.request, self.conflict, gettext("Kept as it is."))
        return self._leave(gettext("It stays as it is."))

    def _give_back(self) -> HttpResponse:
        try:
            give_back_hold(conflict=self.conflict, reason=self.why, by=self.by, now=self.now)
        except ConflictEnded:
            return self._ended()
        self.admin.log_change(self.request, self.conflict, gettext("Resolved."))
        return self._leave(gettext("The held time was given back."))

    def _reopen(self) -> HttpResponse:
        try:
            reopen(conflict=self.conflict)
        except ConflictEnded:
            return self._ended()
        self.admin.log_change(self.request, self.conflict, gettext("Opened again."))
        return HttpResponseRedirect(self.request.path)

    def _check(self, decisions: Sequence[Decision]) -> HttpResponse:
        asked = self.request.POST
        told = [MessageForm.proposed(asked, decision=one, now=self.now) for one in decisions]
        return self._show("check", told=told)

    def _apply(self, decisions: Sequence[Decision]) -> HttpResponse:
        told = [MessageForm(self.request.POST, decision=one, now=self.now) for one in decisions]
        # Each is asked, so that each says what is wrong with it.
        valid = [form.is_valid() for form in told]
        if not all(valid):
            return self._show("check", told=told)
        case = Case(conflict=self.conflict, decisions=[form.complete for form in told])
        try:
            done = settle(cases=[case], reason=self.why, by=self.by, now=self.now)
        except ConflictEnded:
            return self._ended()
        except (ChangedMeanwhile, CannotSettle, PersonDeleted) as refused:
            self.alert = why_refused(refused)
            return self._show("change")
        keep_history(self.admin, self.request, [self.conflict], done, reason=self.why)
        return self._leave(gettext("The conflict is resolved."))

    # -------------------------------------------------------------- what is shown
    def _ended(self) -> HttpResponse:
        words = gettext(
            "Somebody, or a rule, was faster: this conflict has ended. Nothing was done."
        )
        self.admin.message_user(self.request, words, messages.WARNING)
        return HttpResponseRedirect(self.request.path)

    def _leave(self, words: str) -> HttpResponse:
        self.admin.message_user(self.request, words, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:enrollment_conflict_changelist"))

    def _show(self, name: str, *, told: Sequence[MessageForm] = ()) -> HttpResponse:
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": self.admin.title_of(self.conflict),
            "words": self.admin.words_of(self.conflict),
            "links": self.admin.links_of(self.conflict),
            "conflict": self.conflict,
            "is_open": self.is_open,
            "is_kept": self.conflict.status == ConflictStatus.DISMISSED,
            "may_change": self.may_change,
            "cards": list(self._cards()),
            "more": max(0, len(self.lessons) - MOST),
            "enrollments": self._enrollments(),
            "hold": self.conflict.facts.get("hold"),
            "forms": self.forms,
            "reason": self.reason,
            "told": [(form, decided(form.decision)) for form in told],
            "typed": self._typed(),
            "alert": self.alert,
            "back": reverse("admin:enrollment_conflict_changelist"),
        }
        page = f"admin/enrollment/conflict/{name}.html"
        return TemplateResponse(self.request, page, context)

    def _cards(self) -> Iterator[tuple[Lesson, DecisionForm | None]]:
        forms = {form.lesson.pk: form for form in self.forms}
        return ((lesson, forms.get(lesson.pk)) for lesson in self.lessons[:MOST])

    def _enrollments(self) -> list[Enrollment]:
        """Those it is about, where it is about no lesson."""
        if self.lessons:
            return []
        pks = [*self.conflict.facts.get("enrollments", ()), self.conflict.enrollment_id]
        found = Enrollment.objects.filter(pk__in=[pk for pk in pks if pk is not None])
        return list(found.select_related("student__user", "course", "teacher").order_by("pk"))

    def _typed(self) -> list[tuple[str, str]]:
        """Messages that were typed already, for the page that asks once more."""
        asked = self.request.POST
        return [(name, asked.get(name, "")) for name in asked if name.startswith("tell-")]


def _lessons_of(conflict: Conflict) -> list[Lesson]:
    lessons = conflict.lessons.select_related(
        "course", "teacher", "student__user", "enrollment__student__user", "enrollment__course"
    )
    return list(lessons.order_by("period", "pk"))


def why_refused(refused: Exception) -> str:
    """Nothing was written."""
    if isinstance(refused, PersonDeleted):
        return somebody_gone()
    if isinstance(refused, ChangedMeanwhile):
        return f"{refused.lesson}: {changed_meanwhile()}"
    cause = refused.__cause__
    lesson = refused.lesson if isinstance(refused, CannotSettle) else ""
    if isinstance(cause, ThreadClosed):
        why = gettext("its conversation is closed. Send no message there.")
    elif isinstance(cause, SlotTaken | NoSuchTime):
        why = gettext("this time has just been taken, or does not exist. Please choose another.")
    else:
        why = gettext("it is not planned any more.")
    return gettext("Nothing was done. %(lesson)s: %(why)s") % {"lesson": lesson, "why": why}


def keep_history(
    admin: ModelAdmin,
    request: HttpRequest,
    conflicts: Sequence[Conflict],
    done: Sequence[Done],
    *,
    reason: str,
) -> None:
    for one in done:
        admin.log_change(request, one.lesson, because(one.words, reason))
    for conflict in conflicts:
        admin.log_change(request, conflict, gettext("Resolved."))
