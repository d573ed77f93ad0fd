"""Several lessons chosen in the list: how they are to move, or why they are cancelled, and then so."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment.admin.fields import ClockField
from enrollment.admin.words import because, moved, name_clash, no_such_time, place, somebody_gone
from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.states import LessonStatus, StepNotAllowed
from enrollment.models import Lesson
from enrollment.operations.lessons import PersonDeleted
from enrollment.operations.several import (
    CannotMove,
    Move,
    cancel_lessons,
    move_lessons,
    new_place,
)
from enrollment.queries.clashes import clashing_lesson, lesson_length
from enrollment.queries.people import teachers_here

# More would be a page nobody reads and a transaction everybody waits for.
MOST = 100
YEAR = 366
Lessons = QuerySet[Lesson]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Kept in each lesson's history, where only the office reads it."),
    )


class MoveForm(forms.Form):
    days = forms.IntegerField(
        label=_("By how many days"),
        initial=7,
        min_value=-YEAR,
        max_value=YEAR,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("7 is a week later, -1 the day before, 0 the same day."),
    )
    at = ClockField(
        label=_("New time"), required=False, help_text=_("On the teacher's clock. Empty: as it is.")
    )
    teacher = forms.ModelChoiceField(
        label=_("New teacher"),
        required=False,
        queryset=teachers_here(),
        widget=UnfoldAdminSelectWidget,
        empty_label=_("As it is"),
    )
    reason = ReasonForm.base_fields["reason"]

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not any(answers[name] for name in ("days", "at", "teacher")):
            self.add_error("days", gettext("Like this every lesson stays where it is."))
        return answers

    def move(self) -> Move:
        return Move(**{name: self.cleaned_data[name] for name in ("days", "at", "teacher")})


def cancel(admin: ModelAdmin, request: HttpRequest, chosen: Lessons) -> HttpResponse:
    page = Page(admin, request, chosen, form_class=ReasonForm)
    if page.may_go_on:
        try:
            cancel_lessons(lessons=page.lessons, now=timezone.now(), **page.who_and_why)
        except StepNotAllowed as refused:
            page.form.add_error(None, str(refused))
        else:
            page.keep(lambda _lesson: gettext("Cancelled."))
            count = len(page.lessons)
            words = ngettext("%(count)d lesson cancelled.", "%(count)d lessons cancelled.", count)
            return page.done(words % {"count": count})
    return page.ask(title=gettext("Cancel lessons"), action="cancel_selected", danger=True)


def move(admin: ModelAdmin, request: HttpRequest, chosen: Lessons) -> HttpResponse:
    page, now = Page(admin, request, chosen, form_class=MoveForm), timezone.now()
    if page.may_go_on:
        before = {lesson.pk: place(lesson) for lesson in page.lessons}
        try:
            move_lessons(lessons=page.lessons, move=page.form.move(), now=now, **page.who_and_why)
        except PersonDeleted:
            page.form.add_error(None, somebody_gone())
        except CannotMove as refused:
            page.form.add_error(None, _why(refused, page.form.move(), now=now))
        else:
            page.keep(lambda lesson: moved(before=before[lesson.pk], after=place(lesson)))
            count = len(page.lessons)
            words = ngettext("%(count)d lesson moved.", "%(count)d lessons moved.", count)
            return page.done(words % {"count": count})
    return page.ask(title=gettext("Move lessons"), action="move_selected")


def _why(refused: CannotMove, move: Move, *, now: datetime) -> str:
    """What is in the way of the first lesson that found no place; nothing was moved."""
    lesson = refused.lesson
    try:
        there = new_place(lesson, move=move)
        starts_at = instant(on=there.on, at=there.at, zone=there.teacher.zone)
    except NoSuchTime as error:
        return f"{place(lesson)}: {no_such_time(error, move.teacher or lesson.teacher)}"
    ends_at = starts_at + lesson_length(lesson)
    clash = clashing_lesson(
        teacher=there.teacher,
        student=lesson.student,
        starts_at=starts_at,
        ends_at=ends_at,
        now=now,
        apart_from=lesson,
    )
    if clash:
        taken = name_clash(clash, there.teacher, (starts_at, ends_at))
    else:
        taken = gettext("Two of them would meet there.")
    return gettext("Nothing was moved. %(lesson)s has no place there: %(why)s") % {
        "lesson": place(lesson),
        "why": taken,
    }


class Page:
    """One page between the list and what is done. `lessons`: those chosen that are planned."""

    def __init__(
        self, admin: ModelAdmin, request: HttpRequest, chosen: Lessons, *, form_class: Any
    ) -> None:
        self.admin, self.request = admin, request
        known = chosen.select_related("course", "teacher", "student__user")
        found = list(known.order_by("period")[: MOST + 1])
        self.too_many = len(found) > MOST
        self.lessons = [one for one in found if one.status == LessonStatus.PLANNED]
        self.others = len(found) - len(self.lessons)
        self.form = form_class(request.POST if "confirmed" in request.POST else None)

    @property
    def may_go_on(self) -> bool:
        return bool(self.lessons) and not self.too_many and self.form.is_valid()

    @property
    def who_and_why(self) -> dict[str, Any]:
        return {"by": self.request.user, "reason": self.form.cleaned_data["reason"]}

    def keep(self, words: Callable[[Lesson], str]) -> None:
        """A line in the history of each, as it is now."""
        now = Lesson.objects.select_related("course", "teacher")
        for lesson in now.filter(pk__in=[one.pk for one in self.lessons]):
            line = because(words(lesson), self.form.cleaned_data["reason"])
            self.admin.log_change(self.request, lesson, line)

    def done(self, words: str) -> HttpResponse:
        self.admin.message_user(self.request, words, messages.SUCCESS)
        if self.others:
            self.admin.message_user(self.request, self.left(), messages.WARNING)
        return HttpResponseRedirect(self.request.get_full_path())

    def left(self) -> str:
        words = ngettext(
            "%(count)d was not planned and stays.",
            "%(count)d were not planned and stay.",
            self.others,
        )
        return words % {"count": self.others}

    def ask(self, *, title: str, action: str, danger: bool = False) -> HttpResponse:
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": title,
            "form": self.form,
            "lessons": self.lessons,
            "left": self.left() if self.others else "",
            "too_many": MOST if self.too_many else 0,
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
            "danger": danger,
            "back": self.request.get_full_path(),
        }
        return TemplateResponse(self.request, "admin/enrollment/lesson/several.html", context)
